//! Functions that run some time from now.
//!
//! What becomes of a timer is settled once, by whoever is first: its time makes it run, or somebody cancels it. While
//! it waits it is an entry of the [clock], and a thread only once its time has come. A timer that is no
//! daemon takes a share of what the end of the process waits for, from its start until then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::{fork, futex};
use crate::thread::done::Done;
use crate::thread::{JoinError, StartError, get_ident, hold};
use crate::threading::builder::ThreadBuilder;
use crate::threading::clock::{self, Ring};
use crate::threading::inherit::Inherited;
use crate::threading::object::Thread;
use crate::unwind::{drop_quietly, halt};

const OPEN: u8 = 0;
const RUNS: u8 = 1;
const CANCELLED: u8 = 2;

struct Inner {
    interval: Duration,
    /// Runs the function, and sets `finished`.
    thread: Thread,
    is_dedicated: bool,
    started: AtomicBool,
    /// Counted by forks: the process that it was started in.
    generation: AtomicU32,
    /// A share of `hold` is to be given back.
    held: AtomicBool,
    /// The number of the clock's thread while that runs the function itself, else 0.
    on_clock: AtomicU64,
    fate: Arc<Fate>,
}

/// What the thread knows of the timer.
struct Fate {
    settled: AtomicU8,
    finished: Done,
}

impl Fate {
    /// Settles it; false if it was settled.
    fn settle(&self, fate: u8) -> bool {
        self.settled.compare_exchange(OPEN, fate, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    fn is(&self, fate: u8) -> bool {
        self.settled.load(Ordering::SeqCst) == fate
    }
}

/// The timer is over when this is dropped: with its function, whether that has run, or its thread could not be set up.
struct Over(Arc<Fate>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.finished.set();
    }
}

/// A function that runs once, some time after the timer was started, on a thread of its own, unless the timer is
/// cancelled before.
///
/// Clones are handles of the same timer. Dropping them all cancels nothing; see
/// [`cancel_on_drop`](Self::cancel_on_drop).
///
/// In Python a timer is a thread that sleeps first. Here one thread sleeps for all timers, and a timer has a thread
/// ([`current_thread`](super::current_thread) in it, with the timer's name) while its function runs; a
/// [dedicated](TimerBuilder::dedicated) one is as in Python. `finished` is [`wait_finished`](Self::wait_finished).
///
/// In either case the function runs on the CPUs and with the niceness of the thread that started the timer, as they were
/// at that moment, and in a copy of its [context](crate::contextvars), unless the [builder](TimerBuilder::thread) says
/// otherwise. (CPUs that are not there any more are not insisted on.) Only if the system has no thread to give does the one
/// that sleeps for all timers run the function itself; other timers are late then, so it had better not wait for one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::threading::Timer;
///
/// let timer = Timer::after(Duration::from_millis(2), || println!("two milliseconds later"))?;
/// timer.join()?;
///
/// let timer = Timer::after(Duration::from_secs(3600), || unreachable!())?;
/// assert!(timer.cancel());
/// timer.join()?;
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[derive(Clone)]
#[doc(alias("threading.Timer"))]
pub struct Timer(Arc<Inner>);

/// How a timer is to be; made by [`Timer::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::threading::{Timer, current_thread};
///
/// let timer = Timer::builder(Duration::from_millis(1))
///     .name("bell")
///     .daemon(true) // the end of the process does not wait for it
///     .build(|| assert_eq!(&*current_thread().name(), "bell"));
/// timer.start()?;
/// timer.join()?;
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "build it"]
pub struct TimerBuilder {
    interval: Duration,
    thread: ThreadBuilder,
    is_dedicated: bool,
}

impl TimerBuilder {
    /// The name of the thread that the function runs on; `Thread-N` by default.
    ///
    /// # Examples
    ///
    /// See [`TimerBuilder`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.thread = self.thread.name(name);
        self
    }

    /// Whether the end of the process forgets it, rather than wait until it has run; as the thread that builds it is
    /// by default.
    ///
    /// # Examples
    ///
    /// See [`TimerBuilder`].
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.thread = self.thread.daemon(daemon);
        self
    }

    /// How the thread is to be that the function runs on. If it cannot be set up so (its CPUs, its niceness), the function
    /// does not run, and the timer is finished.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::{Thread, Timer};
    ///
    /// let wide = Thread::builder().stack_size(16 << 20)?;
    /// let timer = Timer::builder(Duration::from_millis(1)).thread(wide).build(|| ());
    /// # Ok::<(), gristmill::thread::StackSizeError>(())
    /// ```
    pub fn thread(mut self, thread: ThreadBuilder) -> Self {
        self.thread = thread;
        self
    }

    /// Whether it has a thread of its own from its start, which sleeps until the time has come. For functions that
    /// must not have to wait for the system to give them a thread then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::{Timer, active_count};
    ///
    /// let timer = Timer::builder(Duration::MAX).dedicated(true).build(|| ());
    /// timer.start()?;
    /// assert_eq!(active_count(), 2);
    /// timer.cancel();
    /// timer.join()?;
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    pub fn dedicated(mut self, dedicated: bool) -> Self {
        self.is_dedicated = dedicated;
        self
    }

    /// A timer that will run `function` when the interval is over that begins with its [start](Timer::start).
    ///
    /// # Examples
    ///
    /// See [`TimerBuilder`].
    #[must_use = "start it"]
    pub fn build<F: FnOnce() + Send + 'static>(self, function: F) -> Timer {
        let fate = Arc::new(Fate { settled: AtomicU8::new(OPEN), finished: Done::new() });
        let (interval, is_dedicated) = (self.interval, self.is_dedicated);
        let over = Over(Arc::clone(&fate));
        let thread = self.thread.build_run::<F>(Box::new(move |stage| {
            let Over(fate) = &over;
            if is_dedicated {
                fate.finished.wait(futex::deadline(interval));
                if !fate.settle(RUNS) {
                    return drop_quietly(function);
                }
            }
            if let Err(payload) = stage.call(function) {
                drop_quietly(payload);
            }
        }));
        Timer(Arc::new(Inner {
            interval,
            thread,
            is_dedicated,
            started: AtomicBool::new(false),
            generation: AtomicU32::new(0),
            held: AtomicBool::new(false),
            on_clock: AtomicU64::new(0),
            fate,
        }))
    }
}

impl Timer {
    /// A timer that will run `function` an `interval` after its [start](Self::start). An interval too long for the
    /// clock never ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::Timer;
    ///
    /// let timer = Timer::new(Duration::from_millis(1), || println!("now"));
    /// timer.start()?;
    /// timer.join()?;
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    #[doc(alias("threading.Timer"))]
    #[must_use = "start it"]
    pub fn new<F: FnOnce() + Send + 'static>(interval: Duration, function: F) -> Timer {
        Self::builder(interval).build(function)
    }

    /// As [`new`](Self::new), started.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Examples
    ///
    /// See [`Timer`].
    pub fn after<F>(interval: Duration, function: F) -> Result<Timer, StartError>
    where
        F: FnOnce() + Send + 'static,
    {
        let timer = Self::new(interval, function);
        timer.start()?;
        Ok(timer)
    }

    /// To say how a timer is to be.
    ///
    /// # Examples
    ///
    /// See [`TimerBuilder`].
    pub fn builder(interval: Duration) -> TimerBuilder {
        TimerBuilder { interval, thread: Thread::builder(), is_dedicated: false }
    }

    /// Starts it: the interval begins. The function runs some time after its end, which may be a little later, as when
    /// all CPUs are busy. One that was cancelled before is over at once.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if it was. [`StartError::Os`] if the system gives no thread to wait on, and then
    /// it may be started again. [`StartError::ShuttingDown`] after [`shutdown`](super::shutdown).
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    #[doc(alias("threading.Timer.start"))]
    pub fn start(&self) -> Result<(), StartError> {
        let inner = &self.0;
        fork::count();
        if inner.started.swap(true, Ordering::AcqRel) {
            return Err(StartError::AlreadyStarted);
        }
        inner.generation.store(fork::generation(), Ordering::Relaxed);
        let begun = if inner.fate.is(CANCELLED) { Ok(()) } else { self.begin() };
        begun.inspect_err(|_| inner.started.store(false, Ordering::Release))
    }

    fn begin(&self) -> Result<(), StartError> {
        let inner = &self.0;
        if inner.is_dedicated {
            return match inner.thread.start() {
                // Somebody cancelled it just now, and took away what it would have run.
                Err(StartError::AlreadyStarted) if inner.fate.is(CANCELLED) => Ok(()),
                started => started,
            };
        }
        if hold::is_final() || (!inner.thread.is_daemon() && hold::take().is_err()) {
            return Err(StartError::ShuttingDown);
        }
        // ORDERING(held): SeqCst; here it is stored and then `settled` loaded, in `cancel` it is the other way round,
        // so one of the two sees what the other did.
        inner.held.store(!inner.thread.is_daemon(), Ordering::SeqCst);
        // Its context is that of who starts the timer, not of who rings it; so are its CPUs and its niceness.
        inner.thread.capture_context();
        let inherited = Inherited::here();
        let nice = inherited.nice();
        inner.thread.inherit(inherited);
        if let Some(at) = futex::deadline(inner.interval) {
            let entry: Arc<dyn Ring> = Arc::<Inner>::clone(inner);
            if let Err(error) = clock::set(at, entry, nice) {
                inner.let_go();
                return Err(StartError::Os(error));
            }
        }
        // Whoever cancelled it before it was held has nothing given back.
        if inner.fate.is(CANCELLED) {
            inner.let_go();
        }
        Ok(())
    }

    /// Cancels it, if its time has not come. True if the function will not run because of this call; false if it runs,
    /// has run, or was cancelled before. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::Timer;
    ///
    /// let timer = Timer::after(Duration::MAX, || unreachable!())?;
    /// assert!(timer.is_alive());
    /// assert!(timer.cancel());
    /// assert!(!timer.is_alive() && timer.is_finished());
    /// assert!(!timer.cancel());
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    #[doc(alias("threading.Timer.cancel"))]
    pub fn cancel(&self) -> bool {
        let inner = &self.0;
        if !inner.fate.settle(CANCELLED) {
            return false;
        }
        // Wakes a thread of its own, too, which then drops the function.
        inner.fate.finished.set();
        inner.let_go();
        if inner.started.load(Ordering::Acquire) && !inner.is_dedicated && !inner.is_gone() {
            clock::forget();
        }
        // The function, with what it captured, is dropped here and now, and not when its time would have come.
        drop(inner.thread.take_body());
        true
    }

    /// Cancels the timer when what this returns is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::Timer;
    ///
    /// let watchdog = Timer::after(Duration::from_secs(60), || panic!("took too long"))?;
    /// {
    ///     let _in_time = watchdog.cancel_on_drop();
    ///     // what must not take a minute
    /// }
    /// assert!(watchdog.is_finished());
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    pub fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(self.clone())
    }

    /// Was it started, and is neither cancelled nor through with its function?
    ///
    /// # Examples
    ///
    /// See [`cancel`](Self::cancel).
    #[doc(alias("threading.Timer.is_alive"))]
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.started.load(Ordering::Acquire) && !self.is_finished() && !self.0.is_gone()
    }

    /// Was it cancelled, or is it through with its function, whether that returned or panicked?
    ///
    /// # Examples
    ///
    /// See [`cancel`](Self::cancel).
    #[doc(alias("threading.Timer.finished"))]
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.fate.finished.is_set()
    }

    /// Waits until it is [finished](Self::is_finished), also when it has not been started yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::{Timer, spawn};
    ///
    /// let timer = Timer::new(Duration::ZERO, || ());
    /// let waiter = spawn({ let timer = timer.clone(); move || timer.wait_finished() })?;
    /// timer.start()?;
    /// waiter.join().unwrap();
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    ///
    /// # Memory ordering
    ///
    /// What the function did is seen after the call.
    #[doc(alias("threading.Timer.finished"))]
    pub fn wait_finished(&self) {
        self.wait_until(None);
    }

    /// As [`wait_finished`](Self::wait_finished), for `timeout` at most. Is it finished?
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::Timer;
    ///
    /// let timer = Timer::after(Duration::MAX, || ())?;
    /// assert!(!timer.wait_finished_timeout(Duration::from_millis(1)));
    /// timer.cancel();
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    pub fn wait_finished_timeout(&self, timeout: Duration) -> bool {
        if timeout.is_zero() {
            return self.is_finished();
        }
        self.wait_until(futex::deadline(timeout))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        // One that was left behind by a fork will never be.
        self.0.is_gone() || self.0.fate.finished.wait(deadline)
    }

    /// Waits until it is over: cancelled, or its thread ended.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if it was not started, or if its own function asks.
    ///
    /// # Examples
    ///
    /// See [`Timer`].
    #[doc(alias("threading.Timer.join"))]
    pub fn join(&self) -> Result<(), JoinError> {
        self.join_until(None).map(drop)
    }

    /// As [`join`](Self::join), for `timeout` at most. Is it over?
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::Timer;
    ///
    /// let timer = Timer::after(Duration::MAX, || ())?;
    /// assert!(!timer.join_timeout(Duration::ZERO)?);
    /// timer.cancel();
    /// assert!(timer.join_timeout(Duration::ZERO)?);
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool, JoinError> {
        if timeout.is_zero() {
            return self.join_until(Some(Instant::now()));
        }
        self.join_until(futex::deadline(timeout))
    }

    fn join_until(&self, deadline: Option<Instant>) -> Result<bool, JoinError> {
        let thread = &self.0.thread;
        let own = get_ident();
        if thread.ident() == Some(own) || self.0.on_clock.load(Ordering::Relaxed) == own.get().get() {
            return Err(JoinError::CurrentThread);
        }
        if !self.0.started.load(Ordering::Acquire) {
            return Err(JoinError::NotStarted);
        }
        if !self.wait_until(deadline) {
            return Ok(false);
        }
        match deadline {
            // Of a cancelled one, and of one that the clock had to run itself, there is no thread.
            _ if thread.ident().is_none() => Ok(true),
            Some(deadline) => thread.join_deadline(deadline),
            None => thread.join().map(|()| true),
        }
    }

    /// The name of the thread that the function runs on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let timer = gristmill::threading::Timer::builder(Duration::ZERO).name("bell").build(|| ());
    /// assert_eq!(&*timer.name(), "bell");
    /// ```
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.0.thread.name()
    }

    /// Does the end of the process forget it, rather than wait until it has run?
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// assert!(!gristmill::threading::Timer::new(Duration::ZERO, || ()).is_daemon());
    /// ```
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.0.thread.is_daemon()
    }
}

impl Inner {
    /// Was it left behind in the process that this one was forked from?
    fn is_gone(&self) -> bool {
        self.started.load(Ordering::Acquire) && self.generation.load(Ordering::Relaxed) != fork::generation()
    }

    /// Gives back what the end of the process waits for, if it has not been.
    fn let_go(&self) {
        // ORDERING(held): SeqCst; see `begin`.
        if self.held.swap(false, Ordering::SeqCst) && !self.is_gone() {
            hold::give_back();
        }
    }
}

impl Ring for Inner {
    fn ring(self: Arc<Self>) {
        if !self.fate.settle(RUNS) {
            return;
        }
        match self.thread.start() {
            Ok(()) => {}
            // The end of the process was not to wait for it.
            Err(StartError::ShuttingDown) => {
                self.fate.finished.set();
                drop_quietly(self.thread.take_body());
            }
            // Late and in the way of others is better than never.
            Err(_) => {
                if let Some(body) = self.thread.take_body() {
                    self.on_clock.store(get_ident().get().get(), Ordering::Relaxed);
                    self.thread.perform(body);
                    self.on_clock.store(0, Ordering::Relaxed);
                }
            }
        }
        // By now the thread holds the process, or there is none.
        self.let_go();
    }

    fn is_over(&self) -> bool {
        self.fate.is(CANCELLED)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("interval", &self.0.interval)
            .field("alive", &self.is_alive())
            .field("cancelled", &self.0.fate.is(CANCELLED))
            .finish_non_exhaustive()
    }
}

/// Cancels its timer when it is dropped; see [`Timer::cancel_on_drop`].
///
/// # Examples
///
/// See [`Timer::cancel_on_drop`].
#[derive(Debug)]
#[must_use = "it cancels the timer when it is dropped"]
pub struct CancelOnDrop(Timer);

impl Drop for CancelOnDrop {
    /// A panic in the drop of what the function captured goes no further: this may run while another one unwinds.
    fn drop(&mut self) {
        if let Err(payload) = halt(|| self.0.cancel()) {
            drop_quietly(payload);
        }
    }
}
