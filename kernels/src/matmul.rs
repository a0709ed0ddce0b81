//! The product of two square matrices, tile by tile.
//!
//! Source: the packing into panels is that of Goto and van de Geijn, "Anatomy of high-performance
//! matrix multiplication", ACM TOMS 34(3), 2008.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Rows and columns of what is kept in registers, and the width of a panel.
const MICRO: usize = 4;
/// Micro-tiles along the side of a tile.
const ACROSS: usize = 4;
/// Rows and columns of a tile, which is one block: about 30 us at the default size.
const TILE: usize = MICRO * ACROSS;

/// `c = a * b` for `n` by `n` numbers.
///
/// Both factors are first packed into panels of four rows or columns, padded with zeros; `c` is kept
/// tile after tile. Every number of `c` adds up its products in ascending order, so the bits are those
/// of the textbook's three loops.
#[derive(Debug, Clone)]
pub struct Matmul {
    side: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    rows: Vec<f64>,
    columns: Vec<f64>,
    tiles: Vec<f64>,
}

/// Packs four rows of `a`: first their first numbers, then their second ones, and so on.
fn pack_rows(a: &[f64], side: usize, number: usize, panel: &mut [f64]) {
    for lane in 0..MICRO {
        let row = number * MICRO + lane;
        if row < side {
            for (slot, x) in panel[lane..].iter_mut().step_by(MICRO).zip(&a[row * side..(row + 1) * side]) {
                *slot = *x;
            }
        }
    }
}

/// Packs four columns of `b`, row after row.
fn pack_columns(b: &[f64], side: usize, number: usize, panel: &mut [f64]) {
    let first = number * MICRO;
    let width = MICRO.min(side.saturating_sub(first));
    if width == 0 {
        return;
    }
    for (slots, row) in panel.chunks_exact_mut(MICRO).zip(b.chunks_exact(side)) {
        slots[..width].copy_from_slice(&row[first..first + width]);
    }
}

#[inline]
fn micro(rows: &[f64], columns: &[f64]) -> [[f64; MICRO]; MICRO] {
    let mut sums = [[0.0; MICRO]; MICRO];
    for (xs, ys) in rows.chunks_exact(MICRO).zip(columns.chunks_exact(MICRO)) {
        for (sums, x) in sums.iter_mut().zip(xs) {
            for (sum, y) in sums.iter_mut().zip(ys) {
                *sum += x * y;
            }
        }
    }
    sums
}

fn tile(side: usize, rows: &[f64], columns: &[f64], number: usize, tile: &mut [f64]) {
    let (down, along) = (number / side.div_ceil(TILE), number % side.div_ceil(TILE));
    let panel = side * MICRO;
    for (i, rows) in rows[down * ACROSS * panel..].chunks_exact(panel).take(ACROSS).enumerate() {
        for (j, columns) in columns[along * ACROSS * panel..].chunks_exact(panel).take(ACROSS).enumerate() {
            for (lane, sums) in micro(rows, columns).iter().enumerate() {
                let place = (i * MICRO + lane) * TILE + j * MICRO;
                tile[place..place + MICRO].copy_from_slice(sums);
            }
        }
    }
}

impl Matmul {
    fn at(&self, row: usize, column: usize) -> f64 {
        let number = (row / TILE) * self.side.div_ceil(TILE) + column / TILE;
        self.tiles[number * TILE * TILE + (row % TILE) * TILE + column % TILE]
    }
}

impl Kernel for Matmul {
    const ENTRY: Entry = Entry {
        name: "matmul",
        what: "product of two square matrices, packed and tiled",
        shape: Shape::Loop,
        unit: "rows and columns",
        default_size: 1024,
        quick_size: 448,
        least: 1,
        most: 8192,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(14);
        let mut matrix = || (0..size * size).map(|_| 2.0 * rng.unit() - 1.0).collect::<Vec<_>>();
        let padded = size.div_ceil(TILE) * TILE;
        Ok(Self {
            side: size,
            a: matrix(),
            b: matrix(),
            rows: vec![0.0; padded * size],
            columns: vec![0.0; padded * size],
            tiles: vec![f64::NAN; padded * padded],
        })
    }

    fn prepare(&mut self) {
        self.rows.fill(0.0);
        self.columns.fill(0.0);
        self.tiles.fill(f64::NAN);
    }

    fn serial(&mut self) {
        let side = self.side;
        for (number, panel) in self.rows.chunks_mut(side * MICRO).enumerate() {
            pack_rows(&self.a, side, number, panel);
        }
        for (number, panel) in self.columns.chunks_mut(side * MICRO).enumerate() {
            pack_columns(&self.b, side, number, panel);
        }
        for (number, numbers) in self.tiles.chunks_mut(TILE * TILE).enumerate() {
            tile(side, &self.rows, &self.columns, number, numbers);
        }
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let Self { side, a, b, rows, columns, tiles } = self;
        let side = *side;
        engine.chunks_mut(rows, side * MICRO, |number, panel| pack_rows(a, side, number, panel));
        engine.chunks_mut(columns, side * MICRO, |number, panel| pack_columns(b, side, number, panel));
        let (rows, columns) = (&*rows, &*columns);
        engine.chunks_mut(tiles, TILE * TILE, |number, numbers| tile(side, rows, columns, number, numbers));
    }

    fn answer(&self) -> Answer {
        let places = (0..self.side).flat_map(|row| (0..self.side).map(move |column| (row, column)));
        Answer::digest_reals(places.map(|(row, column)| self.at(row, column)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Matmul, TILE};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn the_bits_of_three_loops() {
        for side in [1, 3, TILE, TILE + 1, 3 * TILE - 2] {
            let mut matmul = Matmul::make(side).unwrap();
            matmul.serial();
            for row in 0..side {
                for column in 0..side {
                    let mut sum = 0.0;
                    for k in 0..side {
                        sum += matmul.a[row * side + k] * matmul.b[k * side + column];
                    }
                    assert_eq!(matmul.at(row, column), sum, "{row}, {column} of {side}");
                }
            }
        }
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Matmul>(&[2, 5, TILE, TILE + 1, 4 * TILE - 3]);
    }
}
