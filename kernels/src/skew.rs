//! A loop whose items cost wildly different amounts.
//!
//! Source: the generator inside is Marsaglia's, "Xorshift RNGs", Journal of Statistical Software
//! 8(14), 2003; a chain of it cannot be shortened as a linear congruential one can.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Items of a block: about 5 us, but a block may hold an item of a millisecond.
const BLOCK: usize = 32;
/// Rounds of the cheapest item.
const CHEAP: u32 = 16;

/// `n` items; the share of those that cost `x` times the cheapest falls as 1 / x, up to 2^15.
#[derive(Debug)]
pub struct Skew {
    rounds: Vec<u32>,
    /// What each block gave, written by whoever ran it.
    slots: Vec<AtomicU64>,
    sum: Option<u64>,
}

fn item(number: usize, rounds: u32) -> u64 {
    let mut word = number as u64 + 1;
    for _ in 0..rounds {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    word
}

impl Kernel for Skew {
    const ENTRY: Entry = Entry {
        name: "skew",
        what: "a loop whose items cost from tens of nanoseconds to a millisecond",
        shape: Shape::Loop,
        unit: "items",
        default_size: 400_000,
        quick_size: 40_000,
        least: 1,
        most: 1 << 28,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(13);
        let rounds = (0..size).map(|_| CHEAP * (32_768 / (1 + rng.below(32_768) as u32))).collect();
        let slots = (0..size.div_ceil(BLOCK)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { rounds, slots, sum: None })
    }

    fn prepare(&mut self) {
        self.slots.fill_with(|| AtomicU64::new(0));
        self.sum = None;
    }

    fn serial(&mut self) {
        let mut sum = 0_u64;
        for (number, rounds) in self.rounds.iter().enumerate() {
            sum = sum.wrapping_add(item(number, *rounds));
        }
        self.sum = Some(sum);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let (rounds, slots) = (&self.rounds, &self.slots);
        engine.each(slots.len(), |block| {
            let first = block * BLOCK;
            let last = rounds.len().min(first + BLOCK);
            let sum = (first..last).fold(0_u64, |sum, i| sum.wrapping_add(item(i, rounds[i])));
            // The engine's return orders it before the sum below.
            slots[block].store(sum, Ordering::Relaxed);
        });
        let parts = self.slots.iter_mut().map(|slot| *slot.get_mut());
        self.sum = Some(parts.fold(0, u64::wrapping_add));
    }

    fn answer(&self) -> Answer {
        Answer::count(self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, CHEAP, Skew};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn costs_span_three_orders_of_magnitude() {
        let rounds = Skew::make(40_000).unwrap().rounds;
        assert_eq!(rounds.iter().min(), Some(&CHEAP));
        assert!(rounds.iter().max() > Some(&(1000 * CHEAP)));
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Skew>(&[2, BLOCK, BLOCK + 1, 40 * BLOCK - 1]);
    }
}
