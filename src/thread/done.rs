//! A flag that is set once, and that any number of threads wait for.
//!
//! One word: unset, unset with somebody asleep, set. Whoever sets it owns a share of the memory that it lies in, so
//! that the wake-up after the store finds the word.
//!
//! # Memory ordering
//!
//! What happened before `set` is seen by whoever sees it set.

use std::time::Instant;

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::const_fn;
use crate::sync::help;
use crate::sync::spin;
use crate::sys::futex;

const UNSET: u32 = 0;
const ASLEEP: u32 = 1;
const SET: u32 = 2;

#[derive(Debug)]
pub(crate) struct Done(AtomicU32);

impl Done {
    const_fn! {
        pub(crate) fn new() -> Self {
            Done(AtomicU32::new(UNSET))
        }
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // ORDERING(done): Acquire; pairs with the swap in `set`.
        self.0.load(Ordering::Acquire) == SET
    }

    /// Sets it; false if it was set already.
    pub(crate) fn set(&self) -> bool {
        // ORDERING(done): Release; pairs with the loads in `is_set` and `lie_down`.
        let before = self.0.swap(SET, Ordering::Release);
        if before == ASLEEP {
            futex::wake(&self.0, futex::ALL, false);
        }
        before != SET
    }

    /// Waits until it is set, or until `deadline`; is it set?
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.is_set() || self.wait_slowly(deadline)
    }

    #[cold]
    fn wait_slowly(&self, deadline: Option<Instant>) -> bool {
        // A moment that has passed is a poll.
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return self.is_set();
        }
        if spin::until(|| self.is_set()) {
            return true;
        }
        loop {
            if self.lie_down() {
                return true;
            }
            if !help::asleep(|| futex::wait(&self.0, ASLEEP, deadline, false)) {
                return self.is_set();
            }
        }
    }

    /// Marks that somebody sleeps; true if it is set.
    fn lie_down(&self) -> bool {
        // ORDERING(done): Acquire; pairs with the swap in `set`.
        match self.0.compare_exchange(UNSET, ASLEEP, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => false,
            Err(word) => word == SET,
        }
    }

    /// As [`wait`](Self::wait) without a deadline, and also returns when `other` has not the value `expected`.
    #[cfg(not(loom))]
    pub(crate) fn wait_or(&self, other: &AtomicU32, expected: u32, deadline: Option<Instant>) -> bool {
        if self.is_set() || self.lie_down() {
            return true;
        }
        help::asleep(|| crate::sys::waitv::wait_either([(&self.0, ASLEEP), (other, expected)], deadline));
        self.is_set()
    }
}
