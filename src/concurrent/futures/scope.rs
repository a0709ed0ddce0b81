//! Tasks over borrowed data.

use std::fmt;

use crate::concurrent::futures::panics;
use crate::future::cycle;
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

    /// Has `task` run before the scope ends. Its panic is an error in its future, and the scope does not panic for it.
    pub fn submit<F, R>(&self, task: F) -> Future<R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let (mut promise, future) = Promise::new();
        let captured = crate::contextvars::capture();
        self.0.spawn(move |_| {
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

impl fmt::Debug for PoolScope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolScope").finish_non_exhaustive()
    }
}
