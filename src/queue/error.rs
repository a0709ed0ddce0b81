//! What can be wrong.

/// An item could not be put. It is in the error.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{PutError, Queue};
///
/// let queue = Queue::new(1);
/// queue.try_put("first")?;
/// assert_eq!(queue.try_put("second"), Err(PutError::Full("second")));
/// queue.shutdown();
/// let error = queue.try_put("third").unwrap_err();
/// assert_eq!(error, PutError::ShutDown("third"));
/// assert_eq!(error.into_inner(), "third");
/// # Ok::<(), PutError<&str>>(())
/// ```
#[doc(alias = "queue.Full")]
#[doc(alias = "queue.ShutDown")]
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError<T> {
    /// There was no room, or none in time.
    #[error("the queue is full")]
    Full(T),
    /// The queue has been shut down: nothing can be put any more.
    #[error("the queue has been shut down")]
    ShutDown(T),
}

impl<T> PutError<T> {
    /// The item.
    ///
    /// # Examples
    ///
    /// See [`PutError`].
    pub fn into_inner(self) -> T {
        match self {
            PutError::Full(item) | PutError::ShutDown(item) => item,
        }
    }
}

// By hand, as items need no `Debug` for the error to be one.
impl<T> std::fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PutError::Full(_) => "Full(..)",
            PutError::ShutDown(_) => "ShutDown(..)",
        })
    }
}

/// There was no item to get.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{GetError, Queue};
///
/// let queue = Queue::<u32>::new(0);
/// assert_eq!(queue.try_get(), Err(GetError::Empty));
/// queue.shutdown();
/// assert_eq!(queue.try_get(), Err(GetError::ShutDown));
/// ```
#[doc(alias = "queue.Empty")]
#[doc(alias = "queue.ShutDown")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// There was none, or none in time.
    #[error("the queue is empty")]
    Empty,
    /// The queue has been shut down and is empty: there will be none.
    #[error("the queue has been shut down and is empty")]
    ShutDown,
}

/// The queue has been shut down: nothing can be put any more, or, once it is empty, got. An item that could not be put
/// is in it.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Queue, ShutDown};
///
/// let queue = Queue::new(0);
/// queue.put(1)?;
/// queue.shutdown();
/// assert_eq!(queue.put(2), Err(ShutDown(2)));
/// assert_eq!(queue.get(), Ok(1));
/// assert_eq!(queue.get(), Err(ShutDown(())));
/// # Ok::<(), ShutDown<i32>>(())
/// ```
#[doc(alias = "queue.ShutDown")]
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue has been shut down")]
pub struct ShutDown<T = ()>(
    /// What could not be put.
    pub T,
);

impl<T> std::fmt::Debug for ShutDown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShutDown(..)")
    }
}

impl<T> From<ShutDown<T>> for PutError<T> {
    fn from(ShutDown(item): ShutDown<T>) -> Self {
        PutError::ShutDown(item)
    }
}

impl From<ShutDown> for GetError {
    fn from(_: ShutDown) -> Self {
        GetError::ShutDown
    }
}

/// A [`SimpleQueue`](super::SimpleQueue) had no item, or none in time.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Empty, SimpleQueue};
///
/// assert_eq!(SimpleQueue::<u32>::new().try_get(), Err(Empty));
/// ```
#[doc(alias = "queue.Empty")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue is empty")]
pub struct Empty;

impl From<Empty> for GetError {
    fn from(_: Empty) -> Self {
        GetError::Empty
    }
}

/// [`task_done`](super::TrackedQueue::task_done) was called more often than items had been put.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Queue, TooManyTaskDone};
///
/// assert_eq!(Queue::<u32>::new(0).task_done(), Err(TooManyTaskDone));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("task_done() was called more often than items had been put; call it once for each item that you got")]
pub struct TooManyTaskDone;
