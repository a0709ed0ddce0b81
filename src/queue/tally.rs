//! How many of the items that were put are done.
//!
//! The queue numbers its items, so it knows how many were put without counting; here those are counted that are done.
//! What is unfinished is the difference. It is zero at a moment when both were equal: the count of those done is read
//! first, and never overtakes the other, so if the two are equal then, they were so at the second look.

use crate::prim::atomic::{AtomicU64, Ordering};
use crate::prim::{const_fn, fence_after_update};

/// Counts items that are done. `puts` in its methods tells how many have been put.
#[derive(Debug)]
pub(super) struct Tally {
    done: AtomicU64,
    /// At least so many have been put: saves a look at the producers' cache line.
    seen: AtomicU64,
}

impl Tally {
    const_fn! {
        pub(super) fn new() -> Self {
            Tally { done: AtomicU64::new(0), seen: AtomicU64::new(0) }
        }
    }

    /// One more is done; is all done now? `None` if all were before.
    ///
    /// # Memory ordering
    ///
    /// A fence lies between the change and the return.
    #[inline]
    pub(super) fn add(&self, puts: impl Fn() -> u64) -> Option<bool> {
        // ORDERING(done): Acquire; pairs with the Release below.
        let mut done = self.done.load(Ordering::Acquire);
        loop {
            if done >= self.seen.load(Ordering::Acquire) && done >= self.look(&puts) {
                return None;
            }
            // ORDERING(done): Release; pairs with the Acquire in `unfinished`.
            match self.done.compare_exchange_weak(done, done + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        fence_after_update();
        Some(done + 1 >= self.seen.load(Ordering::Acquire) && done + 1 == self.look(&puts))
    }

    fn look(&self, puts: &impl Fn() -> u64) -> u64 {
        let puts = puts();
        // ORDERING(seen): Release; pairs with the Acquire loads: who goes by this count can see those puts.
        self.seen.store(puts, Ordering::Release);
        puts
    }

    /// So many that were put are as good as done: those that were thrown away.
    pub(super) fn discard(&self, count: usize, puts: impl Fn() -> u64) {
        // ORDERING(done): Acquire; pairs with the Release below.
        let mut done = self.done.load(Ordering::Acquire);
        loop {
            // Somebody may have said so of these already.
            let more = (count as u64).min(self.look(&puts).saturating_sub(done));
            // ORDERING(done): Release; pairs with the Acquire in `unfinished`.
            match self.done.compare_exchange_weak(done, done + more, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        fence_after_update();
    }

    /// How many are not done.
    pub(super) fn unfinished(&self, puts: impl Fn() -> u64) -> u64 {
        // ORDERING(done): Acquire; pairs with the Release in `add`: who sees that all is done sees what was done.
        let done = self.done.load(Ordering::Acquire);
        puts() - done
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Tally;

    #[test]
    fn the_last_one_says_so_and_one_more_is_too_many() {
        let tally = Tally::new();
        assert_eq!(tally.add(|| 0), None);
        assert_eq!(tally.add(|| 2), Some(false));
        assert_eq!(tally.unfinished(|| 2), 1);
        assert_eq!(tally.add(|| 2), Some(true));
        assert_eq!(tally.add(|| 2), None);
        assert_eq!(tally.add(|| 3), Some(true));
    }

    #[test]
    fn the_producers_count_is_looked_at_seldom() {
        let (tally, looks) = (Tally::new(), std::cell::Cell::new(0));
        let puts = || {
            looks.set(looks.get() + 1);
            1_000
        };
        for _ in 0..999 {
            assert_eq!(tally.add(puts), Some(false));
        }
        assert_eq!(tally.add(puts), Some(true));
        assert!(looks.get() <= 3, "{}", looks.get());
    }

    #[test]
    fn what_is_thrown_away_is_done_but_never_more_than_there_is() {
        let tally = Tally::new();
        tally.add(|| 3);
        tally.discard(3, || 3);
        assert_eq!(tally.unfinished(|| 3), 0);
        tally.discard(2, || 6);
        assert_eq!(tally.unfinished(|| 6), 1);
    }

    /// However many they are: the producers' count is looked at once.
    #[test]
    fn a_million_are_thrown_away_at_once() {
        let (tally, looks) = (Tally::new(), std::cell::Cell::new(0));
        let puts = || {
            looks.set(looks.get() + 1);
            1_000_000
        };
        tally.discard(1_000_000, puts);
        assert!(looks.get() <= 3 && tally.add(puts).is_none(), "{}", looks.get());
    }
}
