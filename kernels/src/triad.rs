//! The STREAM triad: how fast memory can be read twice and written once.
//!
//! Source: McCalpin, "Memory bandwidth and machine balance in current high performance computers",
//! IEEE TCCA Newsletter, 1995.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Elements a block writes: about 15 us.
const BLOCK: usize = 1 << 14;
const SCALAR: f64 = 3.0;

/// `a = b + s * c` over three arrays of `n` numbers; it moves 24 bytes a number.
#[derive(Debug, Clone)]
pub struct Triad {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
}

fn triad(a: &mut [f64], b: &[f64], c: &[f64]) {
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        *a = b + SCALAR * c;
    }
}

impl Kernel for Triad {
    const ENTRY: Entry = Entry {
        name: "triad",
        what: "STREAM triad, a = b + s * c",
        shape: Shape::Loop,
        unit: "numbers in each array",
        default_size: 1 << 26,
        quick_size: 1 << 23,
        least: 1,
        most: 1 << 27,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(9);
        let b = (0..size).map(|_| rng.unit()).collect();
        let c = (0..size).map(|_| rng.unit()).collect();
        Ok(Self { a: vec![f64::NAN; size], b, c })
    }

    fn prepare(&mut self) {
        self.a.fill(f64::NAN);
    }

    fn serial(&mut self) {
        triad(&mut self.a, &self.b, &self.c);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let (b, c) = (&self.b, &self.c);
        engine.chunks_mut(&mut self.a, BLOCK, |block, a| {
            triad(a, &b[block * BLOCK..], &c[block * BLOCK..]);
        });
    }

    fn answer(&self) -> Answer {
        Answer::digest_reals(self.a.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Triad};
    use crate::suite;

    #[test]
    fn engines_agree() {
        suite::agree::<Triad>(&[2, BLOCK, BLOCK + 1, 3 * BLOCK - 5]);
    }
}
