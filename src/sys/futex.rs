//! The kernel's wait queue for one word of this process's memory.
//!
//! Source: `futex(2)`. The private flag keeps the kernel from looking up the page behind the address.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::thread::futex::{self, Flags, Timespec};

/// Sleeps while `*word == expected`, for `timeout` at most (no limit if `None`).
///
/// May return early for no reason: look at the word again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let limit = timeout.map(|timeout| Timespec {
        // A wait of 2^62 seconds and one without limit are the same thing.
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX).min(1 << 62),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    // Every error (value changed, time is up, interrupted) means the same to the caller: look again.
    let _ = futex::wait(word, Flags::PRIVATE, expected, limit.as_ref());
}

/// Wakes one thread that sleeps on `word`.
pub(crate) fn wake_one(word: &AtomicU32) {
    // The address is ours and aligned, so the call cannot fail; that nobody slept is no failure.
    let _ = futex::wake(word, Flags::PRIVATE, 1);
}
