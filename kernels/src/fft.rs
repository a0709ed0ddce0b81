//! A fast Fourier transform by recursion: decimation in time, radix 2, out of place.
//!
//! Source: Cooley and Tukey, "An algorithm for the machine calculation of complex Fourier series",
//! Mathematics of Computation 19, 1965.

use std::f64::consts::PI;

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Transforms of up to this many points are done in place by loops: about 10 us.
const LEAF: usize = 1 << 10;
/// A level's butterflies are split into runs of up to this many: about 10 us.
const RUN: usize = 1 << 12;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Complex {
    re: f64,
    im: f64,
}

const NOTHING: Complex = Complex { re: f64::NAN, im: f64::NAN };

/// The spectrum of 2^n random complex points.
///
/// Even and odd halves are forked, and so are the butterflies that bring them together. Each point
/// undergoes the same operations as in the serial recursion, so the bits agree.
#[derive(Debug, Clone)]
pub struct Fft {
    input: Vec<Complex>,
    /// The factors of the level that makes `m` points stand at `m / 2..m`.
    factors: Vec<Complex>,
    output: Vec<Complex>,
}

#[inline]
fn butterflies(low: &mut [Complex], high: &mut [Complex], factors: &[Complex]) {
    for ((low, high), factor) in low.iter_mut().zip(high).zip(factors) {
        let turned = Complex {
            re: high.re * factor.re - high.im * factor.im,
            im: high.re * factor.im + high.im * factor.re,
        };
        *high = Complex { re: low.re - turned.re, im: low.im - turned.im };
        *low = Complex { re: low.re + turned.re, im: low.im + turned.im };
    }
}

/// Every `stride`-th point of the input, transformed into `output` in loops.
fn leaf(input: &[Complex], stride: usize, output: &mut [Complex], factors: &[Complex]) {
    let points = output.len();
    // A leaf has at least two points, since the smallest transform has.
    let unused = points.leading_zeros() + 1;
    for (place, slot) in output.iter_mut().enumerate() {
        *slot = input[(place.reverse_bits() >> unused) * stride];
    }
    let mut half = 1;
    while half < points {
        for pair in output.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            butterflies(low, high, &factors[half..2 * half]);
        }
        half *= 2;
    }
}

fn plain(input: &[Complex], stride: usize, output: &mut [Complex], factors: &[Complex]) {
    let points = output.len();
    if points <= LEAF {
        return leaf(input, stride, output, factors);
    }
    let (low, high) = output.split_at_mut(points / 2);
    plain(input, 2 * stride, low, factors);
    plain(&input[stride..], 2 * stride, high, factors);
    butterflies(low, high, &factors[points / 2..points]);
}

fn forked<E: Engine>(
    engine: &mut E,
    input: &[Complex],
    stride: usize,
    output: &mut [Complex],
    factors: &[Complex],
) {
    let points = output.len();
    if points <= LEAF {
        return leaf(input, stride, output, factors);
    }
    let (low, high) = output.split_at_mut(points / 2);
    engine.join(
        |engine| forked(engine, input, 2 * stride, low, factors),
        |engine| forked(engine, &input[stride..], 2 * stride, high, factors),
    );
    bring_together(engine, low, high, &factors[points / 2..points]);
}

fn bring_together<E: Engine>(engine: &mut E, low: &mut [Complex], high: &mut [Complex], factors: &[Complex]) {
    if low.len() <= RUN {
        return butterflies(low, high, factors);
    }
    let middle = low.len() / 2;
    let (low_left, low_right) = low.split_at_mut(middle);
    let (high_left, high_right) = high.split_at_mut(middle);
    let (factors_left, factors_right) = factors.split_at(middle);
    engine.join(
        |engine| bring_together(engine, low_left, high_left, factors_left),
        |engine| bring_together(engine, low_right, high_right, factors_right),
    );
}

/// The factors of all levels up to `points`; entry 0 is unused.
fn all_factors(points: usize) -> Vec<Complex> {
    let mut factors = vec![Complex { re: 1.0, im: 0.0 }; points];
    let mut half = 1;
    while half < points {
        for (k, factor) in factors[half..2 * half].iter_mut().enumerate() {
            let (im, re) = (-PI * k as f64 / half as f64).sin_cos();
            *factor = Complex { re, im };
        }
        half *= 2;
    }
    factors
}

impl Kernel for Fft {
    const ENTRY: Entry = Entry {
        name: "fft",
        what: "recursive radix-2 Fourier transform of complex points",
        shape: Shape::Join,
        unit: "log2 of the points",
        default_size: 21,
        quick_size: 19,
        least: 1,
        most: 26,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let points = 1 << size;
        let mut rng = Rng::new(4);
        let mut number = || 2.0 * rng.unit() - 1.0;
        let input = (0..points).map(|_| Complex { re: number(), im: number() }).collect();
        Ok(Self { input, factors: all_factors(points), output: vec![NOTHING; points] })
    }

    fn prepare(&mut self) {
        self.output.fill(NOTHING);
    }

    fn serial(&mut self) {
        plain(&self.input, 1, &mut self.output, &self.factors);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        forked(engine, &self.input, 1, &mut self.output, &self.factors);
    }

    fn answer(&self) -> Answer {
        Answer::digest_reals(self.output.iter().flat_map(|point| [point.re, point.im]))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::Fft;
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn it_is_the_transform_by_its_definition() {
        for size in [1, 2, 5, 11] {
            let mut fft = Fft::make(size).unwrap();
            fft.serial();
            let points = fft.input.len();
            for k in (0..points).step_by(points / 16 + 1) {
                let (mut re, mut im) = (0.0, 0.0);
                for (j, point) in fft.input.iter().enumerate() {
                    let (sin, cos) = (-2.0 * PI * (j * k % points) as f64 / points as f64).sin_cos();
                    re += point.re * cos - point.im * sin;
                    im += point.re * sin + point.im * cos;
                }
                assert!((re - fft.output[k].re).abs() < 1e-9, "2^{size} at {k}");
                assert!((im - fft.output[k].im).abs() < 1e-9, "2^{size} at {k}");
            }
        }
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Fft>(&[1, 2, 10, 11, 15]);
    }
}
