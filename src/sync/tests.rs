//! What each kind of lock promises, once for the threads of a process and once for shared memory.

#![allow(unsafe_code, reason = "locks in memory that is all zero, guards as a fork copies them")]

mod copies;
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
