//! Waiting a little before going to sleep.
//!
//! Sleeping and being woken costs two calls to the kernel, and on another processor the time that it takes to come
//! out of its idle state: worth some tens of microseconds of polling, and not more. What is waited for comes at
//! once from a thread that runs elsewhere, and not at all from one that last ran on this processor. So a few pauses
//! come first, for the former, and then rounds that yield, which let the latter run. The yields are for the former
//! too: who polls less often takes the word's cache line away less often, and that is what contended locks live on.

use crate::prim::{spin_loop, yield_now};

/// Pauses in the first round, which does not yield.
const FIRST: u32 = 4;
/// Pauses in each of the others, before it yields.
const PAUSES: u32 = 8;
/// How many others there are. Without anybody to yield to, they take some 15 microseconds.
const YIELDS: u32 = 16;

/// How long one wait has polled so far.
///
/// ```text
/// let mut spin = Spin::new();
/// while !ready() {
///     if !spin.turn() { sleep() }
/// }
/// ```
#[derive(Debug, Default)]
pub(crate) struct Spin {
    rounds: u32,
}

impl Spin {
    pub(crate) const fn new() -> Self {
        Spin { rounds: 0 }
    }

    /// Waits a little and says true; says false at once when it is time to sleep.
    #[inline]
    pub(crate) fn turn(&mut self) -> bool {
        // A model has the scheduler try all orders: polling would only make more of the same.
        if cfg!(loom) || self.rounds > YIELDS {
            return false;
        }
        let first = self.rounds == 0;
        for _ in 0..if first { FIRST } else { PAUSES } {
            spin_loop();
        }
        if !first {
            yield_now();
        }
        self.rounds += 1;
        true
    }

    /// Begins anew, as after a sleep.
    pub(crate) fn reset(&mut self) {
        self.rounds = 0;
    }
}

/// Polls until `ready` says true, for a bounded time; the last answer.
#[inline]
pub(crate) fn until(mut ready: impl FnMut() -> bool) -> bool {
    let mut spin = Spin::new();
    loop {
        if ready() {
            return true;
        }
        if !spin.turn() {
            return false;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Spin, until};

    #[test]
    fn it_ends() {
        let mut spin = Spin::new();
        let turns = std::iter::from_fn(|| spin.turn().then_some(())).count();
        assert!((1..100).contains(&turns));
        assert!(!spin.turn());
        spin.reset();
        assert!(spin.turn());
        assert!(!until(|| false));
    }

    #[test]
    fn it_looks_before_it_waits() {
        let mut looks = 0;
        assert!(until(|| {
            looks += 1;
            looks == 2
        }));
        assert_eq!(looks, 2);
    }
}
