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

/// The squares of the next row that are attacked, by column and along both diagonals.
#[derive(Debug, Clone, Copy)]
struct Board {
    full: u32,
    columns: u32,
    left: u32,
    right: u32,
}

impl Board {
    fn empty(size: u32) -> Self {
        Self { full: (1 << size) - 1, columns: 0, left: 0, right: 0 }
    }

    #[inline]
    fn is_done(self) -> bool {
        self.columns == self.full
    }

    #[inline]
    fn free(self) -> u32 {
        self.full & !(self.columns | self.left | self.right)
    }

    #[inline]
    fn place(self, square: u32) -> Self {
        Self {
            full: self.full,
            columns: self.columns | square,
            left: (self.left | square) << 1,
            right: (self.right | square) >> 1,
        }
    }
}

fn plain(board: Board) -> u64 {
    if board.is_done() {
        return 1;
    }
    let mut solutions = 0;
    let mut free = board.free();
    while free != 0 {
        let square = free & free.wrapping_neg();
        free ^= square;
        solutions += plain(board.place(square));
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
        most: 18,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        Ok(Self { size: size as u32, solutions: None })
    }

    fn prepare(&mut self) {
        self.solutions = None;
    }

    fn serial(&mut self) {
        self.solutions = Some(plain(Board::empty(self.size)));
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
