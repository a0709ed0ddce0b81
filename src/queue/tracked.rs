//! The queue that knows what became of its items.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::error::{GetError, PutError, ShutDown};
use super::fifo::Fifo;
use super::keep::{Keep, NoItem, NoRoom};
use super::pause::{Pace, Patience};
use super::storage::Storage;
use super::stored::Stored;
use super::tally::Tally;
use crate::prim::{Padded, const_fn};

/// A queue between any number of threads that may have a bound, counts what is unfinished, and can be shut down.
///
/// This is the common part of [`Queue`](super::Queue), [`LifoQueue`](super::LifoQueue),
/// [`PriorityQueue`](super::PriorityQueue) and [`StoredQueue`](super::StoredQueue), which differ in what keeps their
/// items: `K` is [`Fifo`] or [`Stored`].
///
/// - **A bound.** `put` waits while there are as many items as `maxsize`, unless that is zero.
/// - **Tasks.** Whoever has got an item says [`task_done`](Self::task_done) when the work on it is over, or gets it as
///   a [`Task`](super::Task), which does so by itself. [`join`](Self::join) waits until all that was put is done.
/// - **An end.** After [`shutdown`](Self::shutdown) nothing can be put; what is there can still be got, and then
///   everybody learns that it is over. [`shutdown_now`](Self::shutdown_now) takes out what is there, too.
///
/// Every wait polls for some microseconds and then sleeps; a mill's worker that sleeps here has its slot used by
/// somebody else meanwhile. Timeouts of zero poll, and one too long for the clock is for ever.
///
/// Threads that wait are called in the order in which they came, but one that comes just then may be faster.
///
/// # Memory ordering
///
/// What happened before a `put` is seen by who gets the item. What happened before a `task_done` is seen by those whose
/// `join` returns for it. What happened before a shutdown is seen by those who learn of it.
///
/// # Examples
///
/// ```
/// use gristmill::queue::Queue;
///
/// let queue = Queue::new(4);
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         for page in &queue {
///             // .. print it ..
///             assert!(page < 100);
///             queue.task_done().unwrap();
///         }
///     });
///     for page in 0..100 {
///         queue.put(page).unwrap(); // waits while the printer has four pages to do
///     }
///     queue.join();
///     queue.shutdown(); // ends the loop above
/// });
/// ```
pub struct TrackedQueue<T, K> {
    pub(super) keep: K,
    pub(super) items: Padded<Wait>,
    pub(super) room: Padded<Wait>,
    pub(super) tally: Padded<Tally>,
    pub(super) joiners: Bell,
    item: PhantomData<fn(T) -> T>,
}

/// Where those sleep who wait for one thing, and how.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) bell: Bell,
    pace: Pace,
}

impl Wait {
    const_fn! {
        fn new() -> Self {
            Wait { bell: Bell::new(), pace: Pace::new() }
        }
    }

    /// After a change, and a fence.
    #[inline(always)]
    pub(super) fn call(&self) {
        if self.bell.is_awaited() {
            self.bell.ring();
        }
    }
}

/// Calls somebody if what comes before it is forgotten panics: a storage may have changed first.
struct CallIfPanicking<'a>(&'a Wait);

impl Drop for CallIfPanicking<'_> {
    fn drop(&mut self) {
        self.0.call();
    }
}

// A panic in a storage leaves it as it was, and nothing else in here is ever half done.
impl<T, K> UnwindSafe for TrackedQueue<T, K> {}
impl<T, K> RefUnwindSafe for TrackedQueue<T, K> {}

impl<T, K> TrackedQueue<T, K> {
    const_fn! {
        fn over(keep: K) -> Self {
            TrackedQueue {
                keep,
                items: Padded(Wait::new()),
                room: Padded(Wait::new()),
                tally: Padded(Tally::new()),
                joiners: Bell::new(),
                item: PhantomData,
            }
        }
    }
}

impl<T> TrackedQueue<T, Fifo<T>> {
    const_fn! {
        /// An empty queue with room for `maxsize` items; zero for any number. Allocates nothing.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::queue::{PutError, Queue};
        ///
        /// let queue = Queue::new(1);
        /// queue.try_put('a')?;
        /// assert_eq!(queue.try_put('b'), Err(PutError::Full('b')));
        /// # Ok::<(), PutError<char>>(())
        /// ```
        #[must_use]
        pub fn new(maxsize: usize) -> Self {
            Self::over(Fifo::new(maxsize))
        }
    }
}

impl<T> Default for TrackedQueue<T, Fifo<T>> {
    /// A queue without a bound.
    fn default() -> Self {
        Self::new(0)
    }
}

impl<T, S: Storage<T> + Default> TrackedQueue<T, Stored<S>> {
    /// An empty queue with room for `maxsize` items; zero for any number.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{LifoQueue, PutError};
    ///
    /// let queue = LifoQueue::new(1);
    /// queue.try_put('a')?;
    /// assert_eq!(queue.try_put('b'), Err(PutError::Full('b')));
    /// # Ok::<(), PutError<char>>(())
    /// ```
    #[must_use]
    pub fn new(maxsize: usize) -> Self {
        Self::with_storage(maxsize, S::default())
    }
}

impl<T, S: Storage<T> + Default> Default for TrackedQueue<T, Stored<S>> {
    /// A queue without a bound.
    fn default() -> Self {
        Self::new(0)
    }
}

impl<T, S: Storage<T>> TrackedQueue<T, Stored<S>> {
    const_fn! {
        /// A queue over `storage`, which is empty, with room for `maxsize` items; zero for any number.
        ///
        /// # Examples
        ///
        /// See [`Storage`].
        #[must_use]
        pub fn with_storage(maxsize: usize, storage: S) -> Self {
            Self::over(Stored::new(maxsize, storage))
        }
    }
}

impl<T, K: Keep<T>> TrackedQueue<T, K> {
    #[inline(always)]
    fn keep_put(&self, item: T) -> Result<(), (T, NoRoom)> {
        let call = CallIfPanicking(&self.items);
        let result = self.keep.put(item);
        std::mem::forget(call);
        result
    }

    #[inline(always)]
    fn keep_take(&self) -> Result<T, NoItem> {
        let call = CallIfPanicking(&self.room);
        let result = self.keep.take();
        std::mem::forget(call);
        result
    }

    /// As the keep's.
    pub(super) fn keep_put_some(&self, items: &mut VecDeque<T>) -> Result<usize, NoRoom> {
        let call = CallIfPanicking(&self.items);
        let result = self.keep.put_some(items);
        std::mem::forget(call);
        result
    }

    /// Puts `item`; waits until there is room for it.
    ///
    /// # Errors
    ///
    /// [`ShutDown`] with the item, if the queue was shut down before there was room.
    ///
    /// # Panics
    ///
    /// As comparing items does, in a priority queue. The item is dropped then, and the queue is as before.
    ///
    /// # Examples
    ///
    /// See [`TrackedQueue`].
    #[inline]
    pub fn put(&self, item: T) -> Result<(), ShutDown<T>> {
        match self.keep_put(item) {
            Ok(()) => {
                self.items.call();
                Ok(())
            }
            Err((item, why)) => {
                self.put_slowly(item, why, None).map_err(|error| ShutDown(error.into_inner()))
            }
        }
    }

    /// Puts `item`, if there is room for it.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if there is none, or the queue has been shut down.
    ///
    /// # Panics
    ///
    /// As [`put`](Self::put).
    ///
    /// # Examples
    ///
    /// See [`PutError`].
    #[doc(alias = "put_nowait")]
    #[inline]
    pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        match self.keep_put(item) {
            Ok(()) => {
                self.items.call();
                Ok(())
            }
            Err((item, NoRoom::Full)) => Err(PutError::Full(item)),
            Err((item, NoRoom::Closed)) => Err(PutError::ShutDown(item)),
        }
    }

    /// Puts `item`; waits for room, but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if there was no room in time, or the queue was shut down.
    ///
    /// # Panics
    ///
    /// As [`put`](Self::put).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{PutError, Queue};
    /// use std::time::Duration;
    ///
    /// let queue = Queue::new(1);
    /// queue.put_timeout(1, Duration::MAX)?;
    /// assert_eq!(queue.put_timeout(2, Duration::from_millis(1)), Err(PutError::Full(2)));
    /// # Ok::<(), PutError<i32>>(())
    /// ```
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        match self.try_put(item) {
            Err(PutError::Full(item)) if !timeout.is_zero() => {
                self.put_slowly(item, NoRoom::Full, Instant::now().checked_add(timeout))
            }
            result => result,
        }
    }

    /// Puts `item`; waits for room, but only until `deadline`.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item, if there was no room in time, or the queue was shut down.
    ///
    /// # Panics
    ///
    /// As [`put`](Self::put).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{PutError, Queue};
    /// use std::time::Instant;
    ///
    /// let (queue, now) = (Queue::new(1), Instant::now());
    /// queue.put_deadline(1, now)?; // there is room: nothing to wait for
    /// assert_eq!(queue.put_deadline(2, now), Err(PutError::Full(2)));
    /// # Ok::<(), PutError<i32>>(())
    /// ```
    pub fn put_deadline(&self, item: T, deadline: Instant) -> Result<(), PutError<T>> {
        match self.try_put(item) {
            Err(PutError::Full(item)) => self.put_slowly(item, NoRoom::Full, Some(deadline)),
            result => result,
        }
    }

    /// Takes the next item; waits until there is one.
    ///
    /// # Errors
    ///
    /// [`ShutDown`] if the queue has been shut down and is empty.
    ///
    /// # Panics
    ///
    /// As comparing items does, in a priority queue, which is as before then.
    ///
    /// # Examples
    ///
    /// See [`TrackedQueue`].
    #[inline]
    pub fn get(&self) -> Result<T, ShutDown> {
        match self.keep_take() {
            Ok(item) => {
                self.room.call();
                Ok(item)
            }
            Err(why) => self.get_slowly(why, None).map_err(|_| ShutDown(())),
        }
    }

    /// Takes the next item, if there is one.
    ///
    /// # Errors
    ///
    /// [`GetError::Empty`] if there is none, and [`GetError::ShutDown`] if there will be none.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// See [`GetError`].
    #[doc(alias = "get_nowait")]
    #[inline]
    pub fn try_get(&self) -> Result<T, GetError> {
        match self.keep_take() {
            Ok(item) => {
                self.room.call();
                Ok(item)
            }
            Err(NoItem::Empty) => Err(GetError::Empty),
            Err(NoItem::Closed) => Err(GetError::ShutDown),
        }
    }

    /// Takes the next item; waits for it, but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`GetError::Empty`] if none came in time, and [`GetError::ShutDown`] if there will be none.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{GetError, Queue};
    /// use std::time::Duration;
    ///
    /// let queue = Queue::<u32>::new(0);
    /// assert_eq!(queue.get_timeout(Duration::from_millis(1)), Err(GetError::Empty));
    /// ```
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        match self.try_get() {
            Err(GetError::Empty) if !timeout.is_zero() => {
                self.get_slowly(NoItem::Empty, Instant::now().checked_add(timeout))
            }
            result => result,
        }
    }

    /// Takes the next item; waits for it, but only until `deadline`.
    ///
    /// # Errors
    ///
    /// [`GetError::Empty`] if none came in time, and [`GetError::ShutDown`] if there will be none.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{GetError, Queue};
    /// use std::time::Instant;
    ///
    /// let queue = Queue::<u32>::new(0);
    /// assert_eq!(queue.get_deadline(Instant::now()), Err(GetError::Empty));
    /// ```
    pub fn get_deadline(&self, deadline: Instant) -> Result<T, GetError> {
        match self.try_get() {
            Err(GetError::Empty) => self.get_slowly(NoItem::Empty, Some(deadline)),
            result => result,
        }
    }

    /// How many items there are: exact while nobody else puts or gets.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(2);
    /// assert!(queue.is_empty());
    /// queue.put_many(vec!['a', 'b'])?;
    /// assert!(queue.is_full());
    /// assert_eq!((queue.len(), queue.maxsize()), (2, 2));
    /// # Ok::<(), gristmill::queue::ShutDown<Vec<char>>>(())
    /// ```
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.keep.len()
    }

    /// Is there no item? Out of date as soon as somebody else puts or gets.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    #[doc(alias = "empty")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is there no room? Never without a bound; out of date as soon as somebody else puts or gets.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    #[doc(alias = "full")]
    #[must_use]
    pub fn is_full(&self) -> bool {
        let maxsize = self.maxsize();
        maxsize != 0 && self.len() >= maxsize
    }

    /// For how many items there is room; zero for any number.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    #[must_use]
    pub fn maxsize(&self) -> usize {
        self.keep.maxsize()
    }

    /// Changes for how many items there is room; zero for any number. Items that are there stay, however many.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(0);
    /// queue.put_many(vec![1, 2, 3])?;
    /// queue.set_maxsize(2);
    /// assert!(queue.is_full() && queue.len() == 3);
    /// # Ok::<(), gristmill::queue::ShutDown<Vec<i32>>>(())
    /// ```
    pub fn set_maxsize(&self, maxsize: usize) {
        self.keep.set_maxsize(maxsize);
        self.room.bell.ring_all();
    }

    /// Without a deadline, for ever.
    #[cold]
    fn put_slowly(&self, item: T, why: NoRoom, deadline: Option<Instant>) -> Result<(), PutError<T>> {
        if why == NoRoom::Closed {
            return Err(PutError::ShutDown(item));
        }
        let mut item = Some(item);
        let mut attempt = || match self.keep_put(item.take()?) {
            Ok(()) => Some(Ok(())),
            Err((back, NoRoom::Closed)) => Some(Err(PutError::ShutDown(back))),
            Err((back, NoRoom::Full)) => {
                item = Some(back);
                None
            }
        };
        let mut patience = Patience::new(&self.room.pace, deadline);
        let result = loop {
            if !patience.turn() {
                break self.room.bell.wait(deadline, &mut attempt, || !self.is_full());
            }
            let result = attempt();
            if result.is_some() {
                patience.learn(self.keep.found_room());
                break result;
            }
        };
        match (result, item) {
            (Some(result), _) => {
                if result.is_ok() {
                    self.items.call();
                }
                result
            }
            (None, Some(item)) => Err(PutError::Full(item)),
            (None, None) => Ok(()),
        }
    }

    #[cold]
    fn get_slowly(&self, why: NoItem, deadline: Option<Instant>) -> Result<T, GetError> {
        if why == NoItem::Closed {
            return Err(GetError::ShutDown);
        }
        let attempt = || match self.keep_take() {
            Ok(item) => Some(Ok(item)),
            Err(NoItem::Closed) => Some(Err(GetError::ShutDown)),
            Err(NoItem::Empty) => None,
        };
        let mut patience = Patience::new(&self.items.pace, deadline);
        let result = loop {
            if !patience.turn() {
                break self.items.bell.wait(deadline, attempt, || !self.is_empty());
            }
            let result = attempt();
            if result.is_some() {
                patience.learn(self.keep.found());
                break result;
            }
        };
        let item = result.unwrap_or(Err(GetError::Empty))?;
        self.room.call();
        Ok(item)
    }
}
