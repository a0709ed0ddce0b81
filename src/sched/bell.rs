//! What a thread sleeps on while it waits for a time to come, and how others wake it.
//!
//! A bell has been rung or not, in a word that both sides share. Who rings sets the word, then leaves the sleeper the
//! token of its parker. The sleeper goes back to sleep until the word is set or the time is up: the token alone may be
//! one that was left for something else.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicBool, Ordering};
use crate::sync::help::asleep;
use crate::sync::parker::{Parker, Unparker};

/// Where a waiting [`run`](super::Scheduler::run) sleeps; it is rung when there may be something to do earlier.
///
/// A [`Clock`](super::Clock) that waits on it makes a scheduler wake up for events that other threads enter.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use gristmill::sched::{Bell, Clock, Scheduler};
///
/// /// A clock whose hours last a millisecond.
/// struct Hours(Instant);
///
/// impl Clock for Hours {
///     type Time = u64;
///
///     fn now(&self) -> u64 {
///         self.0.elapsed().as_millis() as u64
///     }
///
///     fn wait(&self, until: u64, bell: &Bell) {
///         bell.wait_deadline(self.0 + Duration::from_millis(until));
///     }
/// }
///
/// let scheduler = Scheduler::with_clock(Hours(Instant::now()));
/// scheduler.enter(2, 0, |_| println!("two hours later"));
/// scheduler.run();
/// ```
#[derive(Debug)]
pub struct Bell {
    rope: Arc<Rope>,
    /// Only the thread that it was made on may wait.
    stays: PhantomData<*const ()>,
}

#[derive(Debug)]
struct Rope {
    rung: AtomicBool,
    sleeper: Unparker,
}

/// Rings a [`Bell`], from any thread.
///
/// # Examples
///
/// See [`Bell::ringer`].
#[derive(Debug, Clone)]
pub struct Ringer(Arc<Rope>);

impl Bell {
    /// One for the calling thread.
    pub(super) fn new() -> Self {
        let rope = Rope { rung: AtomicBool::new(false), sleeper: Parker::current() };
        Bell { rope: Arc::new(rope), stays: PhantomData }
    }

    /// Makes it as if it had never been rung. Whoever may ring must hear of the sleeper later than this.
    pub(super) fn silence(&self) {
        self.rope.rung.store(false, Ordering::Relaxed);
    }

    /// Has it been rung?
    ///
    /// # Memory ordering
    ///
    /// What happened before the bell was rung is seen once this returns `true`, or a wait returns because of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sched::Bell;
    ///
    /// /// A wait that rather burns the processor than come late.
    /// fn spin(bell: &Bell, is_time: impl Fn() -> bool) {
    ///     while !is_time() && !bell.is_rung() {
    ///         std::hint::spin_loop();
    ///     }
    /// }
    /// ```
    pub fn is_rung(&self) -> bool {
        // ORDERING(bell): Acquire; pairs with the store in `ring`.
        self.rope.rung.load(Ordering::Acquire)
    }

    /// Sleeps until the bell is rung.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sched::{Bell, Clock};
    ///
    /// /// A clock that stands still: nothing happens but what is due at once.
    /// struct Stopped;
    ///
    /// impl Clock for Stopped {
    ///     type Time = u64;
    ///
    ///     fn now(&self) -> u64 {
    ///         0
    ///     }
    ///
    ///     fn wait(&self, _: u64, bell: &Bell) {
    ///         bell.wait();
    ///     }
    /// }
    /// ```
    pub fn wait(&self) {
        while !self.is_rung() {
            asleep(|| self.rope.sleeper.park());
        }
    }

    /// Sleeps until the bell is rung or `timeout` is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sched::Bell;
    ///
    /// fn nap(bell: &Bell) {
    ///     bell.wait_timeout(Duration::from_millis(10));
    /// }
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.wait_deadline(deadline),
            None => self.wait(),
        }
    }

    /// Sleeps until the bell is rung or `deadline` has come.
    ///
    /// # Examples
    ///
    /// See [`Bell`].
    pub fn wait_deadline(&self, deadline: Instant) {
        while !self.is_rung() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            asleep(|| self.rope.sleeper.park_timeout(left));
        }
    }

    /// What rings this bell. It may be kept; rung too late, it wakes the thread for nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use gristmill::sched::{Bell, Clock, Ringer};
    ///
    /// /// A clock that goes when it is told to.
    /// #[derive(Default)]
    /// struct Told(Mutex<(u64, Vec<Ringer>)>);
    ///
    /// impl Told {
    ///     fn tick(&self) {
    ///         let mut state = self.0.lock().unwrap();
    ///         state.0 += 1;
    ///         state.1.drain(..).for_each(|ringer| ringer.ring());
    ///     }
    /// }
    ///
    /// impl Clock for Told {
    ///     type Time = u64;
    ///
    ///     fn now(&self) -> u64 {
    ///         self.0.lock().unwrap().0
    ///     }
    ///
    ///     fn wait(&self, until: u64, bell: &Bell) {
    ///         let mut state = self.0.lock().unwrap();
    ///         if state.0 < until {
    ///             state.1.push(bell.ringer());
    ///             drop(state);
    ///             bell.wait();
    ///         }
    ///     }
    /// }
    /// ```
    pub fn ringer(&self) -> Ringer {
        Ringer(Arc::clone(&self.rope))
    }
}

impl Ringer {
    /// Rings the bell: whoever sleeps on it wakes up.
    ///
    /// # Memory ordering
    ///
    /// What happened before is seen by the thread that wakes; see [`Bell::is_rung`].
    ///
    /// # Examples
    ///
    /// See [`Bell::ringer`].
    pub fn ring(&self) {
        // ORDERING(bell): Release; pairs with the load in `is_rung`.
        self.0.rung.store(true, Ordering::Release);
        self.0.sleeper.unpark();
    }

    /// Does it ring this bell?
    pub(super) fn is_of(&self, bell: &Bell) -> bool {
        Arc::ptr_eq(&self.0, &bell.rope)
    }
}
