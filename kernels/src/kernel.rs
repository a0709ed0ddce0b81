//! What every kernel offers, and what is known of it before it runs.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;

/// Which of the engine's methods a kernel calls; each kernel has exactly one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Only [`join`](Engine::join): divide and conquer.
    Join,
    /// Only [`each`](Engine::each), [`reduce`](Engine::reduce) and [`chunks_mut`](Engine::chunks_mut),
    /// never one inside another: a pool for flat loops can run it.
    Loop,
    /// Only [`sort`](Engine::sort).
    Sort,
}

impl Shape {
    /// The shape in one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Join => "join",
            Shape::Loop => "loop",
            Shape::Sort => "sort",
        }
    }
}

/// A kernel's line in the catalogue.
///
/// Without an engine, the default size takes 20 to 260 ms on a recent EPYC core and the quick one 5 to
/// 15 ms; count on twice that at 2.6 GHz. Default inputs stay within 1.5 GiB, the largest within about 4.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name to ask for it by.
    pub name: &'static str,
    /// What it computes, in one line.
    pub what: &'static str,
    /// What it asks of an engine.
    pub shape: Shape,
    /// What its size counts.
    pub unit: &'static str,
    /// The size to measure at.
    pub default_size: usize,
    /// The size for a quick look.
    pub quick_size: usize,
    /// The smallest size it takes.
    pub least: usize,
    /// The largest size it takes.
    pub most: usize,
}

impl Entry {
    /// Checks that the kernel takes `size`.
    ///
    /// # Errors
    ///
    /// [`Error::Size`], which says the allowed range.
    pub fn check(&self, size: usize) -> Result<(), Error> {
        if (self.least..=self.most).contains(&size) {
            return Ok(());
        }
        Err(Error::Size { kernel: self.name, size, least: self.least, most: self.most, unit: self.unit })
    }
}

/// One computation with its input, its work buffers and its result.
///
/// A measured run is [`prepare`](Kernel::prepare), then [`run`](Kernel::run) or
/// [`serial`](Kernel::serial) alone under the clock, then [`answer`](Kernel::answer).
pub trait Kernel: Sized {
    /// The kernel's line in the catalogue.
    const ENTRY: Entry;

    /// Makes the input of this size, the same one each time.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] if the kernel does not take this size.
    fn make(size: usize) -> Result<Self, Error>;

    /// Forgets the last answer and restores what a run changes. Not to be timed.
    ///
    /// The answer is then [`Answer::Missing`], or a digest of blanks that agrees with no run's.
    fn prepare(&mut self);

    /// Does the work as a good programmer would write it without an engine.
    fn serial(&mut self);

    /// Does the work on `engine`.
    fn run<E: Engine>(&mut self, engine: &mut E);

    /// What the last run gave. Not to be timed: it may digest a large result.
    fn answer(&self) -> Answer;
}
