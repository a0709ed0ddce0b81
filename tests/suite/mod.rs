//! What the test binaries share: a watchdog, counted values, quiet panics, children.

#![allow(dead_code, reason = "each test binary compiles this and uses a part of it")]

pub(crate) mod boom;
pub(crate) mod child;
pub(crate) mod ledger;
pub(crate) mod watch;

use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::{Mill, Scope};

/// A mill with `workers` workers.
pub(crate) fn mill(workers: usize) -> Mill {
    Mill::builder().workers(workers).build().unwrap()
}

/// A mill whose workers run everything: callers from outside only wait.
pub(crate) fn closed_mill(workers: usize) -> Mill {
    Mill::builder().workers(workers).caller_runs(false).build().unwrap()
}

/// A scope, or one in order.
pub(crate) fn open<'s>(fifo: bool, body: impl FnOnce(&Scope<'s>) + Send) {
    if fifo { gristmill::scope_fifo(body) } else { gristmill::scope(body) }
}

/// Counts one.
pub(crate) fn tick(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}

/// Waits until `condition` holds, without telling the mill that this thread waits.
pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// Steele, Lea and Flood's splitmix64: the next number after `state`.
pub(crate) fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
