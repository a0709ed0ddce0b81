//! Items as tasks: what is unfinished, and waiting for it.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::error::{ShutDown, TooManyTaskDone};
use super::keep::Keep;
use super::tracked::TrackedQueue;

impl<T, K: Keep<T>> TrackedQueue<T, K> {
    /// How many of the items that were put are not [done](Self::task_done).
    ///
    /// # Examples
    ///
    /// See [`task_done`](Self::task_done).
    #[must_use]
    pub fn unfinished_tasks(&self) -> u64 {
        self.tally.unfinished(|| self.keep.puts())
    }

    /// Says that the work on an item that was got is over.
    ///
    /// To be called once for each item. When all that was put is done, everybody who [`join`](Self::join)s goes on.
    ///
    /// # Errors
    ///
    /// [`TooManyTaskDone`] if all that was put had been done before.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(0);
    /// queue.put("sack")?;
    /// assert_eq!(queue.unfinished_tasks(), 1);
    /// let sack = queue.get()?;
    /// assert_eq!((sack, queue.unfinished_tasks()), ("sack", 1));
    /// queue.task_done()?;
    /// assert_eq!(queue.unfinished_tasks(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn task_done(&self) -> Result<(), TooManyTaskDone> {
        match self.tally.add(|| self.keep.puts()) {
            None => Err(TooManyTaskDone),
            Some(is_last) => {
                if is_last && self.joiners.is_awaited() {
                    self.joiners.ring_all();
                }
                Ok(())
            }
        }
    }

    /// Takes the next item as a [`Task`], which is done when it is dropped; waits until there is one.
    ///
    /// # Errors
    ///
    /// [`ShutDown`] if the queue has been shut down and is empty.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// See [`Task`].
    pub fn get_task(&self) -> Result<Task<'_, T, K>, ShutDown> {
        self.get().map(|item| Task { item, done: Done(self) })
    }

    /// The items as [`Task`]s, each waited for; ends when the queue has been shut down and is empty.
    ///
    /// # Examples
    ///
    /// See [`Task`].
    pub fn tasks(&self) -> impl Iterator<Item = Task<'_, T, K>> {
        std::iter::from_fn(|| self.get_task().ok())
    }

    /// Waits until all that was put is [done](Self::task_done), or was taken out by
    /// [`shutdown_now`](Self::shutdown_now). At once if nothing is unfinished; a shutdown alone does not end it.
    ///
    /// # Examples
    ///
    /// See [`TrackedQueue`].
    pub fn join(&self) {
        self.wait_until_done(None);
    }

    /// As [`join`](Self::join), but no longer than `timeout`. Is all done?
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    /// use std::time::Duration;
    ///
    /// let queue = Queue::new(0);
    /// assert!(queue.join_timeout(Duration::ZERO));
    /// queue.put(1)?;
    /// assert!(!queue.join_timeout(Duration::from_millis(1)));
    /// # Ok::<(), gristmill::queue::ShutDown<i32>>(())
    /// ```
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        match self.unfinished_tasks() {
            0 => true,
            _ if timeout.is_zero() => false,
            _ => self.wait_until_done(Instant::now().checked_add(timeout)),
        }
    }

    /// As [`join`](Self::join), but only until `deadline`. Is all done?
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = gristmill::queue::Queue::<u8>::new(0);
    /// assert!(queue.join_deadline(std::time::Instant::now()));
    /// ```
    #[must_use]
    pub fn join_deadline(&self, deadline: Instant) -> bool {
        self.wait_until_done(Some(deadline))
    }

    fn wait_until_done(&self, deadline: Option<Instant>) -> bool {
        let is_done = || (self.unfinished_tasks() == 0).then_some(());
        is_done().or_else(|| self.joiners.wait(deadline, is_done, || false)).is_some()
    }
}

/// An item that was got as a task: done when this is dropped, also by a panic.
///
/// # Examples
///
/// ```
/// use gristmill::queue::Queue;
///
/// let queue = Queue::new(0);
/// queue.put_many(vec![1, 2, 3])?;
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         for task in queue.tasks() {
///             assert!(*task > 0); // if this panics, the task is done all the same
///         }
///     });
///     queue.join();
///     queue.shutdown();
/// });
/// # Ok::<(), gristmill::queue::ShutDown<Vec<i32>>>(())
/// ```
#[must_use = "the task is done as soon as this is dropped"]
pub struct Task<'a, T, K: Keep<T>> {
    // Dropped in this order: the item's drop belongs to the work.
    item: T,
    done: Done<'a, T, K>,
}

impl<T, K: Keep<T>> Task<'_, T, K> {
    /// The item; the task is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(0);
    /// queue.put("bran")?;
    /// assert_eq!(queue.get_task()?.into_inner(), "bran");
    /// assert_eq!(queue.unfinished_tasks(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_inner(self) -> T {
        drop(self.done);
        self.item
    }
}

impl<T, K: Keep<T>> Deref for Task<'_, T, K> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T, K: Keep<T>> DerefMut for Task<'_, T, K> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: std::fmt::Debug, K: Keep<T>> std::fmt::Debug for Task<'_, T, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Task").field(&self.item).finish()
    }
}

struct Done<'a, T, K: Keep<T>>(&'a TrackedQueue<T, K>);

impl<T, K: Keep<T>> Drop for Done<'_, T, K> {
    fn drop(&mut self) {
        // Too many only if somebody else called it for this item.
        let _ = self.0.task_done();
    }
}
