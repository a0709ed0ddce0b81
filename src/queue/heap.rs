//! The smallest item first.

use std::cmp::Ordering;

use super::storage::{Offer, Storage};

/// The smallest first: the storage of a [`PriorityQueue`](super::PriorityQueue). Among equal ones the order is open.
///
/// A binary heap that compares first and moves after: a comparison that panics changes nothing.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{MinHeap, StoredQueue};
///
/// let queue = StoredQueue::with_storage(0, MinHeap::default());
/// for n in [3, 1, 2] {
///     queue.put(n)?;
/// }
/// assert_eq!(queue.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
/// # Ok::<(), gristmill::queue::ShutDown<i32>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MinHeap<T>(Vec<T>);

impl<T> Default for MinHeap<T> {
    fn default() -> Self {
        MinHeap(Vec::new())
    }
}

fn parent(child: usize) -> usize {
    (child - 1) / 2
}

impl<T: Ord> Storage<T> for MinHeap<T> {
    fn push(&mut self, item: Offer<'_, T>) {
        let mut place = self.0.len();
        while place > 0 && item.get() < &self.0[parent(place)] {
            place = parent(place);
        }
        let mut at = self.0.len();
        self.0.push(item.take());
        while at > place {
            self.0.swap(at, parent(at));
            at = parent(at);
        }
    }

    fn pop(&mut self) -> Option<T> {
        let last = self.0.len().checked_sub(1)?;
        // The last item will take the first one's place, and go down to where it belongs: along these.
        let mut way = [0; usize::BITS as usize];
        let mut depth = 0;
        loop {
            let at = if depth == 0 { 0 } else { way[depth - 1] };
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= last {
                break;
            }
            let child = if right < last && self.0[right] < self.0[left] { right } else { left };
            if self.0[last] <= self.0[child] {
                break;
            }
            way[depth] = child;
            depth += 1;
        }
        let first = self.0.swap_remove(0);
        let mut at = 0;
        for &child in &way[..depth] {
            self.0.swap(at, child);
            at = child;
        }
        Some(first)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// An item with its priority, for a [`PriorityQueue`](super::PriorityQueue) of items that have no order themselves.
/// Only priorities are compared.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Prioritized, PriorityQueue};
///
/// let queue = PriorityQueue::new(0);
/// queue.put(Prioritized::new(2, "sweep"))?;
/// queue.put(Prioritized::new(1, "put the fire out"))?;
/// assert_eq!(queue.get()?.item, "put the fire out");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Prioritized<P, T> {
    /// Smaller is sooner.
    pub priority: P,
    /// What it is about.
    pub item: T,
}

impl<P, T> Prioritized<P, T> {
    /// Gives `item` this priority.
    pub const fn new(priority: P, item: T) -> Self {
        Prioritized { priority, item }
    }
}

impl<P: PartialEq, T> PartialEq for Prioritized<P, T> {
    fn eq(&self, other: &Self) -> bool {
        self.priority == other.priority
    }
}

impl<P: Eq, T> Eq for Prioritized<P, T> {}

impl<P: PartialOrd, T> PartialOrd for Prioritized<P, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.priority.partial_cmp(&other.priority)
    }
}

impl<P: Ord, T> Ord for Prioritized<P, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.priority.cmp(&other.priority)
    }
}
