//! Running sums, in two passes over blocks.
//!
//! Source: Hillis and Steele, "Data parallel algorithms", CACM 29(12), 1986; the blocked form is
//! Blelloch's, "Prefix sums and their applications", CMU-CS-90-190, 1990.

use std::mem;

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Words a block adds up: about 10 us a pass.
const BLOCK: usize = 1 << 15;

/// The inclusive prefix sums of `n` words, which wrap around.
///
/// The first pass sums each block, a short serial loop sums those sums, and the second pass writes.
/// So the engine reads the input twice, and the serial baseline once.
#[derive(Debug, Clone)]
pub struct Scan {
    input: Vec<u64>,
    output: Vec<u64>,
}

fn running(mut sum: u64, input: &[u64], output: &mut [u64]) {
    for (word, slot) in input.iter().zip(output) {
        sum = sum.wrapping_add(*word);
        *slot = sum;
    }
}

impl Kernel for Scan {
    const ENTRY: Entry = Entry {
        name: "scan",
        what: "inclusive prefix sums in two passes",
        shape: Shape::Loop,
        unit: "words",
        default_size: 1 << 26,
        quick_size: 1 << 24,
        least: 1,
        most: 1 << 27,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(10);
        Ok(Self { input: (0..size).map(|_| rng.word()).collect(), output: vec![0; size] })
    }

    fn prepare(&mut self) {
        self.output.fill(0);
    }

    fn serial(&mut self) {
        running(0, &self.input, &mut self.output);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let input = &self.input;
        let mut sums = vec![0_u64; input.len().div_ceil(BLOCK)];
        engine.chunks_mut(&mut sums, 1, |block, sum| {
            let first = block * BLOCK;
            let words = &input[first..input.len().min(first + BLOCK)];
            sum[0] = words.iter().fold(0, |sum, word| sum.wrapping_add(*word));
        });
        let mut before = 0_u64;
        for sum in &mut sums {
            before = before.wrapping_add(mem::replace(sum, before));
        }
        engine.chunks_mut(&mut self.output, BLOCK, |block, output| {
            running(sums[block], &input[block * BLOCK..], output);
        });
    }

    fn answer(&self) -> Answer {
        Answer::digest(self.output.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Scan, running};
    use crate::suite;

    #[test]
    fn known_sums() {
        let mut output = [0; 4];
        running(10, &[1, 2, 3, u64::MAX], &mut output);
        assert_eq!(output, [11, 13, 16, 15]);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Scan>(&[2, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK + 3]);
    }
}
