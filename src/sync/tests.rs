//! What each kind of lock promises, once for the threads of a process and once for shared memory.

#![allow(unsafe_code, reason = "locks in memory that is all zero, or shared with children")]

mod lock;
mod mutex;
mod rlock;
mod rwlock;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Makes tests of functions that are generic over the scope.
macro_rules! in_both_scopes {
    ($($test:ident)*) => {
        mod private {
            $(#[test] fn $test() { super::$test::<crate::sync::scope::Private>() })*
        }
        mod shared {
            $(#[test] fn $test() { super::$test::<crate::sync::scope::Shared>() })*
        }
    };
}
pub(crate) use in_both_scopes;

/// A timeout that is to expire.
const SOON: Duration = Duration::from_millis(2);

/// A timeout in which a waiter looks whether the owner lives.
const LONGER_THAN_A_LOOK: Duration = Duration::from_millis(5);

/// A moment that has gone by.
fn past() -> Instant {
    Instant::now()
}

/// Runs `f` on another thread and waits for it.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|s| s.spawn(f).join().unwrap())
}

/// A value that this process shares with the children that it forks. It is never unmapped.
pub(crate) fn mapped<T>(value: T) -> &'static T {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, in nobody's way.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<T>(), access, kind, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    let place = memory.cast::<T>();
    // SAFETY: large enough, page-aligned, and ours.
    unsafe { place.write(value) };
    // SAFETY: there is a value, which stays.
    unsafe { &*place }
}

/// Runs `f` in a forked child, which ends then, with whatever it holds. Waits for that.
pub(crate) fn die_after(f: impl FnOnce()) {
    // SAFETY: the child uses what a fork leaves intact (the C library repairs its own allocator) and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let done = crate::unwind::halt(f).is_ok();
        // SAFETY: ends the child without running its parent's exit handlers.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    let mut status = -1;
    // SAFETY: our own child; `status` has room.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
}

/// Set by one thread, waited for by others that have nothing to sleep on.
#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn wait(&self) {
        while !self.is_set() {
            std::thread::yield_now();
        }
    }
}
