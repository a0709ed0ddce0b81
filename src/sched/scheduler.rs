//! The scheduler.
//!
//! The queue is a map sorted by time, priority and order of entry, under a lock that is held for one operation at a
//! time. Actions, their drops, and the clock are called without it.
//!
//! # How a waiting `run` hears of an earlier event
//!
//! A `run` that finds the first event in the future puts its bell among the sleepers, under the lock, after it has
//! looked once more what the first event is; then it lets the clock wait on the bell. Whoever enters an event that comes
//! before all others, or cancels the last one, takes the sleepers out under the same lock and rings them when it has let
//! it go. So either the sleeper sees the change when it looks, or it is among those who are rung; and a bell that is
//! rung before the wait begins ends it at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bell::{Bell, Ringer};
use super::clock::{Clock, MonotonicClock};
use super::time::Time;
use crate::prim::{Mutex, lock};

/// How far apart two times of a clock are.
type DelayOf<C> = <<C as Clock>::Time as Time>::Delay;

/// What an event does.
type Action<C> = Box<dyn FnOnce(&Scheduler<C>) + Send>;

/// Runs actions at set times, one after the other, on the thread that calls [`run`](Scheduler::run). Python's
/// `sched.scheduler`.
///
/// Events come in the order of their times; among equal times, those with the lower priority number go first, and among
/// equal priorities, those entered first. None is dropped for being late: the scheduler just runs behind.
///
/// Any thread may enter and cancel events at any time, and several may run them. Actions may do all of that too. For a
/// great many timers, or actions that should run in parallel, see [`TimerWheel`](super::TimerWheel).
///
/// # Examples
///
/// ```
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
/// use gristmill::sched::Scheduler;
///
/// let (say, said) = channel();
/// let scheduler = Scheduler::new();
/// for (delay, priority, word) in [(2, 1, "world"), (1, 1, "hello"), (2, 2, "!"), (2, 0, "brave")] {
///     let say = say.clone();
///     scheduler.enter(Duration::from_millis(delay), priority, move |_| say.send(word).unwrap());
/// }
/// scheduler.run();
/// drop((say, scheduler));
/// let said: Vec<_> = said.iter().collect();
/// assert_eq!((said[0], said.len()), ("hello", 4));
/// ```
#[doc(alias = "sched.scheduler")]
pub struct Scheduler<C: Clock = MonotonicClock> {
    clock: C,
    /// Tells its events from those of others.
    id: u64,
    state: Mutex<State<C>>,
}

struct State<C: Clock> {
    queue: BTreeMap<Event<C::Time>, Action<C>>,
    entered: u64,
    /// Those who wait for the first event's time.
    sleepers: Vec<Ringer>,
}

/// An event in a scheduler's queue, by which it can be cancelled. Python's `sched.Event`.
///
/// Events compare as they are run.
///
/// # Examples
///
/// ```
/// use gristmill::sched::{ManualClock, Scheduler};
///
/// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
/// let late = scheduler.enterabs(20, 0, |_| ());
/// let soon = scheduler.enterabs(10, 5, |_| ());
/// assert!(soon < late);
/// assert_eq!((soon.time(), soon.priority()), (10, 5));
/// assert!(soon.sequence() > late.sequence());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "sched.Event")]
pub struct Event<T> {
    time: T,
    priority: i64,
    sequence: u64,
    scheduler: u64,
}

impl<T: Copy> Event<T> {
    /// When it is due.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    pub fn time(&self) -> T {
        self.time
    }

    /// Its priority among those of the same time; lower goes first.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// How many events its scheduler was given before it.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// The event to be cancelled is not in the queue.
///
/// # Examples
///
/// ```
/// use gristmill::sched::{ManualClock, NoSuchEvent, Scheduler};
///
/// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
/// let event = scheduler.enterabs(10, 0, |_| ());
/// assert_eq!(scheduler.cancel(&event), Ok(()));
/// assert_eq!(scheduler.cancel(&event), Err(NoSuchEvent));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this event is not in the queue: it has run, was cancelled, or was entered into another scheduler")]
pub struct NoSuchEvent;

/// What there is to do.
enum Next<C: Clock> {
    Run(Action<C>),
    Wait(C::Time),
    Nothing,
}

impl Scheduler {
    /// A scheduler on the [`MonotonicClock`].
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(gristmill::sched::Scheduler::new().empty());
    /// ```
    pub fn new() -> Self {
        Scheduler::with_clock(MonotonicClock)
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler::new()
    }
}

impl<C: Clock> Scheduler<C> {
    /// A scheduler on `clock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sched::{ManualClock, Scheduler};
    ///
    /// assert!(Scheduler::with_clock(ManualClock::new(0_u64)).empty());
    /// ```
    pub fn with_clock(clock: C) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let state = State { queue: BTreeMap::new(), entered: 0, sleepers: Vec::new() };
        Scheduler { clock, id: IDS.fetch_add(1, Ordering::Relaxed), state: Mutex::new(state) }
    }

    /// Its clock.
    ///
    /// # Examples
    ///
    /// See [`ManualClock`](super::ManualClock).
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// Enters an event for the time `time`: then, or at once if that has passed, `action` is called with the scheduler.
    ///
    /// A `run` that waits on another thread wakes if this event comes first. Actions with arguments are closures that
    /// have them.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gristmill::sched::Scheduler;
    ///
    /// let scheduler = Scheduler::new();
    /// scheduler.enterabs(Instant::now() + Duration::from_millis(1), 0, |_| println!("now"));
    /// scheduler.run();
    /// ```
    #[doc(alias = "sched.scheduler.enterabs")]
    pub fn enterabs(
        &self,
        time: C::Time,
        priority: i64,
        action: impl FnOnce(&Scheduler<C>) + Send + 'static,
    ) -> Event<C::Time> {
        let action: Action<C> = Box::new(action);
        let mut state = lock(&self.state);
        let event = Event { time, priority, sequence: state.entered, scheduler: self.id };
        state.entered += 1;
        let comes_first = || state.queue.first_key_value().is_none_or(|(first, _)| event.time < first.time);
        let wakes = !state.sleepers.is_empty() && comes_first();
        state.queue.insert(event, action);
        if wakes {
            let sleepers = std::mem::take(&mut state.sleepers);
            drop(state);
            sleepers.iter().for_each(Ringer::ring);
        }
        event
    }

    /// Enters an event for `delay` from now. As [`enterabs`](Scheduler::enterabs) otherwise.
    ///
    /// # Examples
    ///
    /// An action that enters itself again:
    ///
    /// ```
    /// use gristmill::sched::{Clock, ManualClock, Scheduler};
    ///
    /// fn tick<C: Clock<Time = u64> + 'static>(scheduler: &Scheduler<C>) {
    ///     scheduler.enter(10, 0, tick);
    /// }
    ///
    /// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
    /// tick(&scheduler);
    /// scheduler.clock().advance(12);
    /// assert_eq!(scheduler.run_pending(), Some(10));
    /// ```
    #[doc(alias = "sched.scheduler.enter")]
    pub fn enter(
        &self,
        delay: DelayOf<C>,
        priority: i64,
        action: impl FnOnce(&Scheduler<C>) + Send + 'static,
    ) -> Event<C::Time> {
        self.enterabs(self.clock.now().after(delay), priority, action)
    }

    /// Takes an event out of the queue; its action is dropped.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it is not there.
    ///
    /// # Examples
    ///
    /// See [`NoSuchEvent`].
    #[doc(alias = "sched.scheduler.cancel")]
    pub fn cancel(&self, event: &Event<C::Time>) -> Result<(), NoSuchEvent> {
        let (action, sleepers) = {
            let mut state = lock(&self.state);
            let action = state.queue.remove(event).ok_or(NoSuchEvent)?;
            // With nothing left to wait for, who waits may go.
            let sleepers =
                if state.queue.is_empty() { std::mem::take(&mut state.sleepers) } else { Vec::new() };
            (action, sleepers)
        };
        sleepers.iter().for_each(Ringer::ring);
        drop(action);
        Ok(())
    }

    /// Is the queue empty?
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sched::{ManualClock, Scheduler};
    ///
    /// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
    /// scheduler.enter(1, 0, |_| ());
    /// assert!(!scheduler.empty());
    /// ```
    #[doc(alias = "sched.scheduler.empty")]
    #[doc(alias = "is_empty")]
    pub fn empty(&self) -> bool {
        lock(&self.state).queue.is_empty()
    }

    /// The events in the queue, in the order in which they will run.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sched::{ManualClock, Scheduler};
    ///
    /// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
    /// let late = scheduler.enter(2, 0, |_| ());
    /// let soon = scheduler.enter(1, 0, |_| ());
    /// assert_eq!(scheduler.queue(), [soon, late]);
    /// ```
    #[doc(alias = "sched.scheduler.queue")]
    pub fn queue(&self) -> Vec<Event<C::Time>> {
        lock(&self.state).queue.keys().copied().collect()
    }

    /// Runs events until none is left, and waits for those that are not due yet.
    ///
    /// Returns early if the last event is cancelled. Each event is out of the queue before its action begins. While it
    /// waits on a worker of a mill, another thread has the worker's place.
    ///
    /// # Panics
    ///
    /// If an action or the clock panics, so does this; the other events are still there, and can be run again.
    ///
    /// # Examples
    ///
    /// See [`Scheduler`].
    #[doc(alias = "sched.scheduler.run")]
    pub fn run(&self) {
        let end = self.drive(|_| true, |_| true);
        debug_assert!(end.is_none());
    }

    /// Runs the events that are due, and returns how long it is to the next one, or `None` if there is none.
    ///
    /// Python's `run(blocking=False)`.
    ///
    /// # Panics
    ///
    /// As [`run`](Scheduler::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sched::{ManualClock, Scheduler};
    ///
    /// let scheduler = Scheduler::with_clock(ManualClock::new(0_u64));
    /// scheduler.enter(1, 0, |_| println!("one"));
    /// scheduler.enter(5, 0, |_| println!("five"));
    /// scheduler.clock().advance(2);
    /// assert_eq!(scheduler.run_pending(), Some(3));
    /// scheduler.clock().advance(3);
    /// assert_eq!(scheduler.run_pending(), None);
    /// ```
    #[doc(alias = "sched.scheduler.run")]
    pub fn run_pending(&self) -> Option<DelayOf<C>> {
        self.drive(|_| true, |_| false)
    }

    /// Runs the events whose time is `end` or earlier, waits for those that are not due yet, and returns how long it is
    /// to the next one, or `None` if there is none.
    ///
    /// # Panics
    ///
    /// As [`run`](Scheduler::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gristmill::sched::Scheduler;
    ///
    /// let scheduler = Scheduler::new();
    /// scheduler.enter(Duration::from_millis(1), 0, |_| println!("soon"));
    /// scheduler.enter(Duration::from_secs(3_600), 0, |_| println!("in an hour"));
    /// let left = scheduler.run_until(Instant::now() + Duration::from_secs(10));
    /// assert!(left > Some(Duration::from_secs(3_000)));
    /// ```
    pub fn run_until(&self, end: C::Time) -> Option<DelayOf<C>> {
        self.drive(|time| time <= end, |_| true)
    }

    /// Runs what is due, as long as `runs` says so of its time; waits for the next event's time if `waits` says so of it.
    fn drive(&self, runs: impl Fn(C::Time) -> bool, waits: impl Fn(C::Time) -> bool) -> Option<DelayOf<C>> {
        let mut bell = None;
        let mut now = self.clock.now();
        loop {
            let next = match self.next(|time| time <= now && runs(time)) {
                Next::Nothing => return None,
                Next::Run(action) => {
                    action(self);
                    self.clock.after_event();
                    continue;
                }
                Next::Wait(next) => next,
            };
            // The clock is read only when nothing is due by what it read last.
            now = self.clock.now();
            if !runs(next) {
                return Some(next.since(now));
            }
            if now >= next {
                continue;
            }
            if !waits(next) {
                return Some(next.since(now));
            }
            self.sleep(next, bell.get_or_insert_with(Bell::new));
            now = self.clock.now();
        }
    }

    fn next(&self, is_due: impl Fn(C::Time) -> bool) -> Next<C> {
        let mut state = lock(&self.state);
        match state.queue.first_entry() {
            None => Next::Nothing,
            Some(first) if is_due(first.key().time) => Next::Run(first.remove()),
            Some(first) => Next::Wait(first.key().time),
        }
    }

    /// Waits until `next`, if that is still when the first event is due, or until that changes.
    fn sleep(&self, next: C::Time, bell: &Bell) {
        struct Up<'a, C: Clock>(&'a Scheduler<C>, &'a Bell);
        impl<C: Clock> Drop for Up<'_, C> {
            fn drop(&mut self) {
                lock(&self.0.state).sleepers.retain(|sleeper| !sleeper.is_of(self.1));
            }
        }
        {
            let mut state = lock(&self.state);
            if state.queue.first_key_value().is_none_or(|(first, _)| first.time < next) {
                return;
            }
            bell.silence();
            state.sleepers.push(bell.ringer());
        }
        let _up = Up(self, bell);
        self.clock.wait(next, bell);
    }
}

impl<C: Clock> fmt::Debug for Scheduler<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, next) = {
            let state = lock(&self.state);
            (state.queue.len(), state.queue.first_key_value().map(|(event, _)| event.time))
        };
        f.debug_struct("Scheduler").field("len", &len).field("next", &next).finish_non_exhaustive()
    }
}
