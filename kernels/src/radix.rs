//! A radix sort in eight passes of one byte, the least significant first.
//!
//! Each pass counts bytes block by block, then hands every block its own slice of the output for
//! every byte value, so that all blocks scatter at once and none needs to know of another.
//!
//! Source: the block-wise counting sort of Blelloch, "Prefix sums and their applications",
//! CMU-CS-90-190, 1990, section 1.3.

use std::{mem, slice};

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Words a block counts and scatters: about 10 us to count, 40 us to scatter. Smaller blocks would
/// spend more on their 256 slices than on their words.
const BLOCK: usize = 1 << 14;
const VALUES: usize = 1 << 8;
const PASSES: u32 = 8;

/// An ascending sort of `n` random words.
#[derive(Debug, Clone)]
pub struct Radix {
    input: Vec<u64>,
    work: Vec<u64>,
    buffer: Vec<u64>,
    ran: bool,
}

/// A block's part in a pass: what it reads, and where the words of each byte value go.
struct Scatter<'a> {
    from: &'a [u64],
    counts: [u32; VALUES],
    to: Vec<slice::IterMut<'a, u64>>,
}

#[inline]
fn byte(word: u64, pass: u32) -> usize {
    (word >> (8 * pass)) as usize % VALUES
}

impl<'a> Scatter<'a> {
    fn new(from: &'a [u64]) -> Self {
        Self { from, counts: [0; VALUES], to: Vec::with_capacity(VALUES) }
    }

    fn count(&mut self, pass: u32) {
        for &word in self.from {
            self.counts[byte(word, pass)] += 1;
        }
    }

    fn scatter(&mut self, pass: u32) {
        for &word in self.from {
            // The slices were cut to the counts of these very words, so there is always a slot.
            if let Some(slot) = self.to[byte(word, pass)].next() {
                *slot = word;
            }
        }
    }
}

fn pass<E: Engine>(engine: &mut E, from: &[u64], mut to: &mut [u64], pass: u32) {
    let mut blocks: Vec<_> = from.chunks(BLOCK).map(Scatter::new).collect();
    engine.chunks_mut(&mut blocks, 1, |_, block| block[0].count(pass));
    for value in 0..VALUES {
        for block in &mut blocks {
            let (slots, rest) = mem::take(&mut to).split_at_mut(block.counts[value] as usize);
            block.to.push(slots.iter_mut());
            to = rest;
        }
    }
    engine.chunks_mut(&mut blocks, 1, |_, block| block[0].scatter(pass));
}

fn plain(work: &mut Vec<u64>, buffer: &mut Vec<u64>) {
    for pass in 0..PASSES {
        let mut ends = [0_usize; VALUES];
        for &word in work.iter() {
            ends[byte(word, pass)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += mem::replace(end, sum);
        }
        for &word in work.iter() {
            let place = &mut ends[byte(word, pass)];
            buffer[*place] = word;
            *place += 1;
        }
        mem::swap(work, buffer);
    }
}

impl Kernel for Radix {
    const ENTRY: Entry = Entry {
        name: "radix",
        what: "radix sort of random words, byte by byte",
        shape: Shape::Loop,
        unit: "words",
        default_size: 1 << 22,
        quick_size: 1 << 20,
        least: 1,
        most: 1 << 27,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(6);
        let input: Vec<_> = (0..size).map(|_| rng.word()).collect();
        Ok(Self { work: input.clone(), buffer: input.clone(), input, ran: false })
    }

    fn prepare(&mut self) {
        self.work.copy_from_slice(&self.input);
        self.buffer.copy_from_slice(&self.input);
        self.ran = false;
    }

    fn serial(&mut self) {
        plain(&mut self.work, &mut self.buffer);
        self.ran = true;
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        for number in 0..PASSES {
            pass(engine, &self.work, &mut self.buffer, number);
            mem::swap(&mut self.work, &mut self.buffer);
        }
        self.ran = true;
    }

    fn answer(&self) -> Answer {
        if !self.ran || !self.work.is_sorted() {
            return Answer::Missing;
        }
        Answer::digest(self.work.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Radix};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn it_sorts() {
        let mut radix = Radix::make(1000).unwrap();
        radix.serial();
        let mut expected = radix.input.clone();
        expected.sort_unstable();
        assert_eq!(radix.work, expected);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Radix>(&[2, 3, BLOCK, BLOCK + 1, 3 * BLOCK - 5]);
    }
}
