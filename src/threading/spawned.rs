//! Threads that give a value back.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use crate::thread::end::is_exit;
use crate::thread::{JoinError, StartError};
use crate::threading::body::Run;
use crate::threading::object::Thread;
use crate::unwind::{Payload, drop_quietly};

/// What the thread leaves, and the handle takes.
type Packet<T> = Arc<Mutex<Option<Result<T, Payload>>>>;

/// After the end of the thread, when nobody else has the lock; unless that thread is not in this process.
fn open<T>(packet: &Packet<T>) -> Option<Result<T, Payload>> {
    match packet.try_lock() {
        Ok(mut packet) => packet.take(),
        Err(TryLockError::Poisoned(packet)) => packet.into_inner().take(),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A running thread, and the value that it will give back.
///
/// Dropping it lets the thread run on.
///
/// # Examples
///
/// ```
/// use gristmill::threading::spawn;
///
/// let sum = spawn(|| (1..=4).sum::<u32>())?;
/// assert_eq!(sum.join().unwrap(), 10);
/// # Ok::<(), gristmill::threading::StartError>(())
/// ```
pub struct JoinHandle<T> {
    thread: Thread,
    packet: Packet<T>,
}

/// Why a thread gave no value back.
///
/// # Examples
///
/// See [`JoinHandle::join`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinFailure {
    /// It panicked, with this. The [`excepthook`](super::set_excepthook) has been told.
    #[error("the thread panicked")]
    Panicked(Box<dyn Any + Send>),
    /// It ended by [`exit`](crate::thread::exit).
    #[error("the thread ended itself before it had a result")]
    Exited,
    /// It was left behind in the process that this one was forked from, or could not be set up.
    #[error("the thread is not in this process")]
    Gone,
    /// It could not be waited for.
    #[error(transparent)]
    Join(#[from] JoinError),
}

/// Starts `thread`, which `build` makes of what it is to run.
pub(crate) fn spawn<T, F>(f: F, build: impl FnOnce(Run) -> Thread) -> Result<JoinHandle<T>, StartError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let packet: Packet<T> = Arc::default();
    let theirs = Arc::clone(&packet);
    let thread = build(Box::new(move |stage| {
        let result = stage.call(f);
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        // If nobody holds the handle any more, this drops the result.
        drop_quietly(theirs);
    }));
    thread.start()?;
    Ok(JoinHandle { thread, packet })
}

impl<T> JoinHandle<T> {
    /// The thread.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = gristmill::threading::spawn(|| ())?;
    /// assert!(handle.thread().ident().is_some());
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Has the thread ended?
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = gristmill::threading::spawn(|| ())?;
    /// handle.thread().join()?;
    /// assert!(handle.is_finished());
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.thread.is_alive()
    }

    /// Waits for the thread to end, and takes its value.
    ///
    /// # Errors
    ///
    /// [`JoinFailure`] if it panicked, ended itself, or cannot be waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{JoinFailure, spawn};
    /// use gristmill::thread::exit;
    ///
    /// assert_eq!(spawn(|| 6 * 7)?.join().unwrap(), 42);
    /// assert!(matches!(spawn(|| -> u32 { exit() })?.join(), Err(JoinFailure::Exited)));
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    ///
    /// # Memory ordering
    ///
    /// What the thread did is seen after the call.
    pub fn join(self) -> Result<T, JoinFailure> {
        self.thread.join()?;
        self.take()
    }

    /// As [`join`](Self::join), for `timeout` at most.
    ///
    /// # Errors
    ///
    /// The handle itself, if the time is over first. Within the result: as for [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::spawn;
    ///
    /// let (send, receive) = std::sync::mpsc::channel();
    /// let handle = spawn(move || receive.recv().unwrap())?;
    /// let handle = handle.join_timeout(Duration::from_millis(1)).unwrap_err();
    /// send.send(7).unwrap();
    /// assert_eq!(handle.join_timeout(Duration::MAX).unwrap().unwrap(), 7);
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, JoinFailure>, Self> {
        match self.thread.join_timeout(timeout) {
            Ok(true) => Ok(self.take()),
            Ok(false) => Err(self),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn take(self) -> Result<T, JoinFailure> {
        match open(&self.packet) {
            Some(Ok(value)) => Ok(value),
            Some(Err(payload)) if is_exit(&payload) => Err(JoinFailure::Exited),
            Some(Err(payload)) => Err(JoinFailure::Panicked(payload)),
            None => Err(JoinFailure::Gone),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.thread).finish()
    }
}
