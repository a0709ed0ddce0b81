//! Queues as iterators.

use super::keep::Keep;
use super::tracked::TrackedQueue;

impl<T, K: Keep<T>> TrackedQueue<T, K> {
    /// The items, each waited for; ends when the queue has been shut down and is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(0);
    /// queue.put_many(vec![1, 2, 3])?;
    /// queue.shutdown();
    /// assert_eq!(queue.iter().sum::<i32>(), 6);
    /// # Ok::<(), gristmill::queue::ShutDown<Vec<i32>>>(())
    /// ```
    pub fn iter(&self) -> Iter<'_, T, K> {
        Iter(self)
    }

    /// The items that are there, and those that come meanwhile; ends when the queue is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::PriorityQueue;
    ///
    /// let queue = PriorityQueue::new(0);
    /// queue.put_many(vec![3, 1, 2])?;
    /// assert_eq!(queue.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// # Ok::<(), gristmill::queue::ShutDown<Vec<i32>>>(())
    /// ```
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_get().ok())
    }
}

/// The items of a queue, each waited for until the queue is shut down and empty: made by
/// [`TrackedQueue::iter`].
///
/// # Examples
///
/// See [`TrackedQueue::iter`].
#[derive(Debug)]
pub struct Iter<'a, T, K: Keep<T>>(&'a TrackedQueue<T, K>);

impl<T, K: Keep<T>> Iterator for Iter<'_, T, K> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.get().ok()
    }
}

impl<T, K: Keep<T>> std::iter::FusedIterator for Iter<'_, T, K> {}

impl<'a, T, K: Keep<T>> IntoIterator for &'a TrackedQueue<T, K> {
    type Item = T;
    type IntoIter = Iter<'a, T, K>;

    /// See [`TrackedQueue::iter`].
    fn into_iter(self) -> Iter<'a, T, K> {
        self.iter()
    }
}
