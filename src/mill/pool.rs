//! The mill as its users hold it: shared, resized, shut down.

use std::any::Any;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::mill::error::{BuildError, Closed, in_range};
use crate::mill::hall::Hall;
use crate::mill::injector::Priority;
use crate::mill::stats::MillStats;
use crate::mill::worker::Worker;
use crate::prim::atomic::Ordering;

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

impl Mill {
    /// The handle that keeps `hall` open, as its jobs find it too.
    pub(super) fn keeping(hall: Arc<Hall>) -> Mill {
        let mill = Mill(Arc::new(Keeper(hall)));
        let keeper: Arc<dyn Any + Send + Sync> = Arc::clone(&mill.0) as _;
        mill.hall().keeper.get_or_init(|| Arc::downgrade(&keeper));
        mill
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
