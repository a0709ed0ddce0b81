//! What all executors have: submitting, mapping, shutting down.
//!
//! [`Executor`] is the trait that code is written against: submitting and mapping, which are generic. What may be submitted
//! depends on the executor: one whose workers share the caller's memory runs any closure that is `Send`, one that has
//! processes for workers only what can cross to them. So an executor says by [`Runs`] and [`Calls`] what it takes, and a
//! wrong task does not compile. The rest of an executor, [`ExecutorBase`], goes for objects as well.
//!
//! Executors in this process need only implement `ExecutorBase` and [`ErasedExecutor`], which takes a closure whose type has
//! been erased; the rest follows, for a `dyn ErasedExecutor` too.

use std::fmt;
use std::sync::Arc;

use crate::concurrent::futures::map::{Caller, MapIter};
use crate::concurrent::futures::panics;
use crate::concurrent::futures::task::Task;
use crate::future::error::SubmitError;
use crate::future::handle::Future;

/// How to shut an executor down.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{Executor, Shutdown, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(1).build()?;
/// pool.shutdown_with(Shutdown::new().cancel_futures(true).wait(false));
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "hand it to `shutdown_with`"]
pub struct Shutdown {
    pub(super) wait: bool,
    pub(super) cancel_futures: bool,
}

impl Shutdown {
    /// Waits for what was submitted, and cancels nothing.
    pub fn new() -> Self {
        Shutdown { wait: true, cancel_futures: false }
    }

    /// Return only when all that was submitted is over and the workers have ended? By default, yes.
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// Cancel what has not started? By default, no.
    pub fn cancel_futures(mut self, cancel: bool) -> Self {
        self.cancel_futures = cancel;
        self
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// What every executor has, whatever it can run: as an object, too.
///
/// See [`Executor`], which every one is besides.
pub trait ExecutorBase: Send + Sync {
    /// How many tasks run at a time, at most.
    fn max_workers(&self) -> usize;

    /// Takes no more tasks. As `how` says, cancels those that have not started, and waits for the others. May be called
    /// again, and from inside a task, where it cannot wait for itself and returns at once.
    #[doc(alias = "concurrent.futures.Executor.shutdown")]
    fn shutdown_with(&self, how: Shutdown);

    /// Takes no more tasks, and returns once all that was submitted is over and the workers have ended.
    fn shutdown(&self) {
        self.shutdown_with(Shutdown::new());
    }
}

/// Runs tasks somewhere else, and gives a [`Future`] for each.
///
/// # Examples
///
/// Code that does not care where its tasks run:
///
/// ```
/// use gristmill::concurrent::futures::{Calls, Executor, InlineExecutor, ThreadPoolExecutor};
///
/// fn squares<E>(executor: &E) -> u64
/// where
///     E: Executor + Calls<fn(u64) -> u64, u64, u64>,
/// {
///     executor.map((|n| n * n) as fn(u64) -> u64, 1..=10).map(|square| square.unwrap()).sum()
/// }
///
/// assert_eq!(squares(&InlineExecutor::new()), 385);
/// assert_eq!(squares(&ThreadPoolExecutor::new(2)?), 385);
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[doc(alias = "concurrent.futures.Executor")]
pub trait Executor: ExecutorBase {
    /// Has `task` run, in a copy of the caller's [context](crate::contextvars).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{Executor, ThreadPoolExecutor};
    ///
    /// let pool = ThreadPoolExecutor::new(1)?;
    /// let words = vec!["grist", "mill"];
    /// assert_eq!(pool.submit(move || words.concat())?.result()?, "gristmill");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`SubmitError`]: the executor was shut down, or broke, or is full and was told not to wait.
    #[doc(alias = "concurrent.futures.Executor.submit")]
    fn submit<F, R>(&self, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R,
        Self: Runs<F, R>,
    {
        Runs::run(self, task)
    }

    /// Calls `f` with each of `inputs`, as tasks, and returns the results in the order of the inputs.
    ///
    /// The [`MapIter`] can be told more before it is first asked for a result: a time limit for the whole, how many inputs
    /// make a task, how many tasks to have under way, whether the order matters. Nothing is submitted before that first
    /// question, or [`start`](MapIter::start).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{Executor, ThreadPoolExecutor};
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let lengths: Result<Vec<_>, _> = pool.map(|word: &str| word.len(), ["a", "bc", "def"]).collect();
    /// assert_eq!(lengths?, [1, 2, 3]);
    ///
    /// // An input that never ends, eight tasks of a hundred numbers at a time.
    /// let primes = pool.map(|n: u64| (n, (2..n).all(|d| n % d > 0)), 2..).chunk_size(100).buffer_size(8);
    /// let primes = primes.map(Result::unwrap).filter(|&(_, prime)| prime).map(|(n, _)| n);
    /// assert_eq!(primes.take(5).collect::<Vec<_>>(), [2, 3, 5, 7, 11]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "concurrent.futures.Executor.map")]
    fn map<F, I, R>(&self, f: F, inputs: I) -> MapIter<I::IntoIter, R>
    where
        F: Fn(I::Item) -> R,
        I: IntoIterator,
        Self: Calls<F, I::Item, R>,
    {
        MapIter::new(Calls::caller(self, f), inputs.into_iter())
    }

    /// As [`map`](Self::map), over pairs out of two inputs; it ends with the shorter one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{Executor, InlineExecutor};
    ///
    /// let executor = InlineExecutor::new();
    /// let powers = executor.map2(|(base, power)| u64::pow(base, power), [2, 3, 10], [5, 2, 3]);
    /// assert_eq!(powers.collect::<Result<Vec<_>, _>>()?, [32, 9, 1000]);
    /// # Ok::<(), gristmill::concurrent::futures::TaskError>(())
    /// ```
    fn map2<F, I, J, R>(
        &self,
        f: F,
        first: I,
        second: J,
    ) -> MapIter<std::iter::Zip<I::IntoIter, J::IntoIter>, R>
    where
        F: Fn((I::Item, J::Item)) -> R,
        I: IntoIterator,
        J: IntoIterator,
        Self: Calls<F, (I::Item, J::Item), R>,
    {
        MapIter::new(Calls::caller(self, f), first.into_iter().zip(second))
    }
}

impl<E: ExecutorBase + ?Sized> Executor for E {}

/// The executor runs closures of this type, which return an `R`.
pub trait Runs<F, R>: ExecutorBase {
    /// See [`Executor::submit`].
    ///
    /// # Errors
    ///
    /// As there.
    fn run(&self, task: F) -> Result<Future<R>, SubmitError>;
}

/// The executor calls functions of this type with an `A`, for an `R`.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{Calls, InlineExecutor};
///
/// let half = InlineExecutor::new().call(|n: u32| n / 2, 10)?;
/// assert_eq!(half.result()?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Calls<F, A, R>: ExecutorBase {
    /// Has `f(argument)` run.
    ///
    /// # Errors
    ///
    /// As [`Executor::submit`].
    fn call(&self, f: F, argument: A) -> Result<Future<R>, SubmitError>;

    /// What [`Executor::map`] submits with. It does not keep the executor from ending.
    fn caller(&self, f: F) -> Caller<A, R>;
}

/// An executor whose tasks run in this process, as an object: it takes a [`Task`], whatever its closure.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{ErasedExecutor, Executor, InlineExecutor, ThreadPoolExecutor};
///
/// let executors: [Box<dyn ErasedExecutor>; 2] =
///     [Box::new(InlineExecutor::new()), Box::new(ThreadPoolExecutor::new(1)?)];
/// for executor in &executors {
///     assert_eq!(executor.submit(|| 6 * 7)?.result()?, 42);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ErasedExecutor: ExecutorBase {
    /// Has the task [run](Task::run).
    ///
    /// # Errors
    ///
    /// As [`Executor::submit`]; the task was dropped.
    fn execute(&self, task: Task) -> Result<(), SubmitError>;

    /// A way to submit that does not keep the executor from ending.
    fn downgrade(&self) -> Submitter;
}

type Execute = dyn Fn(Task) -> Result<(), SubmitError> + Send + Sync;

/// Submits to an executor, and does not keep it from ending; from [`ErasedExecutor::downgrade`].
#[derive(Clone)]
pub struct Submitter(Arc<Execute>);

impl Submitter {
    /// Submits by this function, which says [`SubmitError::Shutdown`] once the executor has gone.
    pub fn new(execute: impl Fn(Task) -> Result<(), SubmitError> + Send + Sync + 'static) -> Self {
        Submitter(Arc::new(execute))
    }

    /// As [`ErasedExecutor::execute`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn execute(&self, task: Task) -> Result<(), SubmitError> {
        (self.0)(task)
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter").finish_non_exhaustive()
    }
}

impl<E, F, R> Runs<F, R> for E
where
    E: ErasedExecutor + ?Sized,
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    #[inline]
    fn run(&self, task: F) -> Result<Future<R>, SubmitError> {
        let (task, future) = Task::new(task);
        self.execute(task)?;
        Ok(future)
    }
}

impl<E, F, A, R> Calls<F, A, R> for E
where
    E: ErasedExecutor + ?Sized,
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn call(&self, f: F, argument: A) -> Result<Future<R>, SubmitError> {
        Runs::run(self, move || f(argument))
    }

    fn caller(&self, f: F) -> Caller<A, R> {
        let (first, second) = (self.downgrade(), self.downgrade());
        let f = Arc::new(f);
        let g = Arc::clone(&f);
        Caller::new(
            move |argument| {
                let f = Arc::clone(&f);
                let (task, future) = Task::new(move || f(argument));
                first.execute(task)?;
                Ok(future)
            },
            move |arguments: Vec<A>| {
                let f = Arc::clone(&g);
                let (task, future) = Task::new(move || {
                    let each = |argument| panics::caught(|| Ok(f(argument))).map_err(|error| *error);
                    arguments.into_iter().map(each).collect()
                });
                second.execute(task)?;
                Ok(future)
            },
        )
    }
}
