//! A thread as an object: what it is called, whether it lives, waiting for it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::sys::fork::Kept;
use crate::thread::{self, Ident, JoinError, StartError, ThreadHandle, get_ident, hold};
use crate::threading::body::Body;
use crate::threading::naming;

/// Who started a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// This module did, or will.
    Own,
    /// The system did, with the process.
    Main,
    /// Somebody else.
    Foreign,
}

struct Facts {
    name: Arc<str>,
    daemon: bool,
}

struct Inner {
    handle: ThreadHandle,
    /// A [`Kind`]: a foreign thread that forks is the main thread of the child.
    kind: AtomicU8,
    facts: Kept<Facts>,
    /// What it will run, until it does.
    body: Kept<Option<Body>>,
}

/// A thread: one to be started, a running one, or one that has ended.
///
/// Clones are handles of the same thread, and equal. To get a value back from a thread, see [`spawn`](super::spawn);
/// for names, stacks and CPUs, [`ThreadBuilder`](super::ThreadBuilder).
///
/// Python's `Thread` takes `args` and `kwargs` for its target; here the closure captures them. It has no `group`
/// either, and instead of overriding `run` a type implements [`Runnable`](super::Runnable). All methods may be called
/// from any thread at any time.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{Thread, current_thread};
///
/// let thread = Thread::new(|| println!("{} here", current_thread().name()));
/// assert!(!thread.is_alive());
/// thread.start()?;
/// thread.join()?;
/// assert!(!thread.is_alive());
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[derive(Clone)]
#[doc(alias("threading.Thread", "_DummyThread", "_MainThread"))]
pub struct Thread(Arc<Inner>);

impl Thread {
    pub(crate) fn with(
        handle: ThreadHandle,
        kind: Kind,
        name: String,
        daemon: bool,
        body: Option<Body>,
    ) -> Self {
        Thread(Arc::new(Inner {
            handle,
            kind: AtomicU8::new(kind as u8),
            facts: Kept::new(Facts { name: name.into(), daemon }),
            body: Kept::new(body),
        }))
    }

    pub(crate) fn handle(&self) -> &ThreadHandle {
        &self.0.handle
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.0.kind.load(Ordering::Relaxed) {
            kind if kind == Kind::Own as u8 => Kind::Own,
            kind if kind == Kind::Main as u8 => Kind::Main,
            _ => Kind::Foreign,
        }
    }

    /// What it runs; once.
    pub(crate) fn take_body(&self) -> Option<Body> {
        self.0.body.with(Option::take)
    }

    /// Shows `look` what it will run, if it does not yet.
    pub(crate) fn with_body<R>(&self, look: impl FnOnce(&mut Body) -> R) -> Option<R> {
        self.0.body.with(|body| body.as_mut().map(look))
    }

    /// The calling thread forked; it is the main thread of this process.
    pub(crate) fn become_main(&self, native_id: u32) {
        self.0.handle.after_fork(native_id);
        if self.kind() == Kind::Foreign {
            self.0.kind.store(Kind::Main as u8, Ordering::Relaxed);
            let new = Facts { name: naming::MAIN.into(), daemon: false };
            drop(self.0.facts.with(|facts| std::mem::replace(facts, new)));
        }
    }

    /// Its name, which means nothing and need not be unique.
    ///
    /// Unless it was given one: `Thread-N`, with the name of its function behind it if it has one; `MainThread`;
    /// `Dummy-N` for threads that others started.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::Thread;
    ///
    /// fn grind() {}
    /// assert!(Thread::new(grind).name().ends_with(" (grind)"));
    /// ```
    #[doc(alias("threading.Thread.getName"))]
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.0.facts.with(|facts| facts.name.clone())
    }

    /// Gives it another name.
    ///
    /// The system learns of it (cut at the first NUL, then to 15 bytes; nothing of an empty one) when the thread
    /// starts, or here if it is the calling thread. Messages of the panic hook have the name that it started with.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{thread, threading::{Thread, current_thread}};
    ///
    /// let thread = Thread::new(|| {
    ///     assert_eq!(thread::get_name(), "first");
    ///     current_thread().set_name("second");
    ///     assert_eq!(thread::get_name(), "second");
    /// });
    /// thread.set_name("first");
    /// thread.start()?;
    /// thread.join()?;
    /// assert_eq!(&*thread.name(), "second");
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    #[doc(alias("threading.Thread.setName"))]
    pub fn set_name(&self, name: &str) {
        let new: Arc<str> = name.into();
        drop(self.0.facts.with(|facts| std::mem::replace(&mut facts.name, new)));
        if self.ident() == Some(get_ident()) && !name.split('\0').next().unwrap_or_default().is_empty() {
            thread::set_name(name);
        }
    }

    /// Its number, once it was started, also after its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{Thread, current_thread, get_ident};
    ///
    /// assert_eq!(current_thread().ident(), Some(get_ident()));
    /// assert_eq!(Thread::new(|| ()).ident(), None);
    /// ```
    #[doc(alias("threading.Thread.ident"))]
    #[must_use]
    pub fn ident(&self) -> Option<Ident> {
        self.0.handle.ident()
    }

    /// The kernel's number of it, once it was started, also after its end. In a forked child, that which the forking
    /// thread has there.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{current_thread, get_native_id};
    ///
    /// assert_eq!(current_thread().native_id(), Some(get_native_id()));
    /// ```
    #[doc(alias("threading.Thread.native_id"))]
    #[must_use]
    pub fn native_id(&self) -> Option<u32> {
        self.0.handle.native_id()
    }

    /// Was it started, and has not ended? The main thread lives until [`shutdown`](super::shutdown) begins.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(gristmill::threading::current_thread().is_alive());
    /// ```
    #[doc(alias("threading.Thread.is_alive"))]
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.handle.is_started() && !self.0.handle.is_done()
    }

    /// Does the end of the process leave it where it is, rather than wait for it? See [`shutdown`](super::shutdown).
    ///
    /// Unless it was told otherwise it is like the thread that made it. The main thread is none, threads that others
    /// started are.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{main_thread, Thread};
    ///
    /// assert!(!main_thread().is_daemon());
    /// assert!(Thread::builder().daemon(true).build(|| ()).is_daemon());
    /// ```
    #[doc(alias("threading.Thread.daemon", "threading.Thread.isDaemon"))]
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.0.facts.with(|facts| facts.daemon)
    }

    /// Makes it a daemon, or not.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] once it was started.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{Thread, main_thread};
    ///
    /// let thread = Thread::new(|| ());
    /// thread.set_daemon(true)?;
    /// assert!(thread.is_daemon());
    /// assert!(main_thread().set_daemon(true).is_err());
    /// # Ok::<(), gristmill::thread::StartError>(())
    /// ```
    #[doc(alias("threading.Thread.setDaemon"))]
    pub fn set_daemon(&self, daemon: bool) -> Result<(), StartError> {
        if self.ident().is_some() {
            return Err(StartError::AlreadyStarted);
        }
        self.0.facts.with(|facts| facts.daemon = daemon);
        Ok(())
    }

    fn may_join(&self) -> Result<(), JoinError> {
        if self.ident() == Some(get_ident()) {
            Err(JoinError::CurrentThread)
        } else if self.kind() == Kind::Foreign {
            Err(JoinError::Foreign)
        } else if self.is_alive() && hold::is_final() && self.is_daemon() {
            Err(JoinError::ShuttingDown)
        } else {
            Ok(())
        }
    }

    /// Waits for its end. Any number of threads may, as often as they like; at once if it has ended.
    ///
    /// That a panic ended it is no error here: the [`excepthook`](super::set_excepthook) is told. Joining the main
    /// thread waits for [`shutdown`](super::shutdown) to begin.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if it was not started, is the caller, or was started by others; or if it is a daemon that still
    /// runs after `shutdown`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{JoinError, Thread, current_thread};
    ///
    /// let thread = Thread::new(|| assert_eq!(current_thread().join(), Err(JoinError::CurrentThread)));
    /// assert_eq!(thread.join(), Err(JoinError::NotStarted));
    /// thread.start()?;
    /// thread.join()?;
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    ///
    /// # Memory ordering
    ///
    /// What the thread did is seen after the call.
    #[doc(alias("threading.Thread.join"))]
    pub fn join(&self) -> Result<(), JoinError> {
        self.may_join()?;
        self.0.handle.join()
    }

    /// As [`join`](Self::join), for `timeout` at most. Has it ended?
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::threading::Thread;
    ///
    /// let (send, receive) = std::sync::mpsc::channel::<()>();
    /// let thread = Thread::new(move || { let _ = receive.recv(); });
    /// thread.start()?;
    /// assert!(!thread.join_timeout(Duration::ZERO)?); // a poll
    /// drop(send);
    /// assert!(thread.join_timeout(Duration::MAX)?); // for ever
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool, JoinError> {
        self.may_join()?;
        self.0.handle.join_timeout(timeout)
    }

    /// As [`join`](Self::join), until `deadline` at most. Has it ended?
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gristmill::threading::Thread;
    ///
    /// let thread = Thread::new(|| ());
    /// thread.start()?;
    /// assert!(thread.join_deadline(Instant::now() + Duration::from_secs(60))?);
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    pub fn join_deadline(&self, deadline: Instant) -> Result<bool, JoinError> {
        self.may_join()?;
        self.0.handle.join_deadline(deadline)
    }

    /// As [`join`](Self::join), for the main thread: [`interrupt_main`](crate::thread::interrupt_main) ends the wait.
    /// On other threads it is `join`.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join), and [`JoinError::Interrupted`].
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{thread::interrupt_main, threading::{JoinError, Thread}};
    ///
    /// let (send, receive) = std::sync::mpsc::channel::<()>();
    /// let thread = Thread::new(move || {
    ///     interrupt_main(2).unwrap();
    ///     let _ = receive.recv();
    /// });
    /// thread.start()?;
    /// assert_eq!(thread.join_interruptible(), Err(JoinError::Interrupted(2)));
    /// # drop(send);
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    #[cfg(not(loom))]
    pub fn join_interruptible(&self) -> Result<(), JoinError> {
        self.may_join()?;
        self.0.handle.join_interruptible()
    }
}

impl PartialEq for Thread {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Thread {}

impl Hash for Thread {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// As `<Thread(name, started daemon 7)>`.
impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.ident() {
            None => "initial",
            Some(_) if self.0.handle.is_done() => "stopped",
            Some(_) => "started",
        };
        let daemon = if self.is_daemon() { " daemon" } else { "" };
        let kind = match self.kind() {
            Kind::Own => "Thread",
            Kind::Main => "MainThread",
            Kind::Foreign => "DummyThread",
        };
        write!(f, "<{kind}({}, {state}{daemon}", self.name())?;
        match self.ident() {
            Some(ident) => write!(f, " {ident})>"),
            None => write!(f, ")>"),
        }
    }
}
