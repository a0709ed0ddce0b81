//! The protocols of the locks under loom: every interleaving, and every value that a weak memory may show.
//!
//! `ci/loom.sh` runs them. They drive the real locks; `sys::futex` and `sys::life` have models of the kernel. Each
//! runs with waiters that starve at once, so that every one that has slept may become the heir, and with waiters that never
//! do. In shared memory the latter do not look whether owners live either, so a call that gets lost is not made good.

#![allow(unsafe_code, reason = "reads and writes a cell under the locks that are checked")]

mod death;
mod locks;
mod rwlock;

use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::prim::models;
use crate::sync::raw::patience;

/// As [`check`], for models in which owners die: somebody must look.
fn check_deaths(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    check_with(&[false], preemptions, model);
}

/// Runs `model` with waiters that starve at once, and with waiters that never do, in all ways with at most `preemptions`
/// switches between threads that could have gone on.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    check_with(&[false, true], preemptions, model);
}

fn check_with(patience: &[bool], preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let model = Arc::new(model);
    for &endless in patience {
        patience::set_endless(endless);
        let model = Arc::clone(&model);
        models::check(preemptions, move || model());
    }
}

/// A number that only one thread at a time may use; loom finds out if two do.
#[derive(Debug, Default)]
pub(crate) struct Count(UnsafeCell<u32>);

impl Count {
    /// The number before.
    pub(crate) fn add(&self) -> u32 {
        self.0.with_mut(|n| {
            // SAFETY: the lock under test is held, or loom says so.
            let n = unsafe { &mut *n };
            *n += 1;
            *n - 1
        })
    }

    pub(crate) fn get(&self) -> u32 {
        // SAFETY: as above, or shared.
        self.0.with(|n| unsafe { *n })
    }
}

// SAFETY: loom watches the cell.
unsafe impl Sync for Count {}
// SAFETY: as above.
unsafe impl Send for Count {}
