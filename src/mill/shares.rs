//! What each seat is to take first of a loop's units: runs of them, and how many they are.

use std::ops::Range;

use crate::prim::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::prim::{Mutex, lock};

/// One seat's runs, and the number of units in them.
struct Share {
    runs: Mutex<Vec<Range<u32>>>,
    left: AtomicU32,
}

/// For each seat the runs of units that are its own. The numbers are hints; what counts is in the locks.
pub(crate) struct Shares {
    seats: Box<[Share]>,
    left: AtomicUsize,
}

impl Shares {
    /// The runs of each seat, in the order in which it shall take them.
    pub(crate) fn new(of_seats: Vec<Vec<Range<u32>>>) -> Self {
        let mut all = 0;
        let seats = of_seats.into_iter().map(|mut runs| {
            runs.retain(|run| !run.is_empty());
            // The next one is popped.
            runs.reverse();
            let left = runs.iter().map(|run| run.end - run.start).sum();
            all += left as usize;
            Share { runs: Mutex::new(runs), left: AtomicU32::new(left) }
        });
        let seats = seats.collect();
        Shares { seats, left: AtomicUsize::new(all) }
    }

    /// How many seats have one.
    pub(crate) fn seats(&self) -> usize {
        self.seats.len()
    }

    /// How many units a seat's share still has.
    pub(crate) fn left(&self, seat: usize) -> u32 {
        self.seats[seat].left.load(Ordering::Relaxed)
    }

    /// How many all of them still have.
    pub(crate) fn all_left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// For who sits there: its next run.
    pub(crate) fn draw(&self, seat: usize) -> Option<Range<u32>> {
        self.take(seat, Vec::pop)
    }

    /// For others: the last run, or the back half of the only one.
    pub(crate) fn rob(&self, seat: usize) -> Option<Range<u32>> {
        self.take(seat, |runs| {
            if runs.len() > 1 {
                return Some(runs.remove(0));
            }
            let only = runs.first_mut()?;
            let cut = only.end - (only.end - only.start).div_ceil(2);
            let back = cut..only.end;
            only.end = cut;
            if only.start == only.end {
                runs.clear();
            }
            Some(back)
        })
    }

    fn take(
        &self,
        seat: usize,
        from: impl FnOnce(&mut Vec<Range<u32>>) -> Option<Range<u32>>,
    ) -> Option<Range<u32>> {
        let share = &self.seats[seat];
        if share.left.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut runs = lock(&share.runs);
        let taken = from(&mut runs)?;
        let units = taken.end - taken.start;
        share.left.fetch_sub(units, Ordering::Relaxed);
        self.left.fetch_sub(units as usize, Ordering::Relaxed);
        Some(taken)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn owners_take_from_the_front_and_others_from_the_back() {
        let shares = Shares::new(vec![vec![0..4, 10..20], vec![4..4], vec![4..10]]);
        assert_eq!((shares.seats(), shares.left(0), shares.left(1), shares.all_left()), (3, 14, 0, 20));
        assert_eq!(shares.draw(1), None);
        assert_eq!(shares.rob(0), Some(10..20));
        assert_eq!(shares.rob(2), Some(7..10));
        assert_eq!(shares.draw(0), Some(0..4));
        assert_eq!((shares.draw(0), shares.rob(0)), (None, None));
        assert_eq!((shares.draw(2), shares.rob(2), shares.all_left()), (Some(4..7), None, 0));
    }

    #[test]
    fn the_only_run_is_halved_down_to_its_last_unit() {
        let shares = Shares::new(vec![vec![0..5]]);
        let robbed: Vec<_> = std::iter::from_fn(|| shares.rob(0)).collect();
        assert_eq!(robbed, [2..5, 1..2, 0..1]);
    }
}
