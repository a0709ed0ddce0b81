//! How futures end, and what states they are in until then.

/// How a future ended.
///
/// What a [done callback](crate::concurrent::futures::Future::add_done_callback) is told.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{Ended, Promise};
///
/// let (promise, future) = Promise::new();
/// future.add_done_callback(|ended| assert_eq!(ended, Ended::Returned));
/// promise.set_result(1).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// With a result.
    Returned,
    /// With an error other than being cancelled.
    Raised,
    /// It was cancelled.
    Cancelled,
}

/// The state of a future, as Python names them.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{FutureState, Promise};
///
/// let (promise, future) = Promise::<u8>::new();
/// assert_eq!(future.state(), FutureState::Pending);
/// future.cancel();
/// assert_eq!(future.state(), FutureState::Cancelled);
/// drop(promise); // it lets go without another word
/// assert_eq!(future.state(), FutureState::CancelledAndNotified);
/// ```
#[doc(alias = "concurrent.futures._base.PENDING")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FutureState {
    /// Nobody has started it.
    Pending,
    /// It is being run.
    Running,
    /// It was cancelled, and whoever was to run it has not come by yet.
    Cancelled,
    /// It was cancelled, and whoever was to run it knows.
    CancelledAndNotified,
    /// It has a result or an error.
    Finished,
}
