//! How often each byte value occurs.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Bytes a block counts: about 10 us.
const BLOCK: usize = 1 << 15;
const VALUES: usize = 1 << 8;

type Counts = [u64; VALUES];

/// The counts of all byte values among `n` bytes, small values being the more frequent.
///
/// Each block counts for itself, and the counts are then merged.
#[derive(Debug, Clone)]
pub struct Histogram {
    bytes: Vec<u8>,
    counts: Option<Box<Counts>>,
}

fn count(bytes: &[u8]) -> Box<Counts> {
    let mut counts = Box::new([0; VALUES]);
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    counts
}

fn merge(mut into: Box<Counts>, from: Box<Counts>) -> Box<Counts> {
    for (into, from) in into.iter_mut().zip(from.iter()) {
        *into += from;
    }
    into
}

impl Kernel for Histogram {
    const ENTRY: Entry = Entry {
        name: "histogram",
        what: "counts of all byte values, merged from blocks",
        shape: Shape::Loop,
        unit: "bytes",
        default_size: 1 << 28,
        quick_size: 1 << 25,
        least: 1,
        most: 1 << 31,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(11);
        let mut bytes = Vec::with_capacity(size + 4);
        while bytes.len() < size {
            let word = rng.word();
            // The product of two uniform bytes leans towards small values.
            bytes.extend((0..4).map(|pair| {
                let (a, b) = ((word >> (16 * pair)) & 255, (word >> (16 * pair + 8)) & 255);
                ((a * b) >> 8) as u8
            }));
        }
        bytes.truncate(size);
        Ok(Self { bytes, counts: None })
    }

    fn prepare(&mut self) {
        self.counts = None;
    }

    fn serial(&mut self) {
        self.counts = Some(count(&self.bytes));
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let bytes = &self.bytes;
        let blocks = bytes.len().div_ceil(BLOCK);
        let block = |block: usize| {
            let first = block * BLOCK;
            count(&bytes[first..bytes.len().min(first + BLOCK)])
        };
        self.counts = Some(engine.reduce(blocks, || Box::new([0; VALUES]), block, merge));
    }

    fn answer(&self) -> Answer {
        self.counts.as_ref().map_or(Answer::Missing, |counts| Answer::digest(counts.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Histogram, count};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn all_bytes_are_counted() {
        let bytes = Histogram::make(1001).unwrap().bytes;
        assert_eq!(bytes.len(), 1001);
        assert_eq!(count(&bytes).iter().sum::<u64>(), 1001);
        assert_eq!(count(b"abba")[usize::from(b'b')], 2);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Histogram>(&[2, BLOCK, BLOCK + 1, 4 * BLOCK - 1]);
    }
}
