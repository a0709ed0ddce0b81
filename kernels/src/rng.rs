//! The fixed-seed random numbers that inputs are made of.

/// SplitMix64: one 64-bit word of state, equally good from any seed.
///
/// Every input maker starts one from a constant, so that an input depends on its size alone.
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator whose whole sequence follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next word, uniform over all 2^64 values.
    #[inline]
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `limit`, which is at least 1 and fits in 32 bits.
    ///
    /// Takes the high half of a product (Lemire's method without the rejection), so the bias is
    /// below `limit` / 2^32: nothing a benchmark's input would notice.
    #[inline]
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        debug_assert!(limit >= 1 && limit as u64 <= 1 << 32);
        (((self.word() >> 32) * limit as u64) >> 32) as usize
    }

    /// A number in `0.0..1.0`, a whole multiple of 2^-53.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_published_sequence() {
        let mut rng = Rng::new(1_234_567);
        let words = [rng.word(), rng.word(), rng.word()];
        assert_eq!(words, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn ranges_hold() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            assert!(rng.below(7) < 7);
            assert_eq!(rng.below(1), 0);
            assert!((0.0..1.0).contains(&rng.unit()));
        }
    }
}
