//! The Mandelbrot set, pixel by pixel.
//!
//! Source: the escape-time algorithm of Peitgen and Richter, "The beauty of fractals", 1986.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};

/// Pixels of a block: 1 us outside the set, 50 us inside.
const BLOCK: usize = 64;
const LIMIT: u32 = 256;
/// What a pixel holds before it is computed; no pixel takes as many rounds.
const BLANK: u32 = u32::MAX;

/// How many rounds each of `n` by `n` points takes to escape, up to 256.
///
/// The square is -2 - 1.25i to 0.5 + 1.25i. No shortcut is taken for points known to be inside.
#[derive(Debug, Clone)]
pub struct Mandelbrot {
    side: usize,
    image: Vec<u32>,
}

fn rounds(c_re: f64, c_im: f64) -> u32 {
    let (mut re, mut im) = (0.0, 0.0);
    for round in 0..LIMIT {
        let (re2, im2) = (re * re, im * im);
        if re2 + im2 > 4.0 {
            return round;
        }
        im = 2.0 * re * im + c_im;
        re = re2 - im2 + c_re;
    }
    LIMIT
}

/// Computes the pixels from number `first` on.
fn paint(side: usize, first: usize, pixels: &mut [u32]) {
    let step = 2.5 / side as f64;
    for (number, pixel) in (first..).zip(pixels) {
        let (row, column) = (number / side, number % side);
        *pixel = rounds(-2.0 + column as f64 * step, -1.25 + row as f64 * step);
    }
}

impl Kernel for Mandelbrot {
    const ENTRY: Entry = Entry {
        name: "mandelbrot",
        what: "escape times of the points of a square",
        shape: Shape::Loop,
        unit: "rows and columns",
        default_size: 1024,
        quick_size: 256,
        least: 1,
        most: 16_384,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        Ok(Self { side: size, image: vec![BLANK; size * size] })
    }

    fn prepare(&mut self) {
        self.image.fill(BLANK);
    }

    fn serial(&mut self) {
        paint(self.side, 0, &mut self.image);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let side = self.side;
        engine.chunks_mut(&mut self.image, BLOCK, |block, pixels| paint(side, block * BLOCK, pixels));
    }

    fn answer(&self) -> Answer {
        Answer::digest(self.image.iter().map(|rounds| u64::from(*rounds)))
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, Mandelbrot, rounds};
    use crate::suite;

    #[test]
    fn known_points() {
        assert_eq!(rounds(0.0, 0.0), LIMIT);
        assert_eq!(rounds(-1.0, 0.0), LIMIT);
        assert_eq!(rounds(-2.0, -1.25), 1);
        assert_eq!(rounds(1.0, 0.0), 3);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Mandelbrot>(&[2, 8, 9, 33]);
    }
}
