//! What goes wrong with tasks, as values.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a future has no result, or not yet.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{TaskError, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(1).build()?;
/// let future = pool.submit(|| -> u32 { panic!("no such file") })?;
/// match future.result() {
///     Err(TaskError::Panicked { message, .. }) => assert_eq!(message, "no such file"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It was cancelled: by [`cancel`](crate::concurrent::futures::Future::cancel), by a shutdown, or by the
    /// [token](crate::CancelToken) that it ran under.
    #[doc(alias = "concurrent.futures.CancelledError")]
    #[error("the task was cancelled")]
    Cancelled,
    /// The wait was over before the task. That goes on, and the future can be waited for again.
    #[doc(alias = "concurrent.futures.TimeoutError")]
    #[error("the task was not done in time; it goes on, and can be waited for again")]
    Timeout,
    /// The task's own deadline passed before it was over.
    #[error("the deadline of the task passed before it was over")]
    Expired,
    /// The task panicked.
    #[error("the task panicked{}: {message}", At(.location))]
    Panicked {
        /// What it panicked with, if that was text.
        message: String,
        /// Where, if the panic hook that executors put in was still there.
        location: Option<PanicLocation>,
    },
    /// Whoever was to provide the result has gone without it.
    #[error("whoever was to provide the result has gone without it")]
    Abandoned,
    /// Waiting for this task from here would never end: it waits, by way of others or itself, for the caller.
    #[error("waiting for this task would never end: it waits for the one that asked")]
    Deadlock,
    /// The executor broke before the task could run, or while it ran.
    #[error(transparent)]
    Broken(#[from] BrokenExecutor),
    /// The executor did not take the task.
    #[error("the task was not taken: {0}")]
    Rejected(#[from] SubmitError),
    /// What a [promise](crate::concurrent::futures::Promise::set_exception) was broken with.
    #[error("{0}")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
    /// The result was taken before.
    #[error("the result has been taken before; share the future if several need it")]
    Taken,
}

/// Where a panic was.
///
/// # Examples
///
/// See [`TaskError`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PanicLocation {
    /// The source file, as the compiler was told.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl PanicLocation {
    pub(crate) fn new(location: &std::panic::Location<'_>) -> Self {
        let file = location.file().to_owned();
        PanicLocation { file, line: location.line(), column: location.column() }
    }
}

impl fmt::Display for PanicLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

struct At<'a>(&'a Option<PanicLocation>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

/// An executor that broke takes no tasks any more, and those that it had end with this.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{BrokenExecutor, TaskError, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::builder().try_initializer(|| Err("no licence".into())).build()?;
/// let error = match pool.submit(|| 1) {
///     Ok(future) => future.result().unwrap_err(), // it was taken before the first worker started
///     Err(refused) => TaskError::from(refused),
/// };
/// assert!(error.to_string().contains("no licence"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "concurrent.futures.BrokenExecutor")]
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenExecutor {
    /// An initializer of a thread pool failed.
    #[doc(alias = "concurrent.futures.thread.BrokenThreadPool")]
    #[error("a thread initializer failed, so the pool is not usable any more: {reason}")]
    #[non_exhaustive]
    BrokenThreadPool {
        /// What it failed with.
        reason: Arc<str>,
    },
}

/// Why an executor did not take a task. The task was dropped.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{Executor, SubmitError, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(1).build()?;
/// pool.shutdown();
/// assert!(matches!(pool.submit(|| 1), Err(SubmitError::Shutdown)));
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The executor has been shut down.
    #[error("cannot schedule new tasks after shutdown")]
    Shutdown,
    /// The executor broke.
    #[error(transparent)]
    Broken(#[from] BrokenExecutor),
    /// As many tasks wait as the executor was told to let wait.
    #[error("the executor's queue is full; submit again later, or let `submit` wait for room")]
    Full,
    /// This process was forked from the one that made the executor, and has none of its threads.
    #[error(
        "this process was forked after the executor was made, and has none of its workers; make one here"
    )]
    Forked,
}

/// What was to be done to a future does not go with its state.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::Promise;
///
/// let (promise, future) = Promise::new();
/// assert!(future.cancel());
/// let error = promise.set_result(7).unwrap_err();
/// assert_eq!(error.to_string(), "the future is cancelled and takes no result");
/// ```
#[doc(alias = "concurrent.futures.InvalidStateError")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStateError {
    /// It was cancelled.
    #[error("the future is cancelled and takes no result")]
    Cancelled,
    /// Its run has begun already, or it knows that it was cancelled.
    #[error("the future is {0}: only one that is pending, or was cancelled just now, can be started")]
    Started(&'static str),
}

/// Some of the futures were not done when the time was up.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::concurrent::futures::{Promise, as_completed};
///
/// let (_promise, future) = Promise::<u8>::new();
/// let error = as_completed([&future]).timeout(Duration::ZERO).next().unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "1 (of 1) futures unfinished");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{pending} (of {total}) futures unfinished")]
#[non_exhaustive]
pub struct Unfinished {
    /// How many were not done.
    pub pending: usize,
    /// Of how many.
    pub total: usize,
}

impl Unfinished {
    pub(crate) fn new(pending: usize, total: usize) -> Self {
        Unfinished { pending, total }
    }
}
