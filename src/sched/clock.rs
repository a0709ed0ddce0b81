//! Clocks: what time it is, and how to wait for another.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::bell::{Bell, Ringer};
use super::time::Time;
use crate::prim::{Mutex, lock};

/// What a [`Scheduler`](super::Scheduler) knows of time. Python's `timefunc` and `delayfunc`.
///
/// The scheduler holds no lock while it calls a clock.
///
/// # Examples
///
/// See [`Bell`] for one in other units, and [`FnClock`] for one made of two functions.
pub trait Clock: Send + Sync {
    /// What it reads.
    type Time: Time;

    /// The time now. It should not go backwards.
    #[doc(alias = "timefunc")]
    fn now(&self) -> Self::Time;

    /// Waits until `until`, or until `bell` is rung. It may return early for no reason: the scheduler looks again.
    ///
    /// A clock that does not listen to the bell notices earlier events late.
    #[doc(alias = "delayfunc")]
    fn wait(&self, until: Self::Time, bell: &Bell);

    /// Called after each event: a place to let others run. Does nothing unless told otherwise.
    fn after_event(&self) {}
}

/// A shared clock.
impl<C: Clock + ?Sized> Clock for Arc<C> {
    type Time = C::Time;

    fn now(&self) -> C::Time {
        (**self).now()
    }

    fn wait(&self, until: C::Time, bell: &Bell) {
        (**self).wait(until, bell);
    }

    fn after_event(&self) {
        (**self).after_event();
    }
}

/// The system's monotonic clock, in [`Instant`]s; a scheduler's clock unless told otherwise.
///
/// Python's `time.monotonic` and `time.sleep`, except that a waiting `run` wakes when an earlier event is entered.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::sched::{MonotonicClock, Scheduler};
///
/// let scheduler = Scheduler::with_clock(MonotonicClock); // or Scheduler::new()
/// scheduler.enter(Duration::from_millis(1), 0, |_| println!("a moment later"));
/// scheduler.run();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    type Time = Instant;

    #[inline]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, until: Instant, bell: &Bell) {
        bell.wait_deadline(until);
    }
}

/// A clock of two functions: one reads the time, the other waits for so long.
///
/// The second is also called with no delay after each event, and may return early. As in Python it cannot be woken, so
/// an event that another thread enters meanwhile is noticed when it returns.
///
/// # Examples
///
/// A simulation, in which waiting makes the time go on:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use gristmill::sched::{FnClock, Scheduler};
///
/// static NOW: AtomicU64 = AtomicU64::new(0);
/// let clock = FnClock::new(|| NOW.load(Ordering::Relaxed), |delay| drop(NOW.fetch_add(delay, Ordering::Relaxed)));
/// let year = Scheduler::with_clock(clock);
/// year.enterabs(31, 0, |_| println!("February"));
/// year.enterabs(59, 0, |_| println!("March"));
/// year.run();
/// assert_eq!(NOW.load(Ordering::Relaxed), 59);
/// ```
pub struct FnClock<N, D> {
    time: N,
    delay: D,
}

impl<T: Time, N: Fn() -> T + Send + Sync, D: Fn(T::Delay) + Send + Sync> FnClock<N, D> {
    /// A clock that reads `time` and waits by `delay`.
    ///
    /// # Examples
    ///
    /// See [`FnClock`].
    pub fn new(time: N, delay: D) -> Self {
        FnClock { time, delay }
    }
}

impl<T: Time, N: Fn() -> T + Send + Sync, D: Fn(T::Delay) + Send + Sync> Clock for FnClock<N, D> {
    type Time = T;

    fn now(&self) -> T {
        (self.time)()
    }

    fn wait(&self, until: T, _: &Bell) {
        (self.delay)(until.since((self.time)()));
    }

    fn after_event(&self) {
        (self.delay)(T::ZERO);
    }
}

impl<N, D> fmt::Debug for FnClock<N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnClock")
    }
}

/// A clock that goes when it is told to: for tests, and to follow another clock.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use gristmill::sched::{ManualClock, Scheduler};
///
/// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
/// scheduler.enter(10, 0, |scheduler| assert_eq!(scheduler.clock().now(), 12));
/// thread::scope(|s| {
///     s.spawn(|| scheduler.run()); // waits for the clock
///     scheduler.clock().advance(9);
///     scheduler.clock().advance(3);
/// });
/// assert!(scheduler.empty());
/// ```
#[derive(Debug)]
pub struct ManualClock<T: Time> {
    state: Mutex<Dial<T>>,
}

#[derive(Debug)]
struct Dial<T> {
    now: T,
    /// Those who wait for a time to come.
    waiting: Vec<Ringer>,
}

impl<T: Time> ManualClock<T> {
    /// A clock that stands at `now`.
    ///
    /// # Examples
    ///
    /// See [`ManualClock`].
    pub fn new(now: T) -> Self {
        ManualClock { state: Mutex::new(Dial { now, waiting: Vec::new() }) }
    }

    /// What it reads.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::sched::ManualClock::new(5_u64).now(), 5);
    /// ```
    pub fn now(&self) -> T {
        lock(&self.state).now
    }

    /// Turns it on by `delay`; whoever waits for a time looks again.
    ///
    /// # Examples
    ///
    /// ```
    /// let clock = gristmill::sched::ManualClock::new(5_u64);
    /// clock.advance(3);
    /// assert_eq!(clock.now(), 8);
    /// ```
    pub fn advance(&self, delay: T::Delay) {
        self.turn(|now| now.after(delay));
    }

    /// Sets it to `now`; whoever waits for a time looks again.
    ///
    /// # Examples
    ///
    /// ```
    /// let clock = gristmill::sched::ManualClock::new(5_u64);
    /// clock.set(7);
    /// assert_eq!(clock.now(), 7);
    /// ```
    pub fn set(&self, now: T) {
        self.turn(|_| now);
    }

    fn turn(&self, to: impl FnOnce(T) -> T) {
        let waiting = {
            let mut dial = lock(&self.state);
            dial.now = to(dial.now);
            std::mem::take(&mut dial.waiting)
        };
        waiting.iter().for_each(Ringer::ring);
    }
}

impl<T: Time> Clock for ManualClock<T> {
    type Time = T;

    fn now(&self) -> T {
        ManualClock::now(self)
    }

    fn wait(&self, until: T, bell: &Bell) {
        {
            let mut dial = lock(&self.state);
            if dial.now >= until {
                return;
            }
            dial.waiting.push(bell.ringer());
        }
        bell.wait();
        lock(&self.state).waiting.retain(|ringer| !ringer.is_of(bell));
    }
}
