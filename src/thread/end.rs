//! Ending the calling thread from within.

use crate::unwind::{self, Payload};

/// What a thread that ends itself unwinds with.
struct Exit;

/// Ends the calling thread: unwinds it to its beginning, dropping what it holds, without a message and without calling
/// any panic hook.
///
/// For threads of [`thread`](super) and [`threading`](crate::threading). On others (the main thread, those of
/// `std::thread`, a mill's workers) it is a panic like another, but silent, for whoever waits for them.
/// `std::process::exit` ends the process, as Python's `sys.exit` does in the main thread.
///
/// # Panics
///
/// Only in the sense that it unwinds: `catch_unwind` catches it. In a program built with `panic = "abort"` nothing can
/// unwind, and this ends the process.
///
/// # Examples
///
/// ```
/// use gristmill::thread;
///
/// let handle = thread::start_joinable_thread(|| {
///     let _flour = vec![0; 1_000]; // is dropped
///     thread::exit()
/// })?;
/// handle.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("_thread.exit", "_thread.exit_thread", "SystemExit"))]
pub fn exit() -> ! {
    unwind::resume(Box::new(Exit))
}

/// Does this panic come from [`exit`]?
pub(crate) fn is_exit(payload: &Payload) -> bool {
    payload.is::<Exit>()
}
