//! The queue without tasks and without an end.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::error::Empty;
use super::fifo::Fifo;
use super::keep::Keep;
use super::pause::{Pace, Patience};
use crate::prim::{Padded, const_fn};

/// First in, first out; no bound, no count of tasks, no end: the fastest queue here.
///
/// For handing values from any threads to any threads where nothing has to be waited for but the next value. If
/// producers must not get too far ahead, or somebody wants to know when all is done, take a [`Queue`](super::Queue).
///
/// `put` never blocks and never fails. No lock is held in it, nor in any `get`, and no code of the item's type runs
/// within: a destructor may put to the queue that its value was in. (A signal handler may not: `put` may allocate
/// memory.) Items lie in blocks of 64: box large ones.
///
/// Python: `queue.SimpleQueue`.
///
/// # Memory ordering
///
/// What happened before a `put` is seen by who gets the item.
///
/// # Examples
///
/// ```
/// use gristmill::queue::SimpleQueue;
///
/// static ORDERS: SimpleQueue<u32> = SimpleQueue::new();
///
/// std::thread::scope(|s| {
///     s.spawn(|| (1..=100).for_each(|n| ORDERS.put(n)));
///     let sum: u32 = (0..100).map(|_| ORDERS.get()).sum();
///     assert_eq!(sum, 5_050);
/// });
/// ```
#[doc(alias = "queue.SimpleQueue")]
pub struct SimpleQueue<T> {
    items: Fifo<T>,
    wait: Padded<Wait>,
}

struct Wait {
    bell: Bell,
    pace: Pace,
}

// What a panic elsewhere leaves half done is never in here.
impl<T> UnwindSafe for SimpleQueue<T> {}
impl<T> RefUnwindSafe for SimpleQueue<T> {}

impl<T> SimpleQueue<T> {
    const_fn! {
        /// An empty queue. Allocates nothing.
        ///
        /// # Examples
        ///
        /// See [`SimpleQueue`].
        #[must_use]
        pub fn new() -> Self {
            SimpleQueue { items: Fifo::new(0), wait: Padded(Wait { bell: Bell::new(), pace: Pace::new() }) }
        }
    }

    /// Appends `item`.
    ///
    /// # Examples
    ///
    /// See [`SimpleQueue`].
    #[doc(alias = "put_nowait")]
    #[inline]
    pub fn put(&self, item: T) {
        // Without a bound and an end nothing is ever refused.
        let _ = self.items.put(item);
        self.item_is_there();
    }

    /// Appends all items, one behind the other as far as no others come in between; faster than one by one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::SimpleQueue;
    ///
    /// let queue = SimpleQueue::new();
    /// queue.put_many(vec![1, 2, 3]);
    /// assert_eq!(queue.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    pub fn put_many(&self, items: impl Into<VecDeque<T>>) {
        let mut items = items.into();
        while !items.is_empty() {
            for _ in 0..self.items.put_some(&mut items).unwrap_or(0) {
                self.item_is_there();
            }
        }
    }

    /// Takes the oldest item; waits until there is one.
    ///
    /// Polls for some microseconds, then sleeps. A mill's worker that sleeps here has its slot used by somebody else.
    ///
    /// # Examples
    ///
    /// See [`SimpleQueue`].
    #[inline]
    pub fn get(&self) -> T {
        if let Ok(item) = self.items.take() {
            return item;
        }
        loop {
            if let Some(item) = self.wait(None) {
                return item;
            }
        }
    }

    /// Takes the oldest item, if there is one.
    ///
    /// # Errors
    ///
    /// [`Empty`] if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{Empty, SimpleQueue};
    ///
    /// let queue = SimpleQueue::new();
    /// queue.put('x');
    /// assert_eq!(queue.try_get(), Ok('x'));
    /// assert_eq!(queue.try_get(), Err(Empty));
    /// ```
    #[doc(alias = "get_nowait")]
    #[inline]
    pub fn try_get(&self) -> Result<T, Empty> {
        self.items.take().map_err(|_| Empty)
    }

    /// Takes the oldest item; waits for it, but no longer than `timeout`. Zero is a poll, and a time too long for the
    /// clock is for ever.
    ///
    /// # Errors
    ///
    /// [`Empty`] if none came in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{Empty, SimpleQueue};
    /// use std::time::Duration;
    ///
    /// let queue = SimpleQueue::<u32>::new();
    /// assert_eq!(queue.get_timeout(Duration::from_millis(1)), Err(Empty));
    /// ```
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, Empty> {
        match self.try_get() {
            Err(Empty) if !timeout.is_zero() => self.wait(Instant::now().checked_add(timeout)).ok_or(Empty),
            result => result,
        }
    }

    /// Takes the oldest item; waits for it, but only until `deadline`.
    ///
    /// # Errors
    ///
    /// [`Empty`] if none came in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{Empty, SimpleQueue};
    /// use std::time::Instant;
    ///
    /// let queue = SimpleQueue::<u32>::new();
    /// assert_eq!(queue.get_deadline(Instant::now()), Err(Empty));
    /// ```
    pub fn get_deadline(&self, deadline: Instant) -> Result<T, Empty> {
        self.try_get().or_else(|_| self.wait(Some(deadline)).ok_or(Empty))
    }

    /// Takes as many items as there are, `most` at most; waits until there is one. Faster than one by one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::SimpleQueue;
    ///
    /// let queue = SimpleQueue::new();
    /// queue.put_many(vec![1, 2, 3]);
    /// assert_eq!(queue.get_many(2), [1, 2]);
    /// assert_eq!(queue.get_many(2), [3]);
    /// ```
    pub fn get_many(&self, most: usize) -> Vec<T> {
        let mut items = Vec::new();
        while items.len() < most && self.items.take_some(most - items.len(), &mut items).is_ok() {}
        if items.is_empty() && most > 0 {
            items.push(self.get());
            while items.len() < most && self.items.take_some(most - items.len(), &mut items).is_ok() {}
        }
        items
    }

    /// The items that are there, and those that come meanwhile; ends when the queue is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::SimpleQueue;
    ///
    /// let queue = SimpleQueue::new();
    /// queue.put("flour");
    /// assert_eq!(queue.try_iter().collect::<Vec<_>>(), ["flour"]);
    /// ```
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_get().ok())
    }

    /// How many items there are: exact while nobody else puts or gets.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = gristmill::queue::SimpleQueue::new();
    /// queue.put(7);
    /// assert_eq!((queue.len(), queue.is_empty()), (1, false));
    /// ```
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Is there no item? As [`len`](Self::len), out of date as soon as somebody else puts or gets.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    #[doc(alias = "empty")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does somebody sleep in a `get`, or is about to?
    #[cfg(all(test, not(loom)))]
    pub(super) fn is_awaited(&self) -> bool {
        self.wait.bell.is_awaited()
    }

    #[inline(always)]
    fn item_is_there(&self) {
        if self.wait.bell.is_awaited() {
            self.wait.bell.ring();
        }
    }

    #[cold]
    fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut patience = Patience::new(&self.wait.pace, deadline);
        while patience.turn() {
            if let Ok(item) = self.items.take() {
                patience.learn(self.items.found());
                return Some(item);
            }
        }
        self.wait.bell.wait(deadline, || self.items.take().ok(), || !self.is_empty())
    }
}

impl<T> Default for SimpleQueue<T> {
    fn default() -> Self {
        SimpleQueue::new()
    }
}

impl<T> std::fmt::Debug for SimpleQueue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimpleQueue").field("len", &self.len()).finish_non_exhaustive()
    }
}
