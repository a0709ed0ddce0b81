//! Settings of a thread pool.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::concurrent::futures::panics;
use crate::concurrent::futures::post::Post;
use crate::concurrent::futures::room::WhenFull;
use crate::concurrent::futures::thread_pool::ThreadPoolExecutor;
use crate::config::Waiting;
use crate::locality::Place;
use crate::mill::builder::MillBuilder;
use crate::mill::error::BuildError;
use crate::mill::pool::Mill;
use crate::unwind;

type Initializer = Box<dyn Fn() -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync>;

/// Settings for a [`ThreadPoolExecutor`]; made by [`ThreadPoolExecutor::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct ThreadPoolBuilder {
    mill: MillBuilder,
    prefix: Option<String>,
    initializer: Option<Initializer>,
    caller_runs: Option<bool>,
    /// The callers have other stacks, or places, than workers.
    callers_differ: bool,
    lazy: bool,
    strict_fifo: bool,
    max_pending: Option<usize>,
    when_full: WhenFull,
}

impl ThreadPoolExecutor {
    /// Settings for a new pool.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    /// A pool that runs so many tasks at a time, with the usual settings.
    ///
    /// # Errors
    ///
    /// As [`ThreadPoolBuilder::build`].
    pub fn new(max_workers: usize) -> Result<Self, BuildError> {
        Self::builder().max_workers(max_workers).build()
    }
}

impl ThreadPoolBuilder {
    fn new() -> Self {
        ThreadPoolBuilder {
            mill: Mill::builder(),
            prefix: None,
            initializer: None,
            caller_runs: None,
            callers_differ: false,
            lazy: true,
            strict_fifo: false,
            max_pending: None,
            when_full: WhenFull::Wait,
        }
    }

    /// How many tasks run at a time, from 1 to [`MAX_WORKERS`](crate::MAX_WORKERS); by default
    /// [`topology::default_threads`](crate::topology::default_threads), what this process may use of the machine.
    /// (Python's default is 4 more than that, as its tasks often wait. A task that waits by gristmill's means has another
    /// thread in its place meanwhile; others can say so by [`blocking`](crate::blocking).)
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.mill = self.mill.workers(workers);
        self
    }

    /// Threads are called `PREFIX_NUMBER`; by default the prefix is `ThreadPoolExecutor-N`. The kernel shows the first 15
    /// bytes.
    ///
    /// Unless [`caller_runs`](Self::caller_runs) says otherwise, all tasks then run in threads so named.
    pub fn thread_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Runs in each thread before its first task. If it panics the pool is broken: tasks that have not started, and later
    /// submissions, end with [`BrokenThreadPool`](super::BrokenExecutor::BrokenThreadPool).
    ///
    /// Threads that stand in for others that wait run it too. No caller runs tasks then, unless
    /// [`caller_runs`](Self::caller_runs) says otherwise.
    pub fn initializer(self, initializer: impl Fn() + Send + Sync + 'static) -> Self {
        self.try_initializer(move || {
            initializer();
            Ok(())
        })
    }

    /// As [`initializer`](Self::initializer), and an error breaks the pool as well.
    pub fn try_initializer(
        mut self,
        initializer: impl Fn() -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.initializer = Some(Box::new(initializer));
        self
    }

    /// May a thread from outside that calls [`result`](super::Future::result) run the task itself, if that has not started
    /// and fewer than `max_workers` tasks run? That saves two changes of thread.
    ///
    /// By default it may, unless that could be noticed: by threads' names or an initializer that were asked for, by stacks
    /// or places of their own, or by the order in a pool with [`strict_fifo`](Self::strict_fifo). What remains to be
    /// noticed is the caller's own thread-local variables. While it runs a task, the caller counts as a thread of the pool:
    /// `join` and the like, [`worker_index`](crate::worker_index) and [`WorkerLocal`](crate::WorkerLocal) work as in any.
    pub fn caller_runs(mut self, may: bool) -> Self {
        self.caller_runs = Some(may);
        self
    }

    /// Are threads started when they are first needed? By default they are, but for one; otherwise with the pool. A pool
    /// whose further threads cannot be started makes do with those it has.
    pub fn lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// Do tasks of one priority start in exactly the order in which they were submitted, as in Python? By default they are
    /// taken from the queue in batches, tasks submitted by tasks start with the last, and a task that somebody waits for is
    /// run at once. In a strict pool a task that waits for another gives its place to a further thread.
    pub fn strict_fifo(mut self, strict: bool) -> Self {
        self.strict_fifo = strict;
        self
    }

    /// At most so many tasks wait to be started; by default any number. What becomes of more is for
    /// [`when_full`](Self::when_full) to say.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn max_pending(mut self, tasks: usize) -> Self {
        assert!(tasks > 0, "max_pending = 0: room for at least 1 task is needed");
        self.max_pending = Some(tasks);
        self
    }

    /// What becomes of a task that there is no room for.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Stack size of the threads, in bytes. Callers do not run tasks then.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.mill = self.mill.stack_size(bytes);
        self.callers_differ = true;
        self
    }

    /// Pins threads to these places in turn; see [`MillBuilder::places`]. Callers do not run tasks then.
    pub fn places(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.mill = self.mill.places(places);
        self.callers_differ = true;
        self
    }

    /// How many threads may stand in for those that wait; see [`MillBuilder::max_spares`].
    pub fn max_spares(mut self, spares: usize) -> Self {
        self.mill = self.mill.max_spares(spares);
        self
    }

    /// What a waiting thread may run besides what it waits for.
    pub fn waiting(mut self, waiting: Waiting) -> Self {
        self.mill = self.mill.waiting(waiting);
        self
    }

    /// Makes the pool.
    ///
    /// # Errors
    ///
    /// As [`MillBuilder::build`].
    pub fn build(self) -> Result<ThreadPoolExecutor, BuildError> {
        static POOLS: AtomicUsize = AtomicUsize::new(0);
        panics::note_places();
        let noticed =
            self.prefix.is_some() || self.initializer.is_some() || self.callers_differ || self.strict_fifo;
        let caller_runs = self.caller_runs.unwrap_or(!noticed);
        let prefix = self
            .prefix
            .unwrap_or_else(|| format!("ThreadPoolExecutor-{}", POOLS.fetch_add(1, Ordering::Relaxed)));
        let post = Post::lease();
        post.caller_runs.store(caller_runs, Ordering::Relaxed);
        post.strict_fifo.store(self.strict_fifo, Ordering::Relaxed);
        post.room.set_limit(self.max_pending);
        let mut mill = self
            .mill
            .name(&prefix)
            .thread_prefix(prefix)
            .caller_runs(caller_runs)
            .lazy(self.lazy)
            .strict_fifo(self.strict_fifo);
        if let Some(initializer) = self.initializer {
            mill = mill.start_handler(move |_| initialize(post, &initializer));
        }
        match mill.build() {
            Ok(mill) => Ok(ThreadPoolExecutor::over(mill, post, self.when_full)),
            Err(error) => {
                post.unlease();
                Err(error)
            }
        }
    }
}

fn initialize(post: &Post, initializer: &Initializer) {
    // The error is the user's: to show and to drop it may panic as well.
    match unwind::halt(|| initializer().map_err(|error| error.to_string())) {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => post.break_with(&reason),
        Err(payload) => {
            post.break_with(&panics::message(&payload));
            unwind::drop_quietly(payload);
        }
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("mill", &self.mill)
            .field("thread_name_prefix", &self.prefix)
            .field("max_pending", &self.max_pending)
            .finish_non_exhaustive()
    }
}
