//! Heat spreading over a plate: Jacobi sweeps of a five-point stencil.
//!
//! Source: Jacobi's iteration for Laplace's equation, as in Press et al., "Numerical recipes", 3rd
//! ed., section 20.5.

use std::mem;

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

const SWEEPS: usize = 8;
/// Cells a block writes, about 10 us; a block is whole rows, at least one.
const CELLS: usize = 1 << 14;

/// Eight sweeps over `n` by `n` cells: each inner cell becomes the mean of its four neighbours.
///
/// The cells at the border stay as they are. A sweep reads one grid and writes the other.
#[derive(Debug, Clone)]
pub struct Stencil {
    side: usize,
    start: Vec<f64>,
    now: Vec<f64>,
    next: Vec<f64>,
    ran: bool,
}

/// Writes the rows of `next` from number `first` on.
fn relax(side: usize, now: &[f64], first: usize, next: &mut [f64]) {
    for (row, next) in (first..).zip(next.chunks_exact_mut(side)) {
        let here = &now[row * side..(row + 1) * side];
        if row == 0 || row == side - 1 {
            next.copy_from_slice(here);
            continue;
        }
        let above = &now[(row - 1) * side..row * side];
        let below = &now[(row + 1) * side..(row + 2) * side];
        next[0] = here[0];
        next[side - 1] = here[side - 1];
        let sides = here.iter().zip(&here[2..]);
        for (((cell, (left, right)), up), down) in
            next[1..side - 1].iter_mut().zip(sides).zip(&above[1..]).zip(&below[1..])
        {
            *cell = 0.25 * ((left + right) + (up + down));
        }
    }
}

impl Kernel for Stencil {
    const ENTRY: Entry = Entry {
        name: "stencil",
        what: "five-point Jacobi sweeps over a square grid",
        shape: Shape::Loop,
        unit: "rows and columns",
        default_size: 4096,
        quick_size: 1536,
        least: 3,
        most: 12_288,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(15);
        let start: Vec<_> = (0..size * size).map(|_| 100.0 * rng.unit()).collect();
        Ok(Self { side: size, now: start.clone(), next: start.clone(), start, ran: false })
    }

    fn prepare(&mut self) {
        self.now.copy_from_slice(&self.start);
        self.next.fill(f64::NAN);
        self.ran = false;
    }

    fn serial(&mut self) {
        for _ in 0..SWEEPS {
            relax(self.side, &self.now, 0, &mut self.next);
            mem::swap(&mut self.now, &mut self.next);
        }
        self.ran = true;
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let side = self.side;
        let rows = (CELLS / side).max(1);
        for _ in 0..SWEEPS {
            let now = &self.now;
            engine.chunks_mut(&mut self.next, rows * side, |block, next| {
                relax(side, now, block * rows, next);
            });
            mem::swap(&mut self.now, &mut self.next);
        }
        self.ran = true;
    }

    fn answer(&self) -> Answer {
        if !self.ran {
            return Answer::Missing;
        }
        Answer::digest_reals(self.now.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{Stencil, relax};
    use crate::suite;

    #[test]
    fn one_inner_cell() {
        let now = [9.0, 1.0, 9.0, 2.0, 7.0, 3.0, 9.0, 4.0, 8.0];
        let mut next = [0.0; 9];
        relax(3, &now, 0, &mut next);
        assert_eq!(next, [9.0, 1.0, 9.0, 2.0, 2.5, 3.0, 9.0, 4.0, 8.0]);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Stencil>(&[4, 5, 127, 128, 129, 301]);
    }
}
