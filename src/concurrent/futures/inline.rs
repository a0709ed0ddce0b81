//! `InlineExecutor`: no threads at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::concurrent::futures::executor::{ErasedExecutor, ExecutorBase, Shutdown, Submitter};
use crate::concurrent::futures::panics;
use crate::concurrent::futures::task::Task;
use crate::future::error::SubmitError;

/// An executor that runs each task in the calling thread, before `submit` returns.
///
/// For tests of code that takes an executor, and for finding out what is slow, or wrong, without threads.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{Executor, InlineExecutor};
///
/// let executor = InlineExecutor::new();
/// let future = executor.submit(|| 6 * 7)?;
/// assert!(future.done());
/// assert_eq!(future.result()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct InlineExecutor {
    closed: Arc<AtomicBool>,
}

impl InlineExecutor {
    /// An executor that has not been shut down.
    #[must_use]
    pub fn new() -> Self {
        panics::note_places();
        InlineExecutor::default()
    }

    /// How many tasks run at a time, at most.
    #[must_use]
    pub fn max_workers(&self) -> usize {
        ExecutorBase::max_workers(self)
    }

    /// Takes no more tasks, and returns once all that was submitted is over; see [`ExecutorBase::shutdown_with`].
    pub fn shutdown(&self) {
        ExecutorBase::shutdown(self);
    }

    /// Takes no more tasks; see [`ExecutorBase::shutdown_with`].
    pub fn shutdown_with(&self, how: Shutdown) {
        ExecutorBase::shutdown_with(self, how);
    }
}

fn execute(closed: &AtomicBool, task: Task) -> Result<(), SubmitError> {
    if closed.load(Ordering::Acquire) {
        return Err(SubmitError::Shutdown);
    }
    task.run();
    Ok(())
}

impl ExecutorBase for InlineExecutor {
    /// One: the caller.
    fn max_workers(&self) -> usize {
        1
    }

    fn shutdown_with(&self, _: Shutdown) {
        self.closed.store(true, Ordering::Release);
    }
}

impl ErasedExecutor for InlineExecutor {
    fn execute(&self, task: Task) -> Result<(), SubmitError> {
        execute(&self.closed, task)
    }

    fn downgrade(&self) -> Submitter {
        let closed = Arc::downgrade(&self.closed);
        Submitter::new(move |task| execute(&*closed.upgrade().ok_or(SubmitError::Shutdown)?, task))
    }
}
