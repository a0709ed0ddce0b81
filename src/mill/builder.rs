//! How a mill is described and started.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{PinFailure, Waiting};
use crate::locality::{MemoryPolicy, Place};
use crate::mill::cancel;
use crate::mill::error::{BuildError, MAX_WORKERS, in_range};
use crate::mill::hall::{Hall, Settings};
use crate::mill::mills;
use crate::mill::pool::Mill;
use crate::mill::staff;
use crate::mill::worker::PATIENCE;
use crate::sys::fork;
use crate::topology::{self, Topology};
use crate::unwind;

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
    /// thread is started when it is first needed and leaves after a second without work. When there are as many, and no
    /// other thread is left, one that waits for a result runs any job of the mill meanwhile. One whose stack is nearly
    /// used up cannot, and is not counted.
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
        let places = staff::places(&topology, &self.settings.places, workers);
        try_out(&self.settings.memory)?;
        fork::watch(mills::forget);
        cancel::poke_with(mills::poke_all);
        let hall = Arc::new(Hall::new(self.settings, topology, places));
        let mill = Mill::keeping(Arc::clone(&hall));
        hall.start_workers(if hall.settings.lazy { 1 } else { workers })?;
        mills::register(&hall);
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

impl Mill {
    /// Settings for a new mill.
    pub fn builder() -> MillBuilder {
        MillBuilder { workers: None, topology: None, settings: Settings::default() }
    }
}
