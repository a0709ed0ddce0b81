//! Waiting a little before going to sleep.
//!
//! Sleeping and being woken costs two calls to the kernel, and on another processor the time that it takes to come
//! out of its idle state: worth some tens of microseconds of polling, and not more. What is waited for comes at
//! once from a thread that runs elsewhere, and not at all from one that last ran on this processor. So a few polls
//! with pauses that double come first, for the former, and then a few that yield, which lets the latter run.

use crate::prim::{spin_loop, yield_now};

/// Rounds of pausing: 1, 2, 4, .. pauses.
const PAUSES: u32 = 6;
/// Rounds of yielding after those.
const YIELDS: u32 = 8;

/// How long one wait has polled so far.
///
/// ```text
/// let mut spin = Spin::new();
/// while !ready() {
///     if !spin.turn() { sleep() }
/// }
/// ```
#[derive(Debug)]
pub(crate) struct Spin {
    rounds: u32,
    /// How many rounds of those are pauses.
    pauses: u32,
}

impl Spin {
    pub(crate) const fn new() -> Self {
        Spin { rounds: 0, pauses: PAUSES }
    }

    /// Waits a little and says true; says false at once when it is time to sleep.
    #[inline]
    pub(crate) fn turn(&mut self) -> bool {
        // A model has the scheduler try all orders: polling would only make more of the same.
        if cfg!(loom) || self.rounds >= self.pauses + YIELDS {
            return false;
        }
        if self.rounds < self.pauses {
            for _ in 0..1 << self.rounds {
                spin_loop();
            }
        } else {
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

/// How many rounds of pausing less, where news is waited for.
const SOONER: u32 = 2;

/// Polls until `ready` says true, for a bounded time; the last answer.
///
/// For news from a thread that may well be waiting for this processor, as the two of them take turns. (Who holds a
/// lock mostly runs.) So it pauses only for as long as a yield takes before it yields: that costs next to nothing when
/// the other runs elsewhere, and a third of the round trip less when it does not.
#[inline]
pub(crate) fn until(mut ready: impl FnMut() -> bool) -> bool {
    let mut spin = Spin { rounds: 0, pauses: PAUSES - SOONER };
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
