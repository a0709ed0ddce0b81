//! A small generator for picking victims: fast, not for secrets.
//!
//! Source: Sebastiano Vigna, "Further scramblings of Marsaglia's xorshift generators" (xorshift64*).

use std::cell::Cell;

/// A thread's own random numbers.
#[derive(Debug)]
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    /// A generator of its own stream for each `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring streams, and zero would give only zeros.
        Rng(Cell::new(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    /// A number below `bound`; zero when `bound` is zero.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        let high = x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((high * bound as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn every_number_below_the_bound_comes_and_none_above() {
        for seed in 0..8 {
            let rng = Rng::new(seed);
            let mut seen = [0_u32; 7];
            for _ in 0..7_000 {
                seen[rng.below(7)] += 1;
            }
            assert!(seen.iter().all(|&n| n > 700), "seed {seed}: {seen:?}");
            assert_eq!(rng.below(0), 0);
            assert_eq!(rng.below(1), 0);
        }
    }
}
