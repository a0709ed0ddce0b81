//! `SharedFuture`: a future for several owners.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::future::cell::Handle;
use crate::future::ended::{Ended, FutureState};
use crate::future::error::TaskError;
use crate::future::handle::Future;
use crate::future::slot::Slot;

/// A [`Future`] that several threads or tasks wait for; each gets a clone of the result, or looks at it.
///
/// Clones are handles to the same task. This is the one that behaves as Python's: its result can be asked for any number
/// of times, and callbacks get the future.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::ThreadPoolExecutor;
///
/// let pool = ThreadPoolExecutor::builder().max_workers(2).build()?;
/// let table = pool.submit(|| vec![1, 4, 9])?.share();
/// let sums = [1, 2].map(|factor| {
///     let table = table.clone();
///     pool.submit(move || table.result_ref().map(|table| factor * table.iter().sum::<i32>()).ok())
/// });
/// for (factor, sum) in (1..).zip(sums) {
///     assert_eq!(sum?.result()?, Some(14 * factor));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "concurrent.futures.Future")]
#[must_use = "a future that is dropped lets its task run, and its result is lost"]
pub struct SharedFuture<T> {
    future: Arc<Future<T>>,
    slot: Slot,
}

impl<T> Future<T> {
    /// Makes it one that can be cloned. One more allocation.
    pub fn share(self) -> SharedFuture<T> {
        SharedFuture { future: Arc::new(self), slot: Slot::default() }
    }
}

impl<T> SharedFuture<T> {
    pub(crate) fn core(&self) -> Handle<'_> {
        self.future.core()
    }

    /// Waits for the result and returns a clone of it. As [`Future::result`] otherwise.
    ///
    /// # Errors
    ///
    /// As [`Future::result`].
    pub fn result(&self) -> Result<T, TaskError>
    where
        T: Clone,
    {
        self.future.result_ref().cloned().map_err(Clone::clone)
    }

    /// As [`result`](Self::result), for `timeout` at most; zero asks without waiting.
    ///
    /// # Errors
    ///
    /// As [`Future::result`], and [`TaskError::Timeout`].
    pub fn result_timeout(&self, timeout: Duration) -> Result<T, TaskError>
    where
        T: Clone,
    {
        self.future.result_ref_timeout(timeout).cloned().map_err(Clone::clone)
    }

    /// Waits for the result and looks at it.
    ///
    /// # Errors
    ///
    /// As [`Future::result`].
    pub fn result_ref(&self) -> Result<&T, &TaskError> {
        self.future.result_ref()
    }

    /// As [`result_ref`](Self::result_ref), for `timeout` at most.
    ///
    /// # Errors
    ///
    /// As [`Future::result`], and [`TaskError::Timeout`].
    pub fn result_ref_timeout(&self, timeout: Duration) -> Result<&T, &TaskError> {
        self.future.result_ref_timeout(timeout)
    }

    /// Waits until the task is done, and returns its error if it has one; see [`Future::exception`].
    pub fn exception(&self) -> Option<&TaskError> {
        self.future.exception()
    }

    /// As [`exception`](Self::exception), for `timeout` at most; then that is [`TaskError::Timeout`].
    pub fn exception_timeout(&self, timeout: Duration) -> Option<&TaskError> {
        self.future.exception_timeout(timeout)
    }

    /// Waits until the task is done, for `timeout` at most; is it done?
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.future.wait_timeout(timeout)
    }

    /// Keeps the task from being run, for all owners, if it has not started; see [`Future::cancel`].
    pub fn cancel(&self) -> bool {
        self.future.cancel()
    }

    /// Was it cancelled?
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.future.cancelled()
    }

    /// Is it being run?
    #[must_use]
    pub fn running(&self) -> bool {
        self.future.running()
    }

    /// Has it a result or an error, or was it cancelled?
    #[must_use]
    pub fn done(&self) -> bool {
        self.future.done()
    }

    /// What state it is in.
    #[must_use]
    pub fn state(&self) -> FutureState {
        self.future.state()
    }

    /// Calls `call` with this future once it is done; see [`Future::add_done_callback`].
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::Promise;
    ///
    /// let (promise, future) = Promise::new();
    /// future.share().add_done_callback(|future| assert_eq!(future.result().unwrap(), 5));
    /// promise.set_result(5).unwrap();
    /// ```
    pub fn add_done_callback(&self, call: impl FnOnce(&SharedFuture<T>) + Send + 'static)
    where
        T: Send + Sync + 'static,
    {
        let this = self.clone();
        self.future.add_done_callback(move |_| call(&this));
    }
}

impl<T> Clone for SharedFuture<T> {
    fn clone(&self) -> Self {
        SharedFuture { future: Arc::clone(&self.future), slot: Slot::default() }
    }
}

impl<T> Drop for SharedFuture<T> {
    fn drop(&mut self) {
        self.slot.empty(&self.future.core());
    }
}

impl<T: Clone> std::future::Future for SharedFuture<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.slot
            .poll(&this.future.core(), context)
            .map(|()| this.future.result_ref().cloned().map_err(Clone::clone))
    }
}

impl<T> fmt::Debug for SharedFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SharedFuture");
        shown.field("state", &self.state());
        match self.core().load().ended() {
            Some(Ended::Returned) => shown.field("returned", &std::any::type_name::<T>()),
            Some(Ended::Raised) => shown.field("raised", &self.exception()),
            _ => &mut shown,
        };
        shown.finish_non_exhaustive()
    }
}
