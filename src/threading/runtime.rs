//! The end of the process, in order.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::fork::Kept;
use crate::thread::{ShuttingDown, hold, life};
use crate::threading::registry::main_thread;
use crate::unwind::{drop_quietly, halt};

type Hook = Box<dyn FnOnce() + Send>;

/// What is to be done before the threads are waited for.
static HOOKS: Kept<Vec<Hook>> = Kept::new(Vec::new());

static BEGUN: AtomicBool = AtomicBool::new(false);

/// Has `hook` called by [`shutdown`], before it waits for threads, and before hooks that were registered earlier: to
/// tell threads to come to an end.
///
/// # Errors
///
/// [`ShuttingDown`] once `shutdown` has begun.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use gristmill::threading::{register_atexit, shutdown};
///
/// let (send, receive) = mpsc::channel();
/// for name in ["first", "second"] {
///     let send = send.clone();
///     register_atexit(move || send.send(name).unwrap())?;
/// }
/// drop(send);
/// shutdown();
/// assert_eq!(receive.iter().collect::<Vec<_>>(), ["second", "first"]);
/// assert!(register_atexit(|| ()).is_err());
/// # Ok::<(), gristmill::threading::ShuttingDown>(())
/// ```
#[doc(alias("threading._register_atexit", "atexit.register"))]
pub fn register_atexit<F: FnOnce() + Send + 'static>(hook: F) -> Result<(), ShuttingDown> {
    let mut hook: Option<Hook> = Some(Box::new(hook));
    HOOKS.with(|hooks| {
        if !BEGUN.load(Ordering::Relaxed) {
            hooks.extend(hook.take());
        }
    });
    // One that came too late is dropped here, outside of the lock.
    hook.map_or(Ok(()), |_| Err(ShuttingDown))
}

/// Brings this process's threads to their end, in order:
///
/// 1. the main thread counts as ended for those who [join](super::Thread::join) it;
/// 2. what was given to [`register_atexit`] is called, last first; from here on nothing more can be;
/// 3. every thread that is no daemon is waited for, and every [`Timer`](super::Timer) that is none;
/// 4. from here on no thread can be started, and daemons that still run cannot be waited for.
///
/// Daemons go on until the process ends, which drops nothing of theirs. The first call does this, later ones return
/// false at once. A hook that panics is told of by the panic hook, and the others are called all the same.
///
/// Python does this by itself when its main thread ends. In Rust the process ends when `main` returns, and nothing
/// else happens: call this, or hold a [`Runtime`].
///
/// # Examples
///
/// ```
/// use gristmill::threading::{StartError, Thread, shutdown};
///
/// let thread = Thread::new(|| println!("is printed"));
/// thread.start()?;
/// assert!(shutdown());
/// assert!(!thread.is_alive());
/// assert!(matches!(Thread::new(|| ()).start(), Err(StartError::ShuttingDown)));
/// assert!(!shutdown());
/// # Ok::<(), StartError>(())
/// ```
#[doc(alias("threading._shutdown", "_thread._shutdown"))]
pub fn shutdown() -> bool {
    // Under the lock that hooks are registered under.
    if HOOKS.with(|_| BEGUN.swap(true, Ordering::Relaxed)) {
        return false;
    }
    main_thread().handle().finish();
    while let Some(hook) = HOOKS.with(Vec::pop) {
        if let Err(payload) = halt(hook) {
            drop_quietly(payload);
        }
    }
    hold::finish(life::held());
    true
}

/// Calls [`shutdown`] when it is dropped: hold one in `main`, as its first value.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{Runtime, Thread};
///
/// fn main() -> Result<(), gristmill::threading::StartError> {
///     let _runtime = Runtime::new();
///     Thread::new(|| println!("is printed, although nobody joins me")).start()
/// }
/// ```
#[derive(Debug)]
#[must_use = "it waits for threads when it is dropped"]
pub struct Runtime(());

impl Runtime {
    /// A guard for the end of the process.
    ///
    /// # Examples
    ///
    /// See [`Runtime`].
    #[expect(clippy::new_without_default, reason = "a default that blocks when it is dropped would surprise")]
    pub fn new() -> Self {
        Runtime(())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        shutdown();
    }
}
