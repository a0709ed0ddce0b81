//! How many ways there are to place n queens so that none attacks another.
//!
//! Source: the bit-mask backtracking of Richards, "Backtracking algorithms in MCPL using bit
//! patterns and recursion", Cambridge 1997; counts are OEIS A000170.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};

/// The number of solutions on an n-by-n board, with a join wherever there is a choice.
///
/// A row with `k` free squares makes `k - 1` joins, each of the lowest square against the rest.
#[derive(Debug, Clone)]
pub struct Nqueens {
    size: u32,
    solutions: Option<u64>,
}

/// The squares of the next row that are attacked, by column and along both diagonals, and all squares of a
/// row: four times 16 bits in one word, so that a board travels in a register.
#[derive(Debug, Clone, Copy)]
struct Board(u64);

impl Board {
    fn new(full: u32, columns: u32, left: u32, right: u32) -> Self {
        Self(u64::from(full) | u64::from(columns) << 16 | u64::from(left) << 32 | u64::from(right) << 48)
    }

    fn empty(size: u32) -> Self {
        Self::new((1 << size) - 1, 0, 0, 0)
    }

    #[inline]
    fn full(self) -> u32 {
        self.0 as u32 & 0xFFFF
    }

    #[inline]
    fn columns(self) -> u32 {
        (self.0 >> 16) as u32 & 0xFFFF
    }

    #[inline]
    fn is_done(self) -> bool {
        self.columns() == self.full()
    }

    #[inline]
    fn free(self) -> u32 {
        let attacked = self.0 >> 16 | self.0 >> 32 | self.0 >> 48;
        self.full() & !(attacked as u32)
    }

    #[inline]
    fn place(self, square: u32) -> Self {
        let left = ((self.0 >> 32) as u32 & 0xFFFF | square) << 1;
        let right = ((self.0 >> 48) as u32 | square) >> 1;
        Self::new(self.full(), self.columns() | square, left & 0xFFFF, right)
    }
}

fn plain(full: u32, columns: u32, left: u32, right: u32) -> u64 {
    if columns == full {
        return 1;
    }
    let mut solutions = 0;
    let mut free = full & !(columns | left | right);
    while free != 0 {
        let square = free & free.wrapping_neg();
        free ^= square;
        solutions += plain(full, columns | square, (left | square) << 1, (right | square) >> 1);
    }
    solutions
}

fn forked<E: Engine>(engine: &mut E, board: Board) -> u64 {
    if board.is_done() { 1 } else { row(engine, board, board.free()) }
}

fn row<E: Engine>(engine: &mut E, board: Board, free: u32) -> u64 {
    if free == 0 {
        return 0;
    }
    let square = free & free.wrapping_neg();
    let rest = free ^ square;
    if rest == 0 {
        return forked(engine, board.place(square));
    }
    let (here, there) = engine
        .join(move |engine| forked(engine, board.place(square)), move |engine| row(engine, board, rest));
    here + there
}

impl Kernel for Nqueens {
    const ENTRY: Entry = Entry {
        name: "nqueens",
        what: "count the ways to place n queens, a join at every choice",
        shape: Shape::Join,
        unit: "queens",
        default_size: 14,
        quick_size: 12,
        least: 1,
        most: 16,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        Ok(Self { size: size as u32, solutions: None })
    }

    fn prepare(&mut self) {
        self.solutions = None;
    }

    fn serial(&mut self) {
        self.solutions = Some(plain((1 << self.size) - 1, 0, 0, 0));
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        self.solutions = Some(forked(engine, Board::empty(self.size)));
    }

    fn answer(&self) -> Answer {
        Answer::count(self.solutions)
    }
}

#[cfg(test)]
mod tests {
    use super::Nqueens;
    use crate::suite;

    #[test]
    fn known_counts() {
        let counts: Vec<u64> = (1..=9).map(suite::count::<Nqueens>).collect();
        assert_eq!(counts, [1, 0, 0, 2, 10, 4, 40, 92, 352]);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Nqueens>(&[1, 2, 3, 4, 7, 8]);
    }
}
