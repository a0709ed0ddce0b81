//! A flag that threads wait for.
//!
//! One word: the flag, a bit *sleepers* (somebody may sleep), and a generation, which `clear` counts up. A thread
//! that waits remembers the generation in which it found the flag down. It may go when the flag is up or the
//! generation has changed: then the flag was up in between. So `set` and `clear` in quick succession let everybody go
//! who waited. `set` takes the bit away and wakes all; who lies down later sets it again.
//!
//! `set` writes the word even if the flag is up. It must: a consumer that clears the flag and then looks for work has
//! to see the work of a producer whose `set` changed nothing, and does as one of the two writes came first.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::const_fn;
use crate::sync::doze::{Woke, doze};
use crate::sync::scope::{Private, Scope, Shared, wake_all};
use crate::sync::spin;
use crate::sys::futex;

/// The word, read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u32);

const SET: u32 = 1;
/// Somebody may sleep; never together with [`SET`].
const SLEEPERS: u32 = 1 << 1;
const GENERATION: u32 = 1 << 2;

impl Word {
    fn is_set(self) -> bool {
        self.0 & SET != 0
    }

    fn sleepers(self) -> bool {
        self.0 & SLEEPERS != 0
    }

    fn set(self) -> Word {
        Word((self.0 | SET) & !SLEEPERS)
    }

    /// Of a word that is set.
    fn cleared(self) -> Word {
        Word((self.0 & !SET).wrapping_add(GENERATION))
    }

    fn with_sleepers(self) -> Word {
        Word(self.0 | SLEEPERS)
    }

    /// Whoever found `before`, without the flag, may go.
    fn releases(self, before: Word) -> bool {
        self.is_set() || self.0 / GENERATION != before.0 / GENERATION
    }
}

/// A flag that threads wait for: down at first, [`set`](Self::set) raises it and lets everybody go,
/// [`clear`](Self::clear) takes it down again.
///
/// For "it has happened": the server is up, the user wants to stop. Everybody sees it, and it stays. Where each
/// signal is for one thread use a [`Semaphore`](crate::sync::Semaphore); where threads wait until data is in some
/// state, a `Condvar`.
///
/// # In shared memory
///
/// Valid in all-zero memory, as an event that is not set. A process that is killed while it waits is not missed. If
/// it is killed within `set`, the flag is either up or not, and whoever sleeps finds out within 50 ms.
///
/// # Memory ordering
///
/// What happened before a `set` is seen by whoever finds the flag up, or was waiting for it, after that. What
/// happened before a `set` that found the flag up is seen by whoever clears it thereafter; so a consumer may wait,
/// clear, and then look for work, and misses none.
///
/// # Examples
///
/// ```
/// use gristmill::sync::Event;
///
/// let ready = Event::new();
/// std::thread::scope(|s| {
///     s.spawn(|| ready.wait());
///     s.spawn(|| ready.wait());
///     ready.set();
/// });
/// assert!(ready.is_set());
/// ```
#[doc(alias = "threading.Event")]
#[repr(transparent)]
pub struct Event<S: Scope = Private> {
    word: AtomicU32,
    scope: PhantomData<S>,
}

impl Event {
    const_fn! {
        /// An event that is not set, for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Event;
        ///
        /// static STOP: Event = Event::new();
        /// assert!(!STOP.is_set());
        /// ```
        pub fn new() -> Self {
            Self::in_scope()
        }
    }
}

impl Event<Shared> {
    const_fn! {
        /// An event that is not set, for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Event;
        ///
        /// let stop = Event::shared(); // as a field of what a segment holds
        /// stop.set();
        /// ```
        pub fn shared() -> Self {
            Self::in_scope()
        }
    }
}

impl<S: Scope> Event<S> {
    const_fn! {
        /// An event that is not set, for code that is generic over the scope. Others use [`new`](Event::new) or
        /// [`shared`](Event::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Event, Scope};
        ///
        /// fn down<S: Scope>() -> Event<S> {
        ///     Event::in_scope()
        /// }
        /// # down::<gristmill::sync::Private>();
        /// ```
        pub fn in_scope() -> Self {
            Event { word: AtomicU32::new(0), scope: PhantomData }
        }
    }

    /// Is the flag up?
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Event;
    ///
    /// let stop = Event::new();
    /// assert!(!stop.is_set());
    /// stop.set();
    /// assert!(stop.is_set());
    /// ```
    #[doc(alias = "isSet")]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.look().is_set()
    }

    #[inline]
    fn look(&self) -> Word {
        // ORDERING(event): Acquire; pairs with the exchange in `set`, also through a `clear` that came after it.
        Word(self.word.load(Ordering::Acquire))
    }

    /// Raises the flag and lets everybody go who waits. Does so too if it is up, with no effect on anybody.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Event;
    ///
    /// let up = Event::new();
    /// up.set();
    /// up.set();
    /// up.wait(); // returns at once
    /// ```
    #[inline]
    pub fn set(&self) {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        loop {
            // ORDERING(event): Release; pairs with the loads in `look` and the exchange in `clear`.
            let set = self.exchange_weak(word, word.set(), Ordering::Release);
            match set {
                Ok(()) if word.sleepers() => return self.call(),
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }

    #[cold]
    fn call(&self) {
        wake_all::<S>(&self.word);
    }

    /// Takes the flag down. Whoever waited while it was up, even for a moment, goes all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Event;
    ///
    /// let event = Event::new();
    /// std::thread::scope(|s| {
    ///     let waiter = s.spawn(|| event.wait());
    ///     while !waiter.is_finished() {
    ///         event.set();
    ///         event.clear();
    ///     }
    /// });
    /// assert!(!event.is_set());
    /// ```
    #[inline]
    pub fn clear(&self) {
        let mut word = self.look();
        while word.is_set() {
            // ORDERING(event): Acquire; pairs with the exchange in `set`.
            match self.exchange_weak(word, word.cleared(), Ordering::Acquire) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Waits until the flag is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Event;
    ///
    /// let (asked, answered) = (Event::new(), Event::new());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         asked.wait();
    ///         answered.set();
    ///     });
    ///     asked.set();
    ///     answered.wait();
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) {
        let word = self.look();
        if !word.is_set() {
            self.wait_asleep(word, None);
        }
    }

    /// Waits until the flag is up, `timeout` at most; says whether it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Event;
    ///
    /// let never = Event::new();
    /// assert!(!never.wait_timeout(Duration::from_millis(1)));
    /// ```
    #[inline]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let word = self.look();
        word.is_set() || !timeout.is_zero() && self.wait_asleep(word, futex::deadline(timeout))
    }

    /// Waits until the flag is up, until `deadline` at most; says whether it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::Event;
    ///
    /// let event = Event::new();
    /// assert!(!event.wait_deadline(Instant::now()));
    /// event.set();
    /// assert!(event.wait_deadline(Instant::now()));
    /// ```
    #[inline]
    pub fn wait_deadline(&self, deadline: Instant) -> bool {
        let word = self.look();
        word.is_set() || self.wait_asleep(word, Some(deadline))
    }

    /// Waits for the end of the generation in which the flag was down in `before`.
    #[cold]
    fn wait_asleep(&self, before: Word, deadline: Option<Instant>) -> bool {
        if spin::until(|| self.look().releases(before)) {
            return true;
        }
        loop {
            let word = self.look();
            if word.releases(before) {
                return true;
            }
            let asleep = word.with_sleepers();
            if !word.sleepers() && self.exchange_weak(word, asleep, Ordering::Relaxed).is_err() {
                continue;
            }
            if doze::<S>(&self.word, asleep.0, deadline) == Woke::Late {
                return self.look().releases(before);
            }
        }
    }

    #[inline(always)]
    fn exchange_weak(&self, old: Word, new: Word, order: Ordering) -> Result<(), Word> {
        self.word.compare_exchange_weak(old.0, new.0, order, Ordering::Relaxed).map(drop).map_err(Word)
    }
}

impl<S: Scope> Default for Event<S> {
    fn default() -> Self {
        Event::in_scope()
    }
}

impl<S: Scope> fmt::Debug for Event<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
