//! Notices that this process is a forked child.

#![allow(unsafe_code, reason = "registers a handler with the C library")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static IN_CHILD: OnceLock<fn()> = OnceLock::new();

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    if let Some(then) = IN_CHILD.get() {
        then();
    }
}

/// How many forks lie between this process and the one that first called [`watch`].
pub(crate) fn generation() -> u32 {
    // A forked child has one thread, which ran the handler itself: no ordering is needed.
    GENERATION.load(Ordering::Relaxed)
}

/// Starts counting, and has every forked child call `then` on its one thread, before `fork` returns there.
/// Calls after the first do nothing. `then` must be async-signal-safe.
///
/// Source: `pthread_atfork(3)`. A child made by a bare `clone(2)` is not noticed.
pub(crate) fn watch(then: fn()) {
    IN_CHILD.get_or_init(|| {
        // SAFETY: the handler is async-signal-safe (an atomic add, a load, `then`) and never goes away.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        then
    });
}

/// Has every forked child call `then` on its one thread, before `fork` returns there. Any number of these may be
/// asked for; each stays for good. `then` must be async-signal-safe.
///
/// Source: `pthread_atfork(3)`.
pub(crate) fn in_each_child(then: extern "C" fn()) {
    // SAFETY: the handler is async-signal-safe, as asked for, and a function never goes away.
    unsafe { libc::pthread_atfork(None, None, Some(then)) };
}

/// Ends a forked child whose thread has come back into code of the parent's that cannot go on.
pub(crate) fn leave_child() -> ! {
    eprintln!(
        "gristmill: a forked child returned into a worker thread of its parent's mill; ending the child"
    );
    // SAFETY: ends the process at once, without running exit handlers that belong to the parent.
    unsafe { libc::_exit(101) }
}
