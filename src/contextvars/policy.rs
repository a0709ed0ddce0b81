//! Whether new threads begin with their starter's context.

use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 0;
const EMPTY: u8 = 1;
const INHERIT: u8 = 2;

static POLICY: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Does a thread that is started without saying otherwise begin with a copy of its starter's context?
///
/// Yes, unless the environment's `GRISTMILL_THREAD_INHERIT_CONTEXT` is `0` or [`set_thread_inherit_context`] said no.
/// Python's `sys.flags.thread_inherit_context`, which is on where threads run at the same time, as they do here. This is
/// about this library's own threads; `std::thread::spawn` asks nobody (see [`inherit`](super::inherit)).
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{set_thread_inherit_context, thread_inherit_context};
///
/// set_thread_inherit_context(false);
/// assert!(!thread_inherit_context());
/// ```
#[doc(alias = "sys.flags.thread_inherit_context")]
pub fn thread_inherit_context() -> bool {
    // The flag alone is handed over, so no ordering is needed.
    let policy = match POLICY.load(Ordering::Relaxed) {
        UNKNOWN => {
            let told = std::env::var("GRISTMILL_THREAD_INHERIT_CONTEXT");
            let policy = if told.is_ok_and(|told| told.trim() == "0") { EMPTY } else { INHERIT };
            // Who set it meanwhile goes first.
            let set = POLICY.compare_exchange(UNKNOWN, policy, Ordering::Relaxed, Ordering::Relaxed);
            set.map_or_else(|policy| policy, |_| policy)
        }
        policy => policy,
    };
    policy == INHERIT
}

/// Says whether threads that are started from now on begin with a copy of their starter's context, whatever the
/// environment says.
///
/// # Examples
///
/// See [`thread_inherit_context`].
pub fn set_thread_inherit_context(inherit: bool) {
    POLICY.store(if inherit { INHERIT } else { EMPTY }, Ordering::Relaxed);
}
