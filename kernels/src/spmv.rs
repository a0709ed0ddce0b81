//! A sparse matrix times a vector, with rows of very different lengths.
//!
//! Source: compressed sparse rows, as in Saad, "Iterative methods for sparse linear systems", 2nd ed.,
//! section 3.4.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Rows of a block: about 10 us, but the longest row alone is half as long as a usual block.
const BLOCK: usize = 256;
/// Entries of the shortest and of the longest row.
const SHORT: usize = 4;
const LONG: usize = 4096;

/// `y = m * x` for an `n` by `n` matrix of about 32 entries a row.
///
/// The share of rows that are longer than `l` falls as 1 / l, as in the graph of links between pages.
#[derive(Debug, Clone)]
pub struct Spmv {
    /// The entries of row `i` stand at `ends[i]..ends[i + 1]`.
    ends: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
}

struct Rows<'a> {
    ends: &'a [u32],
    columns: &'a [u32],
    values: &'a [f64],
    x: &'a [f64],
}

impl Rows<'_> {
    /// Writes the rows of `y` from number `first` on.
    fn multiply(&self, first: usize, y: &mut [f64]) {
        for (slot, ends) in y.iter_mut().zip(self.ends[first..].windows(2)) {
            let row = ends[0] as usize..ends[1] as usize;
            let mut sum = 0.0;
            for (column, value) in self.columns[row.clone()].iter().zip(&self.values[row]) {
                sum += value * self.x[*column as usize];
            }
            *slot = sum;
        }
    }
}

impl Kernel for Spmv {
    const ENTRY: Entry = Entry {
        name: "spmv",
        what: "sparse matrix times vector, row lengths by a power law",
        shape: Shape::Loop,
        unit: "rows",
        default_size: 1 << 20,
        quick_size: 1 << 18,
        least: 1,
        most: 1 << 23,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(16);
        let mut ends = Vec::with_capacity(size + 1);
        ends.push(0);
        let mut end = 0;
        for _ in 0..size {
            end += LONG / (1 + rng.below(LONG / SHORT));
            ends.push(end as u32);
        }
        let columns = (0..end).map(|_| rng.below(size) as u32).collect();
        let values = (0..end).map(|_| 2.0 * rng.unit() - 1.0).collect();
        let x = (0..size).map(|_| rng.unit()).collect();
        Ok(Self { ends, columns, values, x, y: vec![f64::NAN; size] })
    }

    fn prepare(&mut self) {
        self.y.fill(f64::NAN);
    }

    fn serial(&mut self) {
        let Self { ends, columns, values, x, y } = self;
        Rows { ends, columns, values, x }.multiply(0, y);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let Self { ends, columns, values, x, y } = self;
        let rows = Rows { ends, columns, values, x };
        engine.chunks_mut(y, BLOCK, |block, y| rows.multiply(block * BLOCK, y));
    }

    fn answer(&self) -> Answer {
        Answer::digest_reals(self.y.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, LONG, Rows, SHORT, Spmv};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn a_small_product() {
        let rows = Rows {
            ends: &[0, 2, 2, 3],
            columns: &[0, 2, 1],
            values: &[2.0, 3.0, 4.0],
            x: &[1.0, 10.0, 100.0],
        };
        let mut y = [0.0; 3];
        rows.multiply(0, &mut y);
        assert_eq!(y, [302.0, 0.0, 40.0]);
    }

    #[test]
    fn rows_are_skewed() {
        let ends = Spmv::make(20_000).unwrap().ends;
        let lengths: Vec<_> = ends.windows(2).map(|ends| (ends[1] - ends[0]) as usize).collect();
        assert_eq!(lengths.iter().min(), Some(&SHORT));
        assert!(lengths.iter().max() > Some(&(LONG / 4)));
        assert!((16..64).contains(&(lengths.iter().sum::<usize>() / lengths.len())));
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Spmv>(&[2, BLOCK, BLOCK + 1, 9 * BLOCK - 5]);
    }
}
