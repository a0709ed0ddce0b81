//! The mill as its users hold it: built, shared, resized, shut down.

#![allow(unsafe_code, reason = "hands a job on this stack to a worker and waits for it here")]

use std::any::Any;
use std::fmt;
use std::io::{self, Write as _};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::AtomicPtr;
use std::sync::{Arc, Mutex, MutexGuard, Weak, mpsc};
use std::time::Duration;

use crate::config::{PinFailure, Waiting};
use crate::contextvars::{Context, copy_context};
use crate::locality::{self, MemoryError, MemoryPolicy, Place};
use crate::mill::cancel::{self, CancelToken};
use crate::mill::hall::{Hall, Settings};
use crate::mill::injector::Priority;
use crate::mill::job::{HeapJob, JobRef, StackJob, Stamp};
use crate::mill::seat;
use crate::mill::stats::MillStats;
use crate::mill::worker::{PATIENCE, Worker, wait_elsewhere};
use crate::prim::atomic::Ordering;
use crate::prim::{fence_after_update, lock, spin_loop, yield_now};
use crate::sys::fork;
use crate::topology::{self, CpuSet, Topology};
use crate::unwind;

/// The most workers that a mill can have, and the most spare threads beside them.
pub const MAX_WORKERS: usize = 8_192;

/// A work-stealing scheduler: worker threads, and the jobs they share.
///
/// Most programs need none of their own: [`join`](crate::join), [`scope`](crate::scope) and the `par_` loops use the [default
/// mill](Mill::global) when they are called outside of any. A mill of one's own has its own number of workers,
/// names, stacks and places.
///
/// A `Mill` is a handle; clones are the same mill. When the last one goes, or at [`shutdown`](Self::shutdown),
/// the mill finishes all work that was handed in and its threads end.
///
/// # Examples
///
/// ```
/// let mill = gristmill::Mill::builder().workers(2).name("grind").build()?;
/// let sum: u64 = mill.install(|| gristmill::par_reduce(0..1_000_u64, || 0, |sum, i| sum + i, |a, b| a + b));
/// assert_eq!(sum, 499_500);
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Mill(Arc<Keeper>);

// A panic of a job leaves nothing half done in the mill.
impl UnwindSafe for Mill {}
impl RefUnwindSafe for Mill {}

/// Shuts the mill down when the last handle goes.
struct Keeper(Arc<Hall>);

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.0.detached.load(Ordering::Relaxed) { self.0.close() } else { self.0.shut_down() }
    }
}

/// The mill has been shut down: it takes no new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mill has been shut down and takes no new work; build another one")]
pub struct Closed;

/// Why a mill could not be built or resized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A number of threads that no mill can have.
    #[error("{what} = {asked} is out of range: it must be between {least} and {MAX_WORKERS}")]
    #[non_exhaustive]
    OutOfRange {
        /// The setting.
        what: &'static str,
        /// What it was set to.
        asked: usize,
        /// The least it may be.
        least: usize,
    },
    /// The system started some threads but not all. Those that were started have ended.
    #[error(
        "thread {number} of {wanted} could not be started: {source} (limits: `ulimit -u`, the pids cgroup)"
    )]
    #[non_exhaustive]
    Thread {
        /// Which thread, from 0.
        number: usize,
        /// How many there were to be.
        wanted: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A worker could not be moved to its place.
    #[error("worker {worker} cannot sit on CPU {cpus}: {source}")]
    #[non_exhaustive]
    Pin {
        /// Which worker, from 0.
        worker: usize,
        /// The CPUs of its place.
        cpus: CpuSet,
        /// What the kernel said.
        source: io::Error,
    },
    /// Workers could not take up their memory policy.
    #[error("workers cannot take memory as they should: {source}")]
    #[non_exhaustive]
    Memory {
        /// Why.
        source: MemoryError,
    },
    /// The default mill is in use or was configured before.
    #[error("the default mill exists already: configure it before its first use")]
    GlobalExists,
}

/// Settings for a [`Mill`]; made by [`Mill::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct MillBuilder {
    workers: Option<usize>,
    topology: Option<Topology>,
    settings: Settings,
}

impl fmt::Debug for MillBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MillBuilder")
            .field("name", &self.settings.name)
            .field("workers", &self.workers)
            .field("places", &self.settings.places)
            .field("memory", &self.settings.memory)
            .field("stack_size", &self.settings.stack_size)
            .field("max_spares", &self.settings.max_spares)
            .field("caller_runs", &self.settings.caller_runs)
            .field("waiting", &self.settings.waiting)
            .field("pin_failure", &self.settings.pin_failure)
            .field("contexts", &self.settings.contexts)
            .finish_non_exhaustive()
    }
}

impl MillBuilder {
    /// The number of workers, from 1 to [`MAX_WORKERS`]; by default one for each place, or else
    /// [`topology::default_threads`].
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// A name, for threads and messages; threads are `gm-NAME-NUMBER`, of which the kernel keeps 15 bytes.
    /// By default `mill`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Stack size of the threads, in bytes; by default what `std::thread` takes (2 MiB, or `RUST_MIN_STACK`).
    /// Callers from outside then always hand their work to a worker, which has this stack.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = Some(bytes);
        self.settings.caller_runs = false;
        self
    }

    /// Pins worker `i` to the `i`th place (counted round if there are more workers than places). Callers from
    /// outside then always hand their work to a worker. By default workers run where the system puts them.
    pub fn places(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.settings.places = places.into_iter().collect();
        if !self.settings.places.is_empty() {
            self.settings.caller_runs = false;
        }
        self
    }

    /// From which nodes the memory comes that workers touch first; by default from their own. Callers from outside then
    /// always hand their work to a worker.
    pub fn memory(mut self, policy: MemoryPolicy) -> Self {
        if policy != MemoryPolicy::Local {
            self.settings.caller_runs = false;
        }
        self.settings.memory = policy;
        self
    }

    /// Whether to ask the kernel for huge pages where the mill allocates for its users, which it does in
    /// [`node_vec`](Mill::node_vec); see [`NodeVecBuilder::huge_pages`](crate::locality::NodeVecBuilder::huge_pages).
    pub fn huge_pages(mut self, ask: bool) -> Self {
        self.settings.huge_pages = ask;
        self
    }

    /// The machine to plan for, such as a synthetic one in tests; by default the one we run on.
    pub fn topology(mut self, topology: Topology) -> Self {
        self.topology = Some(topology);
        self
    }

    /// How many threads may stand in for workers that block, from 0 to [`MAX_WORKERS`]; by default 256. A spare
    /// thread is started when it is first needed and leaves after a second without work.
    pub fn max_spares(mut self, spares: usize) -> Self {
        self.settings.max_spares = spares;
        self
    }

    /// May a thread from outside run the work that it waits for itself, when one of the mill's slots is free?
    /// That saves two changes of thread, some 100 us on a sleeping virtual machine. By default it may, unless
    /// workers are pinned or have a stack size of their own.
    pub fn caller_runs(mut self, may: bool) -> Self {
        self.settings.caller_runs = may;
        self
    }

    /// What a waiting worker may run.
    pub fn waiting(mut self, waiting: Waiting) -> Self {
        self.settings.waiting = waiting;
        self
    }

    /// For how long at most a worker that finds nothing looks on before it sleeps, if that has paid lately; by default
    /// about 50 us. More of it answers faster and costs processor time; zero is for machines that have other things
    /// to do. It is turned into a number of looks, so it is about right where nobody else wants the processor.
    pub fn spin(mut self, time: Duration) -> Self {
        let rounds = time.as_micros().min(1_000_000) as u32 * PATIENCE / 50;
        self.settings.patience = Some(rounds);
        self
    }

    /// What becomes of a worker that cannot be moved to its place; by default the mill is not built.
    pub fn pin_failure(mut self, failure: PinFailure) -> Self {
        self.settings.pin_failure = failure;
        self
    }

    /// Threads are called `PREFIX_NUMBER`, instead of what the name makes of it.
    pub(crate) fn thread_prefix(mut self, prefix: String) -> Self {
        self.settings.thread_prefix = Some(prefix);
        self
    }

    /// Starts all workers but the first when they are needed.
    pub(crate) fn lazy(mut self, lazy: bool) -> Self {
        self.settings.lazy = lazy;
        self
    }

    /// Starts spawned jobs of one priority in the order in which they came.
    pub(crate) fn strict_fifo(mut self, strict: bool) -> Self {
        self.settings.strict_fifo = strict;
        self
    }

    /// Do jobs run in a copy of the [context](crate::contextvars) that `install`, `spawn`, `broadcast` or
    /// [`Scope::spawn`](crate::Scope::spawn) is called in? By default they do not: a worker has a context of its own,
    /// which is empty until a job sets something there. The halves of a `join` and the pieces of a loop belong to the
    /// job that splits them, and are not told: if they are to see values, have them run in clones of a
    /// [copy](crate::contextvars::copy_context).
    ///
    /// Costs a reference count for each job, and one more allocation for a spawned one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static USER: ContextVar<&str> = ContextVar::new("user");
    /// let mill = gristmill::Mill::builder().workers(1).contexts(true).build()?;
    /// USER.set("ada");
    /// let there = mill.install(|| {
    ///     let there = USER.get();
    ///     USER.set("grace");
    ///     there
    /// });
    /// assert_eq!(there, Some("ada"));
    /// assert_eq!(USER.get(), Some("ada"));
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    pub fn contexts(mut self, captured: bool) -> Self {
        self.settings.contexts = captured;
        self
    }

    /// Called with the payload when a detached job panics, on the thread that ran it. The panic hook has
    /// printed its message before. A panic in the handler goes no further.
    pub fn panic_handler(mut self, handler: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static) -> Self {
        self.settings.panic_handler = Some(Box::new(handler));
        self
    }

    /// Called with its number on each thread that starts, once it is pinned.
    pub fn start_handler(mut self, handler: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.settings.start_handler = Some(Box::new(handler));
        self
    }

    /// Called with its number on each thread that ends.
    pub fn exit_handler(mut self, handler: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.settings.exit_handler = Some(Box::new(handler));
        self
    }

    /// Starts the mill.
    ///
    /// # Errors
    ///
    /// [`BuildError::OutOfRange`] for a number of threads that no mill can have, [`BuildError::Thread`] when the
    /// system refuses one, [`BuildError::Pin`] when a worker cannot sit at its place (unless
    /// [`pin_failure`](Self::pin_failure) says to go on), [`BuildError::Memory`] when workers
    /// cannot take up their memory policy. Nothing is left behind.
    pub fn build(self) -> Result<Mill, BuildError> {
        let chosen = self.settings.places.len();
        let asked = self.workers.or((chosen > 0).then_some(chosen));
        let workers = asked.unwrap_or_else(|| topology::default_threads().count.min(MAX_WORKERS));
        in_range("workers", workers, 1)?;
        in_range("max_spares", self.settings.max_spares, 0)?;
        let topology = self.topology.unwrap_or_else(Topology::detect);
        let places = places(&topology, &self.settings.places, workers);
        try_out(&self.settings.memory)?;
        fork::watch(forget);
        cancel::poke_with(poke_all);
        let hall = Arc::new(Hall::new(self.settings, topology, places));
        let mill = Mill(Arc::new(Keeper(Arc::clone(&hall))));
        let keeper: Arc<dyn Any + Send + Sync> = Arc::clone(&mill.0) as _;
        hall.keeper.get_or_init(|| Arc::downgrade(&keeper));
        drop(keeper);
        hall.start_workers(if hall.settings.lazy { 1 } else { workers })?;
        register(&hall);
        Ok(mill)
    }

    /// Starts the [default mill](Mill::global) with these settings.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and [`BuildError::GlobalExists`].
    pub fn build_global(self) -> Result<&'static Mill, BuildError> {
        let mills = mills();
        let _one_at_a_time = mills.global_build.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if mills.global().is_some() {
            return Err(BuildError::GlobalExists);
        }
        let mill: &Mill = Box::leak(Box::new(self.build()?));
        mills.global.store(std::ptr::from_ref(mill).cast_mut(), Ordering::Release);
        Ok(mill)
    }
}

/// Does the kernel take this policy? Asked on a thread of its own: policies belong to threads.
fn try_out(policy: &MemoryPolicy) -> Result<(), BuildError> {
    if *policy == MemoryPolicy::Local {
        return Ok(());
    }
    let (policy, name) = (policy.clone(), "gm-policy".to_owned());
    let tried = std::thread::Builder::new().name(name).spawn(move || policy.take_up());
    match tried.map_err(|source| BuildError::Thread { number: 0, wanted: 1, source })?.join() {
        Ok(taken) => taken.map_err(|source| BuildError::Memory { source }),
        Err(payload) => unwind::resume(payload),
    }
}

fn in_range(what: &'static str, asked: usize, least: usize) -> Result<(), BuildError> {
    if (least..=MAX_WORKERS).contains(&asked) {
        Ok(())
    } else {
        Err(BuildError::OutOfRange { what, asked, least })
    }
}

/// What all mills of this process share.
#[derive(Default)]
struct Mills {
    /// The default mill; null until there is one. Never freed.
    global: AtomicPtr<Mill>,
    global_build: Mutex<()>,
    halls: Mutex<Vec<Weak<Hall>>>,
}

/// Null until somebody asks. A forked child makes its own: another thread of its parent may have held one of these locks.
static MILLS: AtomicPtr<Mills> = AtomicPtr::new(std::ptr::null_mut());

/// The default mill of the process that this one was forked from, if that had one.
static INHERITED: AtomicPtr<Mill> = AtomicPtr::new(std::ptr::null_mut());

fn mills() -> &'static Mills {
    let mut mills = MILLS.load(Ordering::Acquire);
    if mills.is_null() {
        mills = Box::into_raw(Box::default());
        // SAFETY: just made, and nobody else has seen it.
        unsafe { &*mills }.global.store(INHERITED.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Err(first) =
            MILLS.compare_exchange(std::ptr::null_mut(), mills, Ordering::AcqRel, Ordering::Acquire)
        {
            // SAFETY: as above.
            drop(unsafe { Box::from_raw(mills) });
            mills = first;
        }
    }
    // SAFETY: not null, and never freed.
    unsafe { &*mills }
}

impl Mills {
    fn global(&self) -> Option<&'static Mill> {
        // SAFETY: null, or a mill that is never freed.
        unsafe { self.global.load(Ordering::Acquire).as_ref() }
    }

    fn halls(&self) -> MutexGuard<'_, Vec<Weak<Hall>>> {
        self.halls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// In a forked child: forgets the parent's mills, and the locks that its threads may have held. Its default mill it keeps,
/// to say that it has no threads here.
fn forget() {
    // SAFETY: null, or never freed.
    if let Some(mills) = unsafe { MILLS.swap(std::ptr::null_mut(), Ordering::AcqRel).as_ref() } {
        INHERITED.store(mills.global.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    seat::forget();
}

fn register(hall: &Arc<Hall>) {
    let mut halls = mills().halls();
    halls.retain(|hall| hall.strong_count() > 0);
    halls.push(Arc::downgrade(hall));
}

/// Makes every worker of every mill look at its cancel token on its next push.
fn poke_all() {
    let halls: Vec<_> = mills().halls().clone();
    for hall in halls.iter().filter_map(Weak::upgrade) {
        hall.roster.read(|crowd| crowd.seats.iter().for_each(|seat| seat.deque.mark_hungry()));
    }
}

impl Mill {
    /// Settings for a new mill.
    pub fn builder() -> MillBuilder {
        MillBuilder { workers: None, topology: None, settings: Settings::default() }
    }

    /// The default mill, started on first use with [`topology::default_threads`] workers; see
    /// [`MillBuilder::build_global`] to set it up otherwise. It is never shut down.
    ///
    /// # Panics
    ///
    /// If the system refuses to start its threads.
    #[must_use]
    pub fn global() -> &'static Mill {
        if let Some(mill) = mills().global() {
            return mill;
        }
        match Self::builder().build_global() {
            Ok(mill) => mill,
            Err(BuildError::GlobalExists) => Self::global(),
            Err(error) => panic!("the default mill cannot start: {error}"),
        }
    }

    /// The mill whose job the caller is. `None` outside of any mill, and in one whose last handle has gone.
    ///
    /// # Examples
    ///
    /// ```
    /// let mill = gristmill::Mill::builder().workers(1).name("rye").build()?;
    /// assert_eq!(mill.install(|| gristmill::Mill::current().unwrap().name().to_owned()), "rye");
    /// assert!(gristmill::Mill::current().is_none());
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    #[must_use]
    pub fn current() -> Option<Mill> {
        let keeper = Worker::current()?.hall.keeper.get()?.upgrade()?;
        keeper.downcast().ok().map(Mill)
    }

    /// The number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.hall().workers()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.hall().settings.name
    }

    /// Runs `f` in this mill and returns its result: `join`, `scope` and the `par_` loops in it use this mill.
    ///
    /// In one of the mill's own jobs this is a plain call. A thread from outside runs `f` itself if one of the
    /// mill's slots is free (see [`MillBuilder::caller_runs`]), and else waits for a worker to run it. A worker of
    /// another mill gives its slot there to a spare thread while it waits.
    ///
    /// # Panics
    ///
    /// With the panic of `f`; if the mill has been shut down (see [`try_install`](Self::try_install)); in a
    /// forked child.
    pub fn install<R, F>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        match self.try_install(f) {
            Ok(value) => value,
            Err(closed) => panic!("{closed}"),
        }
    }

    /// As [`install`](Self::install), but a mill that was shut down is an error.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the mill has been shut down; `f` was dropped.
    ///
    /// # Panics
    ///
    /// With the panic of `f`; in a forked child.
    pub fn try_install<R, F>(&self, f: F) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.hall().run(f)
    }

    /// As [`install`](Self::install), but a thread from outside never runs `f` itself.
    pub(crate) fn install_by_worker<R, F>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        match self.hall().run_by_worker(f) {
            Ok(value) => value,
            Err(closed) => panic!("{closed}"),
        }
    }

    /// Spawns a detached job: nobody waits for it. It runs under the caller's cancel token, if any.
    ///
    /// A panic in it goes to the mill's [panic handler](MillBuilder::panic_handler).
    ///
    /// # Errors
    ///
    /// [`Closed`] if the mill has been shut down; the job was dropped. Jobs of the mill may spawn until the
    /// last of them is over.
    ///
    /// # Panics
    ///
    /// In a forked child.
    pub fn spawn<F>(&self, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        self.spawn_with(Priority::Normal, job)
    }

    /// As [`spawn`](Self::spawn), in one of the three priority bands.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// In a forked child.
    pub fn spawn_with<F>(&self, priority: Priority, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        self.hall().spawn(None, priority, job)
    }

    /// As [`spawn`](Self::spawn), on the NUMA node with this logical index: its workers take the job unless
    /// they are busy and others are not.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// If the mill's topology has no such node; in a forked child.
    pub fn spawn_on<F>(&self, node: usize, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        let nodes = self.hall().inboxes.len();
        assert!(node < nodes, "there is no node {node}: this mill's topology has nodes 0 to {}", nodes - 1);
        self.hall().spawn(Some(node), Priority::Normal, job)
    }

    /// Changes the number of workers, while they run. New workers start at once; surplus ones finish their job
    /// first and then sleep, and leave after a second.
    ///
    /// # Errors
    ///
    /// [`BuildError::OutOfRange`]; [`BuildError::Thread`] and [`BuildError::Pin`], after which the mill has the
    /// workers that it could get.
    pub fn resize(&self, workers: usize) -> Result<(), BuildError> {
        in_range("workers", workers, 1)?;
        self.hall().resize(workers)
    }

    /// What its workers have done so far. Always counted; costs them nothing to be read.
    #[must_use]
    pub fn stats(&self) -> MillStats {
        let workers =
            self.hall().roster.read(|crowd| crowd.seats.iter().map(|seat| seat.stats.read()).collect());
        MillStats { workers }
    }

    /// Takes no more work from outside, finishes all that was handed in, and returns once all threads have
    /// ended. Called in one of the mill's own jobs it cannot wait for itself: it returns at once, and the mill
    /// ends after that job and the others.
    pub fn shutdown(&self) {
        self.hall().shut_down();
    }

    pub(crate) fn hall(&self) -> &Arc<Hall> {
        &self.0.0
    }
}

impl fmt::Debug for Mill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mill")
            .field("name", &self.name())
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}

/// Runs `f` in the mill whose job the caller is, or else in the default one.
pub(crate) fn in_current<R, F>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    if seat::current().is_some() { f() } else { in_global(f) }
}

/// As [`in_current`], but a thread from outside never runs `f` itself.
pub(crate) fn in_current_by_worker<R, F>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    if seat::current().is_some() { f() } else { Mill::global().install_by_worker(f) }
}

/// Runs `f` in the default mill.
pub(crate) fn in_global<R, F>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    Mill::global().install(f)
}

/// Runs `f` in a context that was copied for it.
pub(crate) fn within<R>(context: &Context, f: impl FnOnce() -> R) -> R {
    context.run(f).expect("nobody else knows of this copy")
}

impl Hall {
    pub(crate) fn start_workers(&self, workers: usize) -> Result<(), BuildError> {
        let seats = self.roster.read(|crowd| crowd.seats.clone());
        let (moved, answers) = mpsc::channel();
        let moved = (!self.settings.places.is_empty()).then_some(moved);
        for (number, seat) in seats.iter().enumerate().take(workers) {
            let claimed = seat.claim();
            debug_assert!(claimed, "new seats are empty");
            if let Err(source) = self.start_thread(seat, moved.clone()) {
                for _ in number..workers {
                    self.idle.leave(true);
                }
                return Err(BuildError::Thread { number, wanted: workers, source });
            }
        }
        drop(moved);
        for (worker, cpus, result) in answers {
            match (result, self.settings.pin_failure) {
                (Err(error), PinFailure::Warn) => {
                    // Nobody may read what we say.
                    let _ = writeln!(
                        io::stderr(),
                        "gristmill: worker {worker} of `{}` cannot sit on CPU {cpus}: {error}; it runs where the system puts it",
                        self.settings.name
                    );
                }
                (result, _) => result.map_err(|source| BuildError::Pin { worker, cpus, source })?,
            }
        }
        Ok(())
    }

    pub(crate) fn run<R, F>(self: &Arc<Self>, f: F) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.run_as(f, self.settings.caller_runs)
    }

    pub(crate) fn run_by_worker<R, F>(self: &Arc<Self>, f: F) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.run_as(f, false)
    }

    fn run_as<R, F>(self: &Arc<Self>, f: F, caller_runs: bool) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        if self.is_current() {
            Ok(f())
        } else if self.settings.contexts {
            let context = copy_context();
            self.run_from_outside(move || within(&context, f), caller_runs)
        } else {
            self.run_from_outside(f, caller_runs)
        }
    }

    fn run_from_outside<R, F>(self: &Arc<Self>, mut f: F, caller_runs: bool) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.assert_same_process();
        let token = cancel::current_ptr();
        if caller_runs {
            f = match self.visit(token, f) {
                Ok(value) => return Ok(value),
                Err(f) => f,
            };
        }
        let job = StackJob::new(f);
        // SAFETY: nobody has seen the job.
        unsafe { job.job_ref().stamp_waited(token) };
        if let Err(closed) = self.hand_in(self.own_node(), Priority::Normal, || job.job_ref()) {
            // SAFETY: it was not handed in, so nobody else has it.
            drop(unsafe { job.take() });
            return Err(closed);
        }
        // SAFETY: stamped above.
        let latch = unsafe { job.waited().latch() };
        for round in 0..PATIENCE {
            if latch.probe() {
                break;
            }
            if round < PATIENCE / 2 { spin_loop() } else { yield_now() }
        }
        if !latch.probe() {
            wait_elsewhere(latch);
        }
        // SAFETY: the latch is set, and this is the only place to read the result.
        match unsafe { job.result() } {
            Ok(value) => Ok(value),
            Err(payload) => unwind::resume(payload),
        }
    }

    /// Which inbox a thread from outside is nearest to.
    pub(crate) fn own_node(&self) -> usize {
        if self.inboxes.len() == 1 || self.settings.strict_fifo {
            return 0;
        }
        self.topology.current_unit().map_or(0, |unit| unit.node)
    }

    /// Takes a job from outside.
    #[inline]
    pub(crate) fn hand_in(
        &self,
        node: usize,
        priority: Priority,
        job: impl FnOnce() -> JobRef,
    ) -> Result<(), Closed> {
        // ORDERING(entering): a fence on both sides. Either we see that the mill closes, or its threads see us
        // coming and wait until the job is there.
        self.entering.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        let open = !self.is_closing();
        if open {
            // One line for all, if they are to start in order.
            let node = if self.settings.strict_fifo { 0 } else { node };
            self.inboxes[node].push(priority, job());
            // Before we are in: a thread that this starts belongs to those that the end waits for.
            self.call_to(node);
        }
        self.entering.fetch_sub(1, Ordering::SeqCst);
        if open { Ok(()) } else { Err(Closed) }
    }

    /// Takes all spawned jobs that nobody has started and that are `wanted` out of the queues. Some may be on their way
    /// from one queue to another meanwhile, and are missed.
    pub(crate) fn withdraw(&self, wanted: impl Fn(JobRef) -> bool) -> Vec<JobRef> {
        // ORDERING(entering): the mill does not end while we have jobs in our hands.
        self.entering.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        let mut sort = |job| if wanted(job) { taken.push(job) } else { others.push(job) };
        for bands in &self.inboxes {
            for priority in [Priority::High, Priority::Normal, Priority::Low] {
                std::iter::from_fn(|| bands.take(priority)).for_each(&mut sort);
            }
        }
        self.roster.read(|crowd| {
            for loose in crowd.seats.iter().filter_map(|seat| seat.loose_if_any()) {
                std::iter::from_fn(|| loose.thief.steal().job()).for_each(&mut sort);
            }
        });
        for job in others {
            self.inboxes[0].push(Priority::Normal, job);
        }
        self.call_if_work(None);
        self.entering.fetch_sub(1, Ordering::SeqCst);
        taken
    }

    pub(crate) fn spawn<F>(&self, node: Option<usize>, priority: Priority, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        if self.settings.contexts {
            let context = Box::new(copy_context());
            self.spawn_bare(node, priority, move || within(&context, job))
        } else {
            self.spawn_bare(node, priority, job)
        }
    }

    fn spawn_bare<F>(&self, node: Option<usize>, priority: Priority, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        let closure = move |stamp: Stamp| {
            let worker = Worker::seated();
            // SAFETY: retained below, for this job. It lives until the job has run.
            let token = unsafe { cancel::release(stamp.token) };
            if token.as_ref().is_some_and(CancelToken::is_cancelled) {
                return unwind::drop_quietly(job);
            }
            match unwind::halt(job) {
                Err(payload) if cancel::is_unwinding(&payload) => {}
                result => worker.hall.report(result),
            }
        };
        let make = || {
            let stamp = Stamp { family: std::ptr::null(), token: cancel::retain() };
            // SAFETY: the closure is `'static`, and the token is retained until it has run.
            unsafe { HeapJob::boxed(closure, stamp) }
        };
        match Worker::current() {
            Some(worker) if self.is_current() && node.is_none() => {
                worker.push_loose(priority, make());
                Ok(())
            }
            _ => {
                self.assert_same_process();
                self.hand_in(node.unwrap_or_else(|| self.own_node()), priority, make)
            }
        }
    }

    pub(crate) fn resize(&self, workers: usize) -> Result<(), BuildError> {
        let _one_at_a_time = lock(&self.resizing);
        let before = self.workers();
        self.workers.store(workers, Ordering::Relaxed);
        self.idle.add_slots(workers as i64 - before as i64);
        let wanted = Hall::wanted(workers);
        self.roster.read(|crowd| {
            for seat in &crowd.seats {
                seat.deque.set_wanted(wanted);
                // Surplus sleepers begin to count the time, and those who may work again look for some.
                seat.wake();
            }
        });
        let places = self.places(workers);
        for (number, place) in places.into_iter().enumerate().skip(before) {
            if self.threads.load(Ordering::Relaxed) >= workers {
                break;
            }
            let seat = self.claim_seat(|| place.clone());
            self.idle.book_newcomer();
            if let Err(source) = self.start_thread(&seat, None) {
                self.idle.leave(true);
                self.call_if_work(None);
                return Err(BuildError::Thread { number, wanted: workers, source });
            }
        }
        // Jobs that found no slot free, when all threads that there are wait or are busy.
        self.call_if_work(None);
        Ok(())
    }

    fn places(&self, workers: usize) -> Vec<Place> {
        let moved = self.moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let chosen = if moved.is_empty() { &self.settings.places } else { &*moved };
        places(&self.topology, chosen, workers)
    }
}

fn places(topology: &Topology, chosen: &[Place], workers: usize) -> Vec<Place> {
    if chosen.is_empty() {
        return locality::places(topology, workers);
    }
    chosen.iter().cycle().take(workers).cloned().collect()
}
