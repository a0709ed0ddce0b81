//! What others hold of a thread.
//!
//! A thread is new, being started, or started; the first to take the step from new starts it. Besides: its number, the
//! kernel's number, and whether it is done. A thread that was started before a fork, and is not the one that forked,
//! is gone in the child: every question treats it as done.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::{fork, futex};
use crate::thread::done::Done;
use crate::thread::error::{JoinError, StartError};
use crate::thread::ident::{Ident, get_ident};
#[cfg(not(loom))]
use crate::thread::interrupt;

const NEW: u8 = 0;
const STARTING: u8 = 1;
const STARTED: u8 = 2;

#[derive(Debug)]
struct State {
    phase: AtomicU8,
    ident: AtomicU64,
    native_id: AtomicU32,
    /// Counted by forks: the process that the thread is in.
    generation: AtomicU32,
    /// The kernel's number is there.
    begun: Done,
    done: Done,
}

/// A thread that may be started, once, and waited for, by anybody and as often as they like.
///
/// Clones are handles of the same thread. Dropping them all lets the thread run on.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{ThreadHandle, get_ident};
///
/// let handle = ThreadHandle::new();
/// assert_eq!(handle.ident(), None);
/// handle.start(|| println!("{}", get_ident()))?;
/// assert!(handle.ident().is_some());
/// handle.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias("_thread._ThreadHandle", "_ThreadHandle"))]
pub struct ThreadHandle(Arc<State>);

impl ThreadHandle {
    /// A thread that has not been started; [`start`](Self::start) does.
    ///
    /// # Examples
    ///
    /// See [`ThreadHandle`].
    #[must_use]
    pub fn new() -> Self {
        ThreadHandle(Arc::new(State {
            phase: AtomicU8::new(NEW),
            ident: AtomicU64::new(0),
            native_id: AtomicU32::new(0),
            generation: AtomicU32::new(0),
            begun: Done::new(),
            done: Done::new(),
        }))
    }

    /// That of a running thread, for which nobody is responsible but itself.
    pub(crate) fn adopted(ident: Ident, native_id: u32) -> Self {
        let handle = Self::new();
        handle.0.ident.store(ident.get().get(), Ordering::Relaxed);
        handle.0.generation.store(fork::generation(), Ordering::Relaxed);
        handle.begin(native_id);
        handle
    }

    /// Its number, once it was started, also after its end.
    ///
    /// # Examples
    ///
    /// See [`ThreadHandle`].
    #[must_use]
    pub fn ident(&self) -> Option<Ident> {
        Ident::new(self.0.ident.load(Ordering::Relaxed))
    }

    /// The kernel's number of it, once it was started, also after its end. Waits for a thread that is about to begin.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::thread::start_joinable_thread;
    ///
    /// let handle = start_joinable_thread(|| ())?;
    /// assert!(handle.native_id().unwrap() > 0);
    /// # Ok::<(), gristmill::thread::StartError>(())
    /// ```
    #[must_use]
    pub fn native_id(&self) -> Option<u32> {
        if !self.is_started() || self.is_gone() {
            return None;
        }
        self.0.begun.wait(None);
        Some(self.0.native_id.load(Ordering::Relaxed))
    }

    /// Has it been started?
    pub(crate) fn is_started(&self) -> bool {
        // ORDERING(start): Acquire; pairs with the stores in `begin` and `started`.
        self.0.phase.load(Ordering::Acquire) == STARTED
    }

    /// Has it ended? False before it was started.
    ///
    /// A thread has ended when its function is over and, as far as the order in which thread-locals are dropped allows
    /// it, when those are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::thread::start_joinable_thread;
    ///
    /// let handle = start_joinable_thread(|| ())?;
    /// handle.join().unwrap();
    /// assert!(handle.is_done());
    /// # Ok::<(), gristmill::thread::StartError>(())
    /// ```
    #[doc(alias("_thread._ThreadHandle.is_done"))]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.done.is_set() || self.is_gone()
    }

    /// Was it left behind in the process that this one was forked from?
    fn is_gone(&self) -> bool {
        self.is_started()
            && self.0.generation.load(Ordering::Relaxed) != fork::generation()
            && self.ident() != Some(get_ident())
    }

    fn may_join(&self) -> Result<(), JoinError> {
        if self.ident() == Some(get_ident()) {
            Err(JoinError::CurrentThread)
        } else if !self.is_started() {
            Err(JoinError::NotStarted)
        } else {
            Ok(())
        }
    }

    /// Waits for the end of the thread. Returns at once if it has ended.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if it was not started, or is the caller.
    ///
    /// # Examples
    ///
    /// See [`ThreadHandle`].
    ///
    /// # Memory ordering
    ///
    /// What the thread did is seen after the call.
    #[doc(alias("_thread._ThreadHandle.join"))]
    pub fn join(&self) -> Result<(), JoinError> {
        self.join_until(None).map(drop)
    }

    /// As [`join`](Self::join), for `timeout` at most. Has the thread ended?
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::thread::start_joinable_thread;
    ///
    /// let (send, receive) = std::sync::mpsc::channel::<()>();
    /// let handle = start_joinable_thread(move || { let _ = receive.recv(); })?;
    /// assert!(!handle.join_timeout(Duration::from_millis(1))?);
    /// drop(send);
    /// assert!(handle.join_timeout(Duration::MAX)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool, JoinError> {
        if timeout.is_zero() {
            return self.may_join().map(|()| self.is_done());
        }
        self.join_until(futex::deadline(timeout))
    }

    /// As [`join`](Self::join), until `deadline` at most. Has the thread ended?
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gristmill::thread::start_joinable_thread;
    ///
    /// let handle = start_joinable_thread(|| ())?;
    /// assert!(handle.join_deadline(Instant::now() + Duration::from_secs(60))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_deadline(&self, deadline: Instant) -> Result<bool, JoinError> {
        self.join_until(Some(deadline))
    }

    fn join_until(&self, deadline: Option<Instant>) -> Result<bool, JoinError> {
        self.may_join()?;
        Ok(self.is_done() || self.0.done.wait(deadline))
    }

    /// As [`join`](Self::join), for the main thread: [`interrupt_main`](super::interrupt_main) ends the wait. On other
    /// threads it is `join`.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join), and [`JoinError::Interrupted`], which takes the interrupt.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::thread::{JoinError, interrupt_main, start_joinable_thread};
    ///
    /// let (send, receive) = std::sync::mpsc::channel::<()>();
    /// let handle = start_joinable_thread(move || {
    ///     interrupt_main(2).unwrap();
    ///     let _ = receive.recv();
    /// })?;
    /// assert_eq!(handle.join_interruptible(), Err(JoinError::Interrupted(2)));
    /// drop(send);
    /// handle.join_interruptible()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(not(loom))]
    pub fn join_interruptible(&self) -> Result<(), JoinError> {
        self.may_join()?;
        if !crate::thread::ident::is_main_thread() {
            return self.join();
        }
        loop {
            let (word, bell) = interrupt::listen();
            if self.is_done() {
                return Ok(());
            }
            if let Some(signum) = interrupt::take_interrupt() {
                return Err(JoinError::Interrupted(signum));
            }
            self.0.done.wait_or(word, bell, None);
        }
    }

    /// Takes the step from new; gives the thread its number.
    pub(crate) fn claim(&self) -> Result<Ident, StartError> {
        let claimed = self.0.phase.compare_exchange(NEW, STARTING, Ordering::Acquire, Ordering::Relaxed);
        claimed.map_err(|_| StartError::AlreadyStarted)?;
        let ident = Ident::next();
        self.0.ident.store(ident.get().get(), Ordering::Relaxed);
        self.0.generation.store(fork::generation(), Ordering::Relaxed);
        Ok(ident)
    }

    /// The system refused: it is new again.
    pub(crate) fn unclaim(&self) {
        self.0.ident.store(0, Ordering::Relaxed);
        self.0.phase.store(NEW, Ordering::Release);
    }

    /// The system has started it.
    pub(crate) fn started(&self) {
        // ORDERING(start): Release; pairs with the load in `is_started`.
        self.0.phase.store(STARTED, Ordering::Release);
    }

    /// By the thread itself, first of all.
    pub(crate) fn begin(&self, native_id: u32) {
        self.0.native_id.store(native_id, Ordering::Relaxed);
        // ORDERING(start): Release; pairs with the load in `is_started`.
        self.0.phase.store(STARTED, Ordering::Release);
        self.0.begun.set();
    }

    /// By the thread itself, last of all.
    pub(crate) fn finish(&self) {
        self.0.done.set();
    }

    /// By the thread that forked, in the child.
    pub(crate) fn after_fork(&self, native_id: u32) {
        self.0.generation.store(fork::generation(), Ordering::Relaxed);
        self.0.native_id.store(native_id, Ordering::Relaxed);
    }
}

impl Default for ThreadHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for ThreadHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ThreadHandle {}

impl fmt::Debug for ThreadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadHandle")
            .field("ident", &self.ident())
            .field("done", &self.is_done())
            .finish_non_exhaustive()
    }
}
