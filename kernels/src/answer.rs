//! What a run gave, small enough to keep and to compare.

use std::fmt;

/// A kernel's result, or a digest of it.
///
/// No kernel needs a tolerance: each does the same floating operations in the same order for every
/// element, or adds numbers whose sums are exact, so that the bits agree whatever the engine.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// There is none: nothing has run, or the run failed.
    Missing,
    /// An exact number.
    Count(u64),
    /// A number whose every bit counts.
    Real(f64),
    /// A digest over all words of a larger result, in their order.
    Digest(u64),
}

impl Answer {
    /// Whether both are the same answer. A missing answer agrees with nothing, not even another.
    ///
    /// ```
    /// use kernels::Answer;
    ///
    /// assert!(Answer::Count(7).agrees(&Answer::Count(7)));
    /// assert!(!Answer::Count(7).agrees(&Answer::Digest(7)));
    /// assert!(!Answer::Missing.agrees(&Answer::Missing));
    /// ```
    pub fn agrees(&self, other: &Answer) -> bool {
        match (self, other) {
            (Answer::Count(a), Answer::Count(b)) | (Answer::Digest(a), Answer::Digest(b)) => a == b,
            (Answer::Real(a), Answer::Real(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }

    /// Digests `words`; their order and their number count.
    pub(crate) fn digest(words: impl IntoIterator<Item = u64>) -> Self {
        let mut state = 0x243f_6a88_85a3_08d3_u64;
        let mut length = 0_u64;
        for word in words {
            state = (state ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
            length += 1;
        }
        state = (state ^ length).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        Answer::Digest(state ^ (state >> 32))
    }

    /// Digests the bits of `numbers`.
    pub(crate) fn digest_reals(numbers: impl IntoIterator<Item = f64>) -> Self {
        Self::digest(numbers.into_iter().map(f64::to_bits))
    }

    /// The count, once there is one.
    pub(crate) fn count(count: Option<u64>) -> Self {
        count.map_or(Answer::Missing, Answer::Count)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Missing => f.write_str("no answer"),
            Answer::Count(count) => write!(f, "{count}"),
            Answer::Real(number) => write!(f, "{number}"),
            Answer::Digest(digest) => write!(f, "#{digest:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn order_and_length_count() {
        let plain = Answer::digest([1, 2, 3]);
        assert!(plain.agrees(&Answer::digest([1, 2, 3])));
        assert!(!plain.agrees(&Answer::digest([2, 1, 3])));
        assert!(!plain.agrees(&Answer::digest([1, 2, 3, 0])));
        assert!(!Answer::digest([]).agrees(&Answer::digest([0])));
    }

    #[test]
    fn every_bit_of_a_real_counts() {
        assert!(!Answer::Real(0.0).agrees(&Answer::Real(-0.0)));
        assert!(!Answer::Real(1.0).agrees(&Answer::Real(1.0 + f64::EPSILON)));
    }
}
