//! A fence that one thread pays for and all threads of the process get.
//!
//! Where one side of a store-load race is hot and the other rare, the hot side keeps its two accesses in order for the
//! compiler only (`prim::light_fence`), and the rare side calls [`heavy`], which is a full fence on every processor
//! that runs a thread of this process.
//!
//! Source: `membarrier(2)`, `MEMBARRIER_CMD_PRIVATE_EXPEDITED`; Linux 4.14 and later.

#![allow(unsafe_code, reason = "a system call without a wrapper")]

#[cfg(not(loom))]
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(not(loom))]
fn call(command: libc::c_int) -> bool {
    // SAFETY: the call takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

#[cfg(not(loom))]
const UNKNOWN: u8 = 0;
#[cfg(not(loom))]
const THERE: u8 = 1;
#[cfg(not(loom))]
const MISSING: u8 = 2;

/// Not behind a lock, which another thread might hold when this one forks: to register twice does no harm.
#[cfg(not(loom))]
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Can this process use [`heavy`]? A child made by `fork` inherits the registration with the kernel.
#[cfg(not(loom))]
pub(crate) fn is_available() -> bool {
    match STATE.load(Ordering::Relaxed) {
        UNKNOWN => learn(call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)),
        state => state == THERE,
    }
}

/// Once it has failed it is not tried again, so that nobody waits for what it would bring: a filter of system calls may
/// have come later than we asked.
#[cfg(not(loom))]
#[cold]
fn learn(there: bool) -> bool {
    let state = if there { THERE } else { MISSING };
    STATE.fetch_max(state, Ordering::Relaxed).max(state) == THERE
}

/// The rare side's fence; false if there was none.
#[cfg(not(loom))]
pub(crate) fn heavy() -> bool {
    is_available() && (call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) || learn(false))
}

/// Under loom both sides have a fence.
#[cfg(loom)]
pub(crate) fn is_available() -> bool {
    true
}

#[cfg(loom)]
pub(crate) fn heavy() -> bool {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Each thread stores to its own word and reads the other's; with the fences one of them sees the other.
    #[test]
    fn a_light_and_a_heavy_fence_make_a_pair() {
        if !super::is_available() {
            return assert!(!super::heavy(), "what the kernel does not have is not done");
        }
        for _ in 0..2_000 {
            let (ready, light, heavy) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
            let meet = || {
                ready.fetch_add(1, Ordering::SeqCst);
                while ready.load(Ordering::SeqCst) < 2 {
                    std::hint::spin_loop();
                }
            };
            let seen = std::thread::scope(|s| {
                let other = s.spawn(|| {
                    meet();
                    heavy.store(1, Ordering::Relaxed);
                    assert!(super::heavy());
                    light.load(Ordering::Relaxed)
                });
                meet();
                light.store(1, Ordering::Relaxed);
                crate::prim::light_fence();
                heavy.load(Ordering::Relaxed) + other.join().unwrap()
            });
            assert_ne!(seen, 0, "neither saw the other");
        }
    }
}
