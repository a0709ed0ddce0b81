//! Sleeping on two words at once.
//!
//! Source: `futex_waitv(2)`, in kernels since 5.16. Where it is missing, or a filter forbids it, the sleep is cut in
//! short pieces.

use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{self, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags};
use rustix::time::{ClockId, clock_gettime};

/// How long a piece is where the kernel cannot do it.
const PIECE: Duration = Duration::from_millis(5);

/// Sleeps while both words (of this process's memory) have the values beside them, until `deadline` at most. False if
/// the time was up. May return early for no reason, with true.
pub(crate) fn wait_either(words: [(&AtomicU32, u32); 2], deadline: Option<Instant>) -> bool {
    let now = clock_gettime(ClockId::Monotonic);
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return false;
    }
    let waits = words.map(|(word, expected)| {
        let mut wait = Wait::new();
        wait.val = u64::from(expected);
        wait.uaddr = WaitPtr::new(std::ptr::from_ref(word).cast_mut().cast());
        wait.flags = WaitFlags::PRIVATE | WaitFlags::SIZE_U32;
        wait
    });
    // The limit is a moment of the clock that `Instant` reads, not a time from now.
    let limit = left.and_then(|left| {
        let nanos = now.tv_nsec + i64::from(left.subsec_nanos());
        let seconds = now.tv_sec.checked_add(i64::try_from(left.as_secs()).ok()?)?;
        let tv_sec = seconds.checked_add(nanos / 1_000_000_000)?;
        Some(Timespec { tv_sec, tv_nsec: nanos % 1_000_000_000 })
    });
    match futex::waitv(&waits, WaitvFlags::empty(), limit.as_ref(), ClockId::Monotonic) {
        Err(Errno::TIMEDOUT) => false,
        Err(Errno::NOSYS | Errno::PERM) => {
            std::thread::sleep(left.map_or(PIECE, |left| left.min(PIECE)));
            true
        }
        _ => true,
    }
}
