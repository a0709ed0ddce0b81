//! What happens when a panic ends a thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::sys::fork::Kept;
use crate::thread::UncaughtPanic;
use crate::thread::report::{self, IsSet};
use crate::threading::object::Thread;
use crate::unwind::{Payload, drop_quietly};

/// What an [`ExceptHook`] is told.
///
/// Python's has `exc_type`, `exc_value` and `exc_traceback`; a panic has a payload, a place, and maybe a backtrace.
///
/// # Examples
///
/// See [`set_excepthook`].
#[derive(Debug)]
#[doc(alias("threading.ExceptHookArgs"))]
pub struct ExceptHookArgs<'a> {
    panic: UncaughtPanic<'a>,
    thread: Option<Thread>,
}

impl<'a> ExceptHookArgs<'a> {
    /// The panic.
    ///
    /// # Examples
    ///
    /// See [`set_excepthook`].
    #[must_use]
    pub fn panic(&self) -> &UncaughtPanic<'a> {
        &self.panic
    }

    /// The thread that it ended, if that is known.
    ///
    /// # Examples
    ///
    /// See [`set_excepthook`].
    #[must_use]
    pub fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref()
    }
}

impl fmt::Display for ExceptHookArgs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.thread {
            Some(thread) => write!(f, "thread '{}' panicked: {}", thread.name(), self.panic.message()),
            None => write!(f, "a thread panicked: {}", self.panic.message()),
        }
    }
}

/// Called on a thread that a panic has ended; see [`set_excepthook`].
///
/// # Examples
///
/// See [`set_excepthook`].
pub type ExceptHook = Arc<dyn Fn(&ExceptHookArgs<'_>) + Send + Sync>;

static HOOK: Kept<Option<ExceptHook>> = Kept::new(None);
static IS_SET: IsSet = IsSet::new(false);

/// Sets what is called, on the thread itself, when a panic has ended a thread of this module; `None` for
/// [the default](default_excepthook). Returns what was set. A thread that ends by [`exit`](crate::thread::exit) is no
/// case for it.
///
/// A panic is told of once. Unless a hook is set here, the process's panic hook does that where the panic happens, as
/// on any thread, and names the thread. While one is set, the panic hook is quiet on threads of this module (also
/// about panics that are caught there, which Python would not tell of either), if it was not replaced since by
/// `std::panic::set_hook`.
///
/// A hook that panics itself is told of by the panic hook, and then what it was called for is told of as by default.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use gristmill::threading::{Thread, set_excepthook};
///
/// let (send, receive) = mpsc::channel();
/// let before = set_excepthook(Some(Arc::new(move |args| send.send(args.to_string()).unwrap())));
/// let thread = Thread::builder().name("miller").build(|| panic!("no grist"));
/// thread.start()?;
/// thread.join()?; // that it panicked is no error here
/// assert_eq!(receive.recv()?, "thread 'miller' panicked: no grist");
/// set_excepthook(before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("threading.excepthook"))]
pub fn set_excepthook(hook: Option<ExceptHook>) -> Option<ExceptHook> {
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
/// assert!(gristmill::threading::excepthook().is_none());
/// ```
#[doc(alias("threading.excepthook"))]
#[must_use]
pub fn excepthook() -> Option<ExceptHook> {
    HOOK.get()
}

/// What is done where no hook is set: tells of the panic on the standard error stream, unless the process's panic hook
/// has. For hooks that add something to it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gristmill::threading::{default_excepthook, set_excepthook};
///
/// set_excepthook(Some(Arc::new(|args| {
///     eprintln!("a miller has left:");
///     default_excepthook(args);
/// })));
/// ```
#[doc(alias("threading.__excepthook__"))]
pub fn default_excepthook(args: &ExceptHookArgs<'_>) {
    match &args.thread {
        Some(thread) => args.panic.report(&thread.name()),
        None => args.panic.report(&"<unnamed>"),
    }
}

/// The panic hook keeps quiet on the calling thread while somebody's hook is set.
pub(crate) fn take_charge() {
    report::hush(Some(&IS_SET));
}

/// A panic has ended `thread`, which is the calling one.
pub(crate) fn uncaught(thread: &Thread, payload: &Payload) {
    let args = ExceptHookArgs { panic: UncaughtPanic::new(payload), thread: Some(thread.clone()) };
    let Some(hook) = HOOK.get() else {
        return default_excepthook(&args);
    };
    if let Err(payload) = report::aloud(|| hook(&args)) {
        report::tell(format_args!("gristmill: the excepthook panicked over thread '{}':", thread.name()));
        default_excepthook(&args);
        drop_quietly(payload);
    }
    // Its last reference may be ours, if it was replaced meanwhile.
    drop_quietly(hook);
}
