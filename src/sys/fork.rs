//! Notices that this process is a forked child.

#![allow(unsafe_code, reason = "registers a handler with the C library")]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// What a child does, as pointers to functions; null for none. Not behind a lock, which another thread might hold at a fork.
static IN_CHILD: [AtomicPtr<()>; 4] = [const { AtomicPtr::new(ptr::null_mut()) }; 4];

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    for place in &IN_CHILD {
        let then = place.load(Ordering::Relaxed);
        if !then.is_null() {
            // SAFETY: `watch` put it there, from a function of this type.
            let then = unsafe { std::mem::transmute::<*mut (), fn()>(then) };
            then();
        }
    }
}

/// A number that is another one in each forked child, from the first call of [`watch`] on.
pub(crate) fn generation() -> u32 {
    // A forked child has one thread, which ran the handler itself: no ordering is needed.
    GENERATION.load(Ordering::Relaxed)
}

/// Starts counting, and has every forked child call `then` on its one thread, before `fork` returns there; maybe more
/// than once. A second call with the same function does nothing. `then` must be async-signal-safe.
///
/// Source: `pthread_atfork(3)`. A child made by a bare `clone(2)` is not noticed.
pub(crate) fn watch(then: fn()) {
    let then = then as *mut ();
    for place in &IN_CHILD {
        match place.compare_exchange(ptr::null_mut(), then, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                // SAFETY: the handler is async-signal-safe (atomics, and what each `then` does) and never goes away.
                unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
                return;
            }
            Err(there) if there == then => return,
            Err(_) => {}
        }
    }
    unreachable!("more functions than places");
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
