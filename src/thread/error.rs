//! What can go wrong with starting a thread and with waiting for one.

use std::io;

/// Why a thread was not started.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{StartError, ThreadHandle};
///
/// let handle = ThreadHandle::new();
/// handle.start(|| ())?;
/// assert!(matches!(handle.start(|| ()), Err(StartError::AlreadyStarted)));
/// # handle.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[doc(alias("RuntimeError", "_thread.error"))]
pub enum StartError {
    /// It has been started before. A thread object is for one thread; make another.
    #[error("this thread has been started before; make another one")]
    AlreadyStarted,
    /// The system has no more threads to give, or no memory for a stack of that size. Nothing has changed: it may be
    /// started again.
    #[error("the system does not start another thread: {0}")]
    Os(#[source] io::Error),
    /// The new thread could not be set up as asked (its CPUs, its niceness), so it ended without doing anything.
    #[error("the new thread could not be set up: {what}: {error}")]
    Setup {
        /// What was asked for.
        what: &'static str,
        /// What the system said to it.
        #[source]
        error: io::Error,
    },
    /// [`threading::shutdown`](crate::threading::shutdown) is over; the process is about to end.
    #[error("{ShuttingDown}")]
    ShuttingDown,
}

/// Why a thread could not be waited for.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{JoinError, ThreadHandle};
///
/// assert_eq!(ThreadHandle::new().join(), Err(JoinError::NotStarted));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[doc(alias("RuntimeError", "PythonFinalizationError"))]
pub enum JoinError {
    /// It has not been started. Start it first.
    #[error("this thread has not been started; start it before waiting for it")]
    NotStarted,
    /// It is the calling thread, which would wait for ever.
    #[error("a thread cannot wait for its own end")]
    CurrentThread,
    /// It was started by somebody else, as by `std::thread`, who alone can wait for it.
    #[error("this thread was not started by gristmill; wait for it with whatever started it")]
    Foreign,
    /// [`threading::shutdown`](crate::threading::shutdown) is over, and this is a daemon, which may never end.
    #[error("the process is shutting down, and a daemon thread may never end")]
    ShuttingDown,
    /// [`interrupt_main`](super::interrupt_main) was called with this signal number while the main thread waited.
    #[error("the main thread was interrupted by signal {0} while it waited")]
    Interrupted(i32),
}

/// It is too late for that: [`threading::shutdown`](crate::threading::shutdown) has begun.
///
/// # Examples
///
/// See [`register_atexit`](crate::threading::register_atexit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the process is shutting down")]
pub struct ShuttingDown;
