//! A function of every element of a slice, into another slice.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Elements a block transforms: about 15 us.
const BLOCK: usize = 1 << 13;

/// A short formula (a square root, a division) over `n` numbers.
#[derive(Debug, Clone)]
pub struct Map {
    input: Vec<f64>,
    output: Vec<f64>,
}

/// All of its operations are rounded exactly by IEEE 754, so the bits are the same on any machine.
#[inline]
fn formula(x: f64) -> f64 {
    (x * x + 1.0).sqrt() / (x.abs() + 2.0) + 0.5 * x
}

fn transform(input: &[f64], output: &mut [f64]) {
    for (x, y) in input.iter().zip(output) {
        *y = formula(*x);
    }
}

impl Kernel for Map {
    const ENTRY: Entry = Entry {
        name: "map",
        what: "a short formula over every number of a slice",
        shape: Shape::Loop,
        unit: "numbers",
        default_size: 1 << 25,
        quick_size: 1 << 22,
        least: 1,
        most: 1 << 27,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(8);
        let input = (0..size).map(|_| 8.0 * rng.unit() - 4.0).collect();
        Ok(Self { input, output: vec![f64::NAN; size] })
    }

    fn prepare(&mut self) {
        self.output.fill(f64::NAN);
    }

    fn serial(&mut self) {
        transform(&self.input, &mut self.output);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let input = &self.input;
        engine.chunks_mut(&mut self.output, BLOCK, |block, output| {
            transform(&input[block * BLOCK..], output);
        });
    }

    fn answer(&self) -> Answer {
        Answer::digest_reals(self.output.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Map, formula};
    use crate::suite;

    #[test]
    fn known_values() {
        assert_eq!(formula(0.0), 0.5);
        assert_eq!(formula(-1.0), 2.0_f64.sqrt() / 3.0 - 0.5);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Map>(&[2, BLOCK, BLOCK + 1, 3 * BLOCK - 5]);
    }
}
