//! The order of a queue that has a lock: what its items lie in.

use std::collections::VecDeque;

/// What the items of a [`StoredQueue`](super::StoredQueue) lie in: where their order is decided.
///
/// For a queue of an order of one's own, or one that counts, logs, or drops what is old. The methods are called with
/// the queue's lock held, by whichever thread puts or takes. They must not use the same queue: that thread would wait
/// for itself.
///
/// A method that panics leaves the queue as it was, as far as the storage has not changed: an item that was not
/// [taken](Offer::take) goes down with the `put` that brought it, after the lock was released; nobody's place in line
/// is lost. So compare first and change after. (An item that is in the storage after its `push` has panicked, as
/// [`len`](Self::len) says, was put, although the `put` panicked: it can be got, and is a task to be done. One that a
/// storage loses in a panic is a task that stays undone.)
///
/// Python: the methods `_init`, `_qsize`, `_put` and `_get` that subclasses of `queue.Queue` override.
///
/// # Examples
///
/// A queue that turns the nearest floor out first, wherever the lift is:
///
/// ```
/// use gristmill::queue::{Offer, Storage, StoredQueue};
///
/// struct Lift {
///     at: i32,
///     calls: Vec<i32>,
/// }
///
/// impl Storage<i32> for Lift {
///     fn push(&mut self, floor: Offer<'_, i32>) {
///         self.calls.push(floor.take());
///     }
///     fn pop(&mut self) -> Option<i32> {
///         let nearest = (0..self.calls.len()).min_by_key(|&i| (self.calls[i] - self.at).abs())?;
///         self.at = self.calls.swap_remove(nearest);
///         Some(self.at)
///     }
///     fn len(&self) -> usize {
///         self.calls.len()
///     }
/// }
///
/// let calls = StoredQueue::with_storage(0, Lift { at: 0, calls: Vec::new() });
/// for floor in [9, 2, 3] {
///     calls.put(floor)?;
/// }
/// assert_eq!(calls.try_iter().collect::<Vec<_>>(), [2, 3, 9]);
/// # Ok::<(), gristmill::queue::ShutDown<i32>>(())
/// ```
#[doc(alias = "_put")]
#[doc(alias = "_get")]
#[doc(alias = "_qsize")]
pub trait Storage<T> {
    /// Takes the item in.
    fn push(&mut self, item: Offer<'_, T>);

    /// Gives the item whose turn it is; `None` if and only if there is none.
    fn pop(&mut self) -> Option<T>;

    /// How many items there are.
    fn len(&self) -> usize;

    /// Is there none?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An item that a [`Storage`] is to take.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Offer, Storage};
///
/// struct Loud(Vec<String>);
///
/// impl Storage<String> for Loud {
///     fn push(&mut self, word: Offer<'_, String>) {
///         assert!(!word.get().is_empty(), "the word stays with the one who brought it");
///         self.0.push(word.take().to_uppercase());
///     }
///     fn pop(&mut self) -> Option<String> {
///         self.0.pop()
///     }
///     fn len(&self) -> usize {
///         self.0.len()
///     }
/// }
/// # let queue = gristmill::queue::StoredQueue::with_storage(0, Loud(Vec::new()));
/// # queue.put("flour".into()).unwrap();
/// # assert_eq!(queue.get().unwrap(), "FLOUR");
/// ```
#[derive(Debug)]
pub struct Offer<'a, T>(pub(super) &'a mut Option<T>);

impl<T> Offer<'_, T> {
    /// Looks at the item.
    ///
    /// # Panics
    ///
    /// Never: the item is there until it is taken.
    pub fn get(&self) -> &T {
        self.0.as_ref().expect("an offer holds its item")
    }

    /// Takes the item: from now on it is the storage's.
    ///
    /// # Panics
    ///
    /// Never: the item is there until it is taken.
    pub fn take(self) -> T {
        self.0.take().expect("an offer holds its item")
    }
}

/// First in, first out: for a storage that does something besides.
///
/// A plain queue in that order is a [`Queue`](super::Queue), which has no lock.
impl<T> Storage<T> for VecDeque<T> {
    fn push(&mut self, item: Offer<'_, T>) {
        self.push_back(item.take());
    }

    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

/// Last in, first out: the storage of a [`LifoQueue`](super::LifoQueue).
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Lifo, StoredQueue};
///
/// let queue = StoredQueue::with_storage(0, Lifo::default());
/// queue.put("below")?;
/// queue.put("above")?;
/// assert_eq!(queue.get()?, "above");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lifo<T>(Vec<T>);

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Lifo(Vec::new())
    }
}

impl<T> Storage<T> for Lifo<T> {
    fn push(&mut self, item: Offer<'_, T>) {
        self.0.push(item.take());
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
