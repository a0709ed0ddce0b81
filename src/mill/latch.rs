//! A one-shot flag that one thread may sleep on.
//!
//! One word: unset, set, or the address of the parker of the thread that sleeps. Setting is a single swap,
//! after which the setter does not touch the latch again: it may lie in a frame that is gone by then. What
//! the setter still needs, the parker, is never freed.

#![allow(unsafe_code, reason = "the word holds a parker's address; the latch may die while it is being set")]

use std::ptr;

use crate::prim::atomic::{AtomicPtr, Ordering};
use crate::sync::help::Awaited;
use crate::sync::parker::{Parker, Unparker};

/// See the module.
///
/// # Memory ordering
///
/// What happened before `set` is seen by whoever sees the latch set.
#[derive(Debug)]
pub(crate) struct Latch {
    word: AtomicPtr<Parker>,
}

static SET: u64 = 0;

fn set_mark() -> *mut Parker {
    ptr::from_ref(&SET).cast_mut().cast()
}

impl Latch {
    pub(crate) fn new() -> Self {
        Latch { word: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Is it set?
    #[inline]
    pub(crate) fn probe(&self) -> bool {
        // ORDERING(latch): Acquire; pairs with the swap in `set`.
        ptr::eq(self.word.load(Ordering::Acquire), set_mark())
    }

    /// Sets the latch and wakes the sleeper.
    ///
    /// # Safety
    ///
    /// `this` is alive until the latch is set, and is set once.
    pub(crate) unsafe fn set(this: *const Latch) {
        // ORDERING(latch): Release publishes the result; Acquire so that the parker's address is good.
        // SAFETY: alive, says the caller.
        let before = unsafe { &(*this).word }.swap(set_mark(), Ordering::AcqRel);
        // SAFETY: the word holds null or a parker's address, and parkers are never freed.
        if let Some(sleeper) = unsafe { before.as_ref() } {
            sleeper.unpark();
        }
    }

    /// Announces that the owner of `parker` is about to sleep; false if the latch was set meanwhile.
    /// One thread only, but as often as it likes.
    pub(crate) fn announce(&self, parker: Unparker) -> bool {
        let parker = ptr::from_ref(parker).cast_mut();
        let word = self.word.load(Ordering::Acquire);
        if ptr::eq(word, parker) {
            return true;
        }
        // ORDERING(latch): Release hands the parker to the setter, Acquire pairs with the swap in `set`.
        self.word.compare_exchange(ptr::null_mut(), parker, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Sleeps on `parker`, the calling thread's own, until the latch is set.
    pub(crate) fn wait(&self, parker: Unparker) {
        while self.announce(parker) {
            parker.park();
        }
    }
}

/// For those who know whom to rob.
impl Awaited for Latch {
    #[inline]
    fn is_over(&self) -> bool {
        self.probe()
    }

    fn announce(&self) -> bool {
        Latch::announce(self, Parker::current())
    }

    fn sleep(&self) {
        Parker::current().park();
    }

    fn runner(&self, _: *const ()) -> *const () {
        ptr::null()
    }

    fn family(&self) -> *const () {
        ptr::null()
    }
}

/// So that loom sees a setter that touches the latch after it was freed.
#[cfg(loom)]
impl Drop for Latch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.word.with_mut(|_| ());
        }
    }
}
