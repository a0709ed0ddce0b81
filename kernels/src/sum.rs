//! The sum of a slice of numbers.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Numbers a block adds up: about 10 us.
const BLOCK: usize = 1 << 15;
/// Independent sums inside a block, so that one addition need not wait for the last.
const LANES: usize = 8;

/// The sum of `n` floating-point numbers.
///
/// The numbers are multiples of 2^-10 below 2^10 in size and at most 2^28 of them are added, so every
/// partial sum is exact, and the bits agree however they are grouped.
#[derive(Debug, Clone)]
pub struct Sum {
    numbers: Vec<f64>,
    sum: Option<f64>,
}

fn lanes(numbers: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let rows = numbers.chunks_exact(LANES);
    let rest: f64 = rows.remainder().iter().sum();
    for row in rows {
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum += number;
        }
    }
    sums.iter().sum::<f64>() + rest
}

impl Kernel for Sum {
    const ENTRY: Entry = Entry {
        name: "sum",
        what: "sum of a slice of numbers",
        shape: Shape::Loop,
        unit: "numbers",
        default_size: 1 << 27,
        quick_size: 1 << 25,
        least: 1,
        most: 1 << 28,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(7);
        let numbers = (0..size).map(|_| ((rng.word() >> 43) as f64 - 1_048_576.0) / 1024.0).collect();
        Ok(Self { numbers, sum: None })
    }

    fn prepare(&mut self) {
        self.sum = None;
    }

    fn serial(&mut self) {
        self.sum = Some(lanes(&self.numbers));
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let numbers = &self.numbers;
        let blocks = numbers.len().div_ceil(BLOCK);
        let block = |block: usize| {
            let first = block * BLOCK;
            lanes(&numbers[first..numbers.len().min(first + BLOCK)])
        };
        self.sum = Some(engine.reduce(blocks, || 0.0, block, |a, b| a + b));
    }

    fn answer(&self) -> Answer {
        self.sum.map_or(Answer::Missing, Answer::Real)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, LANES, Sum, lanes};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn all_numbers_count_once_and_exactly() {
        for size in [1, LANES - 1, LANES, 3 * LANES + 1] {
            let numbers = Sum::make(size).unwrap().numbers;
            let whole: i64 = numbers.iter().map(|number| (number * 1024.0) as i64).sum();
            assert_eq!(lanes(&numbers), whole as f64 / 1024.0);
            assert!(numbers.iter().all(|number| number.abs() <= 1024.0));
        }
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Sum>(&[2, LANES + 1, BLOCK, BLOCK + 1, 5 * BLOCK - 3]);
    }
}
