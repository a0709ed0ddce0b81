//! Tasks over borrowed data.

use std::fmt;

use crate::concurrent::futures::panics;
use crate::future::cycle;
use crate::future::error::TaskError;
use crate::future::handle::Future;
use crate::future::promise::Promise;
use crate::mill::scope::Scope;

/// Submits tasks that may borrow whatever outlives the call of [`ThreadPoolExecutor::scope`](super::ThreadPoolExecutor::scope).
///
/// # Examples
///
/// See there.
#[derive(Clone, Copy)]
pub struct PoolScope<'a, 'scope>(&'a Scope<'scope>);

impl<'a, 'scope> PoolScope<'a, 'scope> {
    pub(super) fn new(scope: &'a Scope<'scope>) -> Self {
        PoolScope(scope)
    }

    /// Has `task` run before the scope ends. Its panic is an error in its future, and the scope does not panic for it. If it
    /// is cancelled, what it has captured is dropped when its turn comes, and before the scope ends.
    pub fn submit<F, R>(&self, task: F) -> Future<R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let (promise, future) = Promise::new();
        let captured = crate::contextvars::capture();
        let mut owed = Owed(Some(promise));
        self.0.spawn(move |_| {
            let Some(mut promise) = owed.0.take() else { return };
            if promise.set_running_or_notify_cancel() != Ok(true) {
                return;
            }
            let address = promise.address();
            let outcome =
                cycle::open(address, || panics::caught(|| Ok(captured.run(task)))).map_err(|error| *error);
            // It was started, so it cannot be cancelled any more.
            let _kept = promise.complete(outcome);
        });
        future
    }
}

/// A promise whose task is dropped if the scope is cancelled before it runs.
struct Owed<R>(Option<Promise<R>>);

impl<R> Drop for Owed<R> {
    fn drop(&mut self) {
        if let Some(promise) = self.0.take() {
            // If its future was cancelled, that is the same.
            let _cancelled = promise.complete(Err(TaskError::Cancelled));
        }
    }
}

impl fmt::Debug for PoolScope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolScope").finish_non_exhaustive()
    }
}
