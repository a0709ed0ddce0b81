//! Starting threads without ceremony, and what happens when one panics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::sys::fork::Kept;
use crate::thread::end::is_exit;
use crate::thread::error::StartError;
use crate::thread::handle::ThreadHandle;
use crate::thread::ident::{Ident, get_ident};
use crate::thread::launch::{Shape, launch};
use crate::thread::report::{self, IsSet, UncaughtPanic};
use crate::unwind::{drop_quietly, halt};

/// Starts a thread that runs `function` and that nobody waits for. Returns its number.
///
/// What a call in Python hands over as `args` and `kwargs`, the closure captures. The thread has no name, is not
/// listed, and the end of the process does not wait for it. A panic in it goes to the
/// [unraisable hook](set_unraisable_hook).
///
/// # Errors
///
/// [`StartError::Os`] if the system refuses, [`StartError::ShuttingDown`] at the end of the process.
///
/// # Examples
///
/// ```
/// use gristmill::thread::start_new_thread;
///
/// let (send, receive) = std::sync::mpsc::channel();
/// start_new_thread(move || send.send("ground").unwrap())?;
/// assert_eq!(receive.recv()?, "ground");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory ordering
///
/// What happened before the call is seen by the thread.
#[doc(alias("_thread.start_new_thread", "_thread.start_new"))]
pub fn start_new_thread<F: FnOnce() + Send + 'static>(function: F) -> Result<Ident, StartError> {
    start(&ThreadHandle::new(), true, function)
}

/// Starts a thread that runs `function` and can be waited for.
///
/// To have it waited for at the end of the process, or to have the handle first, see [`ThreadHandle::start`] and
/// [`ThreadHandle::start_non_daemon`].
///
/// # Errors
///
/// As for [`start_new_thread`].
///
/// # Examples
///
/// ```
/// let handle = gristmill::thread::start_joinable_thread(|| ())?;
/// handle.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("_thread.start_joinable_thread"))]
pub fn start_joinable_thread<F: FnOnce() + Send + 'static>(function: F) -> Result<ThreadHandle, StartError> {
    let handle = ThreadHandle::new();
    start(&handle, true, function)?;
    Ok(handle)
}

impl ThreadHandle {
    /// Starts the thread; it runs `function`. The end of the process does not wait for it.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if it was, and as for [`start_new_thread`].
    ///
    /// # Examples
    ///
    /// See [`ThreadHandle`].
    pub fn start<F: FnOnce() + Send + 'static>(&self, function: F) -> Result<(), StartError> {
        start(self, true, function).map(drop)
    }

    /// As [`start`](Self::start), and [`threading::shutdown`](crate::threading::shutdown) waits for it.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::thread::ThreadHandle;
    ///
    /// let handle = ThreadHandle::new();
    /// handle.start_non_daemon(|| println!("is printed before the process ends"))?;
    /// gristmill::threading::shutdown();
    /// assert!(handle.is_done());
    /// # Ok::<(), gristmill::thread::StartError>(())
    /// ```
    pub fn start_non_daemon<F: FnOnce() + Send + 'static>(&self, function: F) -> Result<(), StartError> {
        start(self, false, function).map(drop)
    }

    /// The calling thread's, also on a thread that somebody else started. `None` while such a thread drops its last
    /// thread-locals.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::thread::ThreadHandle;
    ///
    /// let thread = std::thread::spawn(|| ThreadHandle::current().unwrap());
    /// thread.join().unwrap().join()?;
    /// # Ok::<(), gristmill::thread::JoinError>(())
    /// ```
    #[doc(alias("_thread._make_thread_handle"))]
    #[must_use]
    pub fn current() -> Option<ThreadHandle> {
        crate::thread::life::current()
    }
}

fn start<F>(handle: &ThreadHandle, daemon: bool, function: F) -> Result<Ident, StartError>
where
    F: FnOnce() + Send + 'static,
{
    launch(handle, Shape { daemon, ..Shape::default() }, drop, move || {
        report::hush(Some(&IS_SET));
        let result = halt(function);
        if let Err(payload) = &result {
            if !is_exit(payload) {
                uncaught(&UnraisableArgs { panic: UncaughtPanic::new(payload), ident: get_ident() });
            }
        }
        // What panics from here on is no part of `function`, and the panic hook tells of it.
        report::hush(None);
        drop_quietly(result);
    })
}

/// What an [`UnraisableHook`] is told.
///
/// # Examples
///
/// See [`set_unraisable_hook`].
#[derive(Debug)]
#[doc(alias("sys.UnraisableHookArgs"))]
pub struct UnraisableArgs<'a> {
    panic: UncaughtPanic<'a>,
    ident: Ident,
}

impl<'a> UnraisableArgs<'a> {
    /// The panic.
    ///
    /// # Examples
    ///
    /// See [`set_unraisable_hook`].
    #[must_use]
    pub fn panic(&self) -> &UncaughtPanic<'a> {
        &self.panic
    }

    /// The thread, which is the calling one.
    ///
    /// # Examples
    ///
    /// See [`default_unraisable_hook`].
    #[must_use]
    pub fn ident(&self) -> Ident {
        self.ident
    }
}

/// Called on a thread of this module that a panic has ended; see [`set_unraisable_hook`].
///
/// # Examples
///
/// See [`set_unraisable_hook`].
pub type UnraisableHook = Arc<dyn Fn(&UnraisableArgs<'_>) + Send + Sync>;

static HOOK: Kept<Option<UnraisableHook>> = Kept::new(None);
static IS_SET: IsSet = IsSet::new(false);

/// Sets what is called, on the thread itself, when a panic has ended a thread of this module; `None` for
/// [the default](default_unraisable_hook). Returns what was set.
///
/// A panic is told of once. Unless a hook is set here, the process's panic hook does that where the panic happens, as
/// on any thread. While one is set, the panic hook is quiet on threads of this module (also about panics that
/// are caught there), if it was not replaced since by `std::panic::set_hook`.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use gristmill::thread::{set_unraisable_hook, start_new_thread};
///
/// let (send, receive) = mpsc::channel();
/// set_unraisable_hook(Some(Arc::new(move |args| send.send(args.panic().message().to_owned()).unwrap())));
/// start_new_thread(|| panic!("the millstone broke"))?;
/// assert_eq!(receive.recv()?, "the millstone broke");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("sys.unraisablehook"))]
pub fn set_unraisable_hook(hook: Option<UnraisableHook>) -> Option<UnraisableHook> {
    let is_set = hook.is_some();
    if is_set {
        report::install();
    }
    HOOK.with(|slot| {
        IS_SET.store(is_set, Ordering::Relaxed);
        std::mem::replace(slot, hook)
    })
}

/// The hook that is set; `None` for the default one.
///
/// # Examples
///
/// ```
/// assert!(gristmill::thread::unraisable_hook().is_none());
/// ```
#[must_use]
pub fn unraisable_hook() -> Option<UnraisableHook> {
    HOOK.get()
}

/// What is done where no hook is set: tells of the panic on the standard error stream, unless the process's panic hook
/// has. For hooks that add something to it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gristmill::thread::{default_unraisable_hook, set_unraisable_hook};
///
/// set_unraisable_hook(Some(Arc::new(|args| {
///     eprintln!("a thread has ended:");
///     default_unraisable_hook(args);
/// })));
/// ```
#[doc(alias("sys.__unraisablehook__"))]
pub fn default_unraisable_hook(args: &UnraisableArgs<'_>) {
    args.panic.report(&format_args!("{}", args.ident));
}

fn uncaught(args: &UnraisableArgs<'_>) {
    let Some(hook) = HOOK.get() else {
        return default_unraisable_hook(args);
    };
    if let Err(payload) = report::aloud(|| hook(args)) {
        report::tell(format_args!("gristmill: the unraisable hook panicked over thread {}:", args.ident));
        default_unraisable_hook(args);
        drop_quietly(payload);
    }
    // Its last reference may be ours, if it was replaced meanwhile.
    drop_quietly(hook);
}

impl fmt::Display for UnraisableArgs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {} panicked: {}", self.ident, self.panic.message())
    }
}
