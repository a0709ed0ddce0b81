//! The engine's own sort.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// An unstable sort of `n` random words by whatever the engine has; std's without an engine.
#[derive(Debug, Clone)]
pub struct Sort {
    input: Vec<u64>,
    work: Vec<u64>,
    ran: bool,
}

impl Kernel for Sort {
    const ENTRY: Entry = Entry {
        name: "sort",
        what: "the engine's own unstable sort of random words",
        shape: Shape::Sort,
        unit: "words",
        default_size: 1 << 23,
        quick_size: 1 << 20,
        least: 1,
        most: 1 << 28,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(5);
        let input: Vec<_> = (0..size).map(|_| rng.word()).collect();
        Ok(Self { work: input.clone(), input, ran: false })
    }

    fn prepare(&mut self) {
        self.work.copy_from_slice(&self.input);
        self.ran = false;
    }

    fn serial(&mut self) {
        self.work.sort_unstable();
        self.ran = true;
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        engine.sort(&mut self.work);
        self.ran = true;
    }

    fn answer(&self) -> Answer {
        if !self.ran || !self.work.is_sorted() {
            return Answer::Missing;
        }
        Answer::digest(self.work.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::Sort;
    use crate::suite;

    #[test]
    fn engines_agree() {
        suite::agree::<Sort>(&[2, 3, 1000, 4097]);
    }
}
