//! The errors of this module under one name.

use crate::sync::{NotHeld, NotLocked, NotOwner};
use crate::thread::{JoinError, ShuttingDown, StackSizeError, StartError};

/// Anything that can go wrong with a thread, for callers who do not tell apart what.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{Thread, ThreadError};
///
/// fn run() -> Result<(), ThreadError> {
///     let thread = Thread::new(|| println!("hello"));
///     thread.start()?;
///     thread.join()?;
///     Ok(())
/// }
/// run().unwrap();
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[doc(alias("threading.ThreadError", "RuntimeError"))]
pub enum ThreadError {
    /// A thread was not started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A thread could not be waited for.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Nobody can have a stack of that size.
    #[error(transparent)]
    StackSize(#[from] StackSizeError),
    /// The process is about to end.
    #[error(transparent)]
    ShuttingDown(#[from] ShuttingDown),
    /// A lock was released that nobody holds.
    #[error(transparent)]
    NotLocked(#[from] NotLocked),
    /// A lock was released that somebody else holds, or nobody.
    #[error(transparent)]
    NotOwner(#[from] NotOwner),
    /// A condition was used without its lock.
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
}
