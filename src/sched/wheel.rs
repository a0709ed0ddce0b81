//! Timers by the million, on a timing wheel.
//!
//! The wheel is under one lock, which is held for one insertion or cancellation, or for a batch of timers that are due.
//! Jobs are handed over, and dropped, without it.
//!
//! A thread that drives the wheel sleeps on a bell. Before it does, it notes under the lock until which tick; whoever
//! inserts an earlier timer rings. As with the scheduler, either the sleeper sees the timer before it sleeps, or who
//! inserts it sees the sleeper.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use super::bell::{Bell, Ringer};
use super::cells::Key;
use super::slots::{Expired, Slots};
use crate::prim::{Builder, JoinHandle, Mutex, lock};
use crate::sys::fork;
use crate::unwind::{Payload, drop_quietly, halt, resume};

/// What a timer runs.
pub type Job = Box<dyn FnOnce() + Send + 'static>;

/// How many jobs are taken out of the wheel at a time.
const BATCH: usize = 128;

/// The resolution unless told otherwise.
const RESOLUTION: Duration = Duration::from_millis(1);

/// Where a [`TimerWheel`] runs its jobs: a mill, another pool, or the calling thread.
///
/// Every `Fn(Job)` is one, so `|job: Job| mill.spawn(job)` will do.
///
/// # Examples
///
/// ```
/// use gristmill::sched::{Job, Spawn};
///
/// /// Runs jobs on the thread that drives the wheel: only for jobs that are short.
/// struct Here;
///
/// impl Spawn for Here {
///     fn spawn(&self, job: Job) {
///         job();
///     }
/// }
/// ```
pub trait Spawn: Send + Sync {
    /// Has `job` run, soon. It should not block: the next timers wait for it.
    fn spawn(&self, job: Job);
}

impl<F: Fn(Job) + Send + Sync> Spawn for F {
    fn spawn(&self, job: Job) {
        self(job);
    }
}

/// Runs jobs at set times, for a great many of them.
///
/// To set a timer, to cancel it, and to let it run, costs a fraction of a microsecond each, however many there are. Use
/// it for timeouts, most of which are cancelled, and for jobs that should run in parallel: they are handed to a
/// [`Spawn`]. For events that run one after the other, with priorities or on a clock of your own, there is the
/// [`Scheduler`](super::Scheduler).
///
/// A timer never runs early. How late it runs is a matter of the wheel's *resolution*, to which deadlines are rounded up
/// (1 ms unless told otherwise), and of when the wheel is driven: by a thread of its own ([`start`](TimerWheel::start)),
/// by one of yours ([`run`](TimerWheel::run)), or by calls of [`advance`](TimerWheel::advance). Jobs are handed over in
/// the order of their rounded deadlines, those of one deadline in the order in which they were entered. What is over when
/// it is entered, or was before the wheel began, counts as due at that moment.
///
/// Memory is kept for as many timers as there ever were at a time, 40 bytes each, besides what the jobs own.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
/// use gristmill::sched::{Job, TimerWheel};
///
/// let timers = TimerWheel::new(|job: Job| gristmill::spawn(job)).start()?;
/// let (send, receive) = channel();
/// for n in [30, 10, 20] {
///     let send = send.clone();
///     timers.enter_after(Duration::from_millis(n), move || send.send(n).unwrap())?;
/// }
/// let timeout = timers.enter_after(Duration::from_secs(60), || println!("this takes long"))?;
/// assert_eq!(receive.iter().take(3).sum::<u64>(), 60);
/// timers.cancel(timeout)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TimerWheel<S: Spawn> {
    spawn: S,
    /// When tick 0 was.
    origin: Instant,
    /// In nanoseconds.
    resolution: u64,
    /// Tells its timers from those of others.
    id: u64,
    state: Mutex<State>,
}

struct State {
    timers: Slots<Job>,
    is_shut: bool,
    /// Those who drive the wheel and sleep, and until which tick.
    sleepers: Vec<Ringer>,
    asleep_until: u64,
}

/// Names a timer of a [`TimerWheel`]; good for that one timer only, also when it is long over.
///
/// # Examples
///
/// See [`TimerWheel::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerId {
    key: Key,
    wheel: u64,
}

/// The timer to be cancelled is not waiting.
///
/// # Examples
///
/// See [`TimerWheel::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this timer is not waiting: its job was handed over, it was cancelled, or it is of another wheel")]
pub struct NoSuchTimer;

/// The wheel was shut down and takes no more timers.
///
/// # Examples
///
/// See [`TimerWheel::shutdown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this timer wheel was shut down; enter timers before that, or into another one")]
pub struct WheelClosed;

impl<S: Spawn> TimerWheel<S> {
    /// A wheel with a resolution of a millisecond that hands its jobs to `spawn`. Nothing drives it yet.
    ///
    /// # Examples
    ///
    /// See [`TimerWheel`].
    pub fn new(spawn: S) -> Self {
        TimerWheel::with_resolution(spawn, RESOLUTION)
    }

    /// A wheel whose deadlines are rounded up to multiples of `resolution`.
    ///
    /// A coarse one wakes less often; with a fine one (100 us, say) jobs come as early as the kernel's timers allow,
    /// which is some 50 us late.
    ///
    /// # Panics
    ///
    /// If `resolution` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sched::{Job, TimerWheel};
    ///
    /// let timers = TimerWheel::with_resolution(|job: Job| job(), Duration::from_micros(100));
    /// assert_eq!(timers.resolution(), Duration::from_micros(100));
    /// ```
    pub fn with_resolution(spawn: S, resolution: Duration) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let resolution = nanoseconds(resolution);
        assert!(resolution > 0, "a timer wheel needs a resolution above zero; 1 ms is a good one");
        let state =
            State { timers: Slots::new(), is_shut: false, sleepers: Vec::new(), asleep_until: u64::MAX };
        TimerWheel {
            spawn,
            origin: Instant::now(),
            resolution,
            id: IDS.fetch_add(1, Ordering::Relaxed),
            state: Mutex::new(state),
        }
    }

    /// To multiples of what deadlines are rounded up.
    ///
    /// # Examples
    ///
    /// See [`with_resolution`](TimerWheel::with_resolution).
    pub fn resolution(&self) -> Duration {
        Duration::from_nanos(self.resolution)
    }

    /// The first tick that is not before `deadline`.
    fn tick_not_before(&self, deadline: Instant) -> u64 {
        nanoseconds(deadline.saturating_duration_since(self.origin)).div_ceil(self.resolution)
    }

    /// The last tick that is over at `now`.
    fn tick_at(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.origin)) / self.resolution
    }

    /// When a tick is; `None` if that is further off than anybody waits.
    fn instant(&self, tick: u64) -> Option<Instant> {
        self.origin.checked_add(Duration::from_nanos(tick.checked_mul(self.resolution)?))
    }

    /// Has `job` run at `deadline`, or at once if that is over.
    ///
    /// # Errors
    ///
    /// [`WheelClosed`] after a [`shutdown`](TimerWheel::shutdown); the job is dropped.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 timers already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::{Duration, Instant};
    /// use gristmill::sched::{Job, TimerWheel};
    ///
    /// let (send, receive) = channel();
    /// let timers = TimerWheel::new(|job: Job| job());
    /// let noon = Instant::now() + Duration::from_secs(3_600);
    /// timers.enter_at(noon, move || send.send("noon").unwrap())?;
    /// timers.advance(noon - Duration::from_millis(1));
    /// assert!(receive.try_recv().is_err());
    /// timers.advance(noon + timers.resolution());
    /// assert_eq!(receive.try_recv(), Ok("noon"));
    /// # Ok::<(), gristmill::sched::WheelClosed>(())
    /// ```
    pub fn enter_at(
        &self,
        deadline: Instant,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<TimerId, WheelClosed> {
        self.enter(self.tick_not_before(deadline), Box::new(job))
    }

    /// Has `job` run when `delay` is over. A delay that is too long for the system's clock means never.
    ///
    /// # Errors
    ///
    /// As [`enter_at`](TimerWheel::enter_at).
    ///
    /// # Panics
    ///
    /// As [`enter_at`](TimerWheel::enter_at).
    ///
    /// # Examples
    ///
    /// See [`TimerWheel`].
    pub fn enter_after(
        &self,
        delay: Duration,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<TimerId, WheelClosed> {
        let tick = Instant::now().checked_add(delay).map_or(u64::MAX, |at| self.tick_not_before(at));
        self.enter(tick, Box::new(job))
    }

    fn enter(&self, tick: u64, job: Job) -> Result<TimerId, WheelClosed> {
        let mut state = lock(&self.state);
        if state.is_shut {
            drop(state); // before the job
            return Err(WheelClosed);
        }
        let key = state.timers.insert(tick, job);
        if tick < state.asleep_until {
            let sleepers = state.wake();
            drop(state);
            sleepers.iter().for_each(Ringer::ring);
        }
        Ok(TimerId { key, wheel: self.id })
    }

    /// Takes a timer out; its job is dropped.
    ///
    /// # Errors
    ///
    /// [`NoSuchTimer`] if it is not waiting any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sched::{Job, NoSuchTimer, TimerWheel};
    ///
    /// let timers = TimerWheel::new(|job: Job| job());
    /// let timeout = timers.enter_after(Duration::from_secs(60), || println!("this takes long"))?;
    /// assert_eq!(timers.cancel(timeout), Ok(()));
    /// assert_eq!(timers.cancel(timeout), Err(NoSuchTimer));
    /// # Ok::<(), gristmill::sched::WheelClosed>(())
    /// ```
    pub fn cancel(&self, timer: TimerId) -> Result<(), NoSuchTimer> {
        if timer.wheel != self.id {
            return Err(NoSuchTimer);
        }
        let job = lock(&self.state).timers.cancel(timer.key);
        job.map(drop).ok_or(NoSuchTimer)
    }

    /// How many timers are waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sched::{Job, TimerWheel};
    ///
    /// let timers = TimerWheel::new(|job: Job| job());
    /// timers.enter_after(Duration::from_secs(60), || ())?;
    /// assert_eq!(timers.len(), 1);
    /// # Ok::<(), gristmill::sched::WheelClosed>(())
    /// ```
    pub fn len(&self) -> usize {
        lock(&self.state).timers.len()
    }

    /// Is no timer waiting?
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(gristmill::sched::TimerWheel::new(|job: gristmill::sched::Job| job()).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over the jobs that are due at `now`, and returns when to call it again: not later than the next timer, and
    /// maybe earlier. `None` if there is nothing to come.
    ///
    /// For event loops that have their own wait, and for tests: `now` may be any time. The wheel's own time does not go
    /// back. Nothing wakes the caller when an earlier timer is entered; [`run`](TimerWheel::run) sees to that.
    ///
    /// # Panics
    ///
    /// If `spawn` panics, be it because it runs the job at once, the other jobs are handed over all the same, and then
    /// the first panic goes on.
    ///
    /// # Examples
    ///
    /// See [`enter_at`](TimerWheel::enter_at).
    pub fn advance(&self, now: Instant) -> Option<Instant> {
        let mut first = None;
        self.hand_over(self.tick_at(now), |payload| match first {
            None => first = Some(payload),
            Some(_) => drop_quietly(payload),
        });
        if let Some(payload) = first {
            resume(payload);
        }
        let next = lock(&self.state).timers.next();
        next.and_then(|tick| self.instant(tick))
    }

    /// Hands over all that is due at `tick`, and the panics of doing so to `panicked`.
    fn hand_over(&self, tick: u64, mut panicked: impl FnMut(Payload)) {
        let mut batch = Vec::new();
        loop {
            let expired = lock(&self.state).timers.expire(tick, BATCH, &mut |job| batch.push(job));
            for job in batch.drain(..) {
                if let Err(payload) = halt(|| self.spawn.spawn(job)) {
                    panicked(payload);
                }
            }
            if expired == Expired::All {
                return;
            }
        }
    }

    /// Drives the wheel on the calling thread until it is [shut down](TimerWheel::shutdown).
    ///
    /// It sleeps until the next timer is due, or an earlier one is entered. A job that panics (where `spawn` runs it at
    /// once) has been reported by the panic hook, and the wheel goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sched::{Job, TimerWheel};
    ///
    /// let timers = TimerWheel::new(|job: Job| job());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| timers.run());
    ///     let (send, receive) = std::sync::mpsc::channel();
    ///     timers.enter_after(Duration::from_millis(1), move || send.send(()).unwrap())?;
    ///     receive.recv().unwrap();
    ///     timers.shutdown();
    ///     Ok::<(), gristmill::sched::WheelClosed>(())
    /// })?;
    /// # Ok::<(), gristmill::sched::WheelClosed>(())
    /// ```
    pub fn run(&self) {
        self.drive(Instant::now, |bell, deadline| match deadline {
            Some(deadline) => bell.wait_deadline(deadline),
            None => bell.wait(),
        });
    }

    /// [`run`](TimerWheel::run), by a clock and a wait of the caller's.
    pub(super) fn drive(&self, now: impl Fn() -> Instant, wait: impl Fn(&Bell, Option<Instant>)) {
        let bell = Bell::new();
        loop {
            self.hand_over(self.tick_at(now()), drop_quietly);
            let until = {
                let mut state = lock(&self.state);
                if state.is_shut {
                    return;
                }
                let next = state.timers.next();
                if next.is_some_and(|next| next <= self.tick_at(now())) {
                    continue;
                }
                bell.silence();
                state.asleep_until = next.unwrap_or(u64::MAX);
                state.sleepers.push(bell.ringer());
                state.asleep_until
            };
            wait(&bell, self.instant(until));
            lock(&self.state).sleepers.retain(|sleeper| !sleeper.is_of(&bell));
        }
    }

    /// Takes no more timers, drops the jobs that are waiting, and has [`run`](TimerWheel::run) return.
    ///
    /// Jobs that have been handed over are not its concern. Returns how many were waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sched::{Job, TimerWheel, WheelClosed};
    ///
    /// let timers = TimerWheel::new(|job: Job| job());
    /// timers.enter_after(Duration::from_secs(60), || println!("never"))?;
    /// assert_eq!(timers.shutdown(), 1);
    /// assert_eq!(timers.enter_after(Duration::from_secs(60), || ()), Err(WheelClosed));
    /// # Ok::<(), WheelClosed>(())
    /// ```
    pub fn shutdown(&self) -> usize {
        let (timers, sleepers) = {
            let mut state = lock(&self.state);
            state.is_shut = true;
            (std::mem::replace(&mut state.timers, Slots::new()), state.wake())
        };
        sleepers.iter().for_each(Ringer::ring);
        let waiting = timers.len();
        timers.into_values().for_each(drop_quietly);
        waiting
    }

    /// Drives the wheel on a thread of its own, for as long as what this returns lives.
    ///
    /// # Errors
    ///
    /// If the system starts no more threads.
    ///
    /// # Examples
    ///
    /// See [`TimerWheel`].
    pub fn start(self) -> std::io::Result<TimerThread<S>>
    where
        S: 'static,
    {
        fork::count();
        let (wheel, id) = (Arc::new(self), Arc::new(OnceLock::new()));
        let (driven, own_id) = (Arc::clone(&wheel), Arc::clone(&id));
        let thread = Builder::new().name("gristmill-timers".to_owned()).spawn(move || {
            own_id.get_or_init(|| std::thread::current().id());
            driven.run();
        })?;
        Ok(TimerThread { wheel, id, thread: Some(thread), generation: fork::generation() })
    }
}

/// Drops the jobs that are waiting; should one panic as it is dropped, that goes no further.
impl<S: Spawn> Drop for TimerWheel<S> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl State {
    /// Takes the sleepers out, to be rung without the lock.
    #[cold]
    fn wake(&mut self) -> Vec<Ringer> {
        self.asleep_until = 0; // nobody sleeps: nobody is to be woken
        std::mem::take(&mut self.sleepers)
    }
}

impl<S: Spawn> fmt::Debug for TimerWheel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("len", &self.len())
            .field("resolution", &self.resolution())
            .finish_non_exhaustive()
    }
}

/// A [`TimerWheel`] with a thread that drives it; from [`TimerWheel::start`].
///
/// When this is dropped, the wheel is shut down, and the thread has ended (unless it is that very thread which drops it:
/// then it ends soon). In a forked child, which has no such thread, nothing happens, and jobs that wait are not dropped.
///
/// # Examples
///
/// See [`TimerWheel`].
#[derive(Debug)]
pub struct TimerThread<S: Spawn> {
    wheel: Arc<TimerWheel<S>>,
    /// Set by the thread before it does anything.
    id: Arc<OnceLock<ThreadId>>,
    thread: Option<JoinHandle<()>>,
    /// Counted by forks: the process that the thread is in.
    generation: u32,
}

impl<S: Spawn> std::ops::Deref for TimerThread<S> {
    type Target = TimerWheel<S>;

    fn deref(&self) -> &TimerWheel<S> {
        &self.wheel
    }
}

impl<S: Spawn> Drop for TimerThread<S> {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            // The thread is not in this process, and may have had the lock; its share of the wheel stays for good.
            return std::mem::forget(self.thread.take());
        }
        self.wheel.shutdown();
        if let Some(thread) = self.thread.take() {
            if self.id.get() != Some(&std::thread::current().id()) {
                // A panic of the thread would be one of `run`, which catches those of jobs.
                let _ = crate::sync::help::asleep(|| thread.join());
            }
        }
    }
}

/// A duration in nanoseconds; one of more than 584 years is as long as the longest.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
