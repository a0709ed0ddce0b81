//! The engines, one file each, and the list of them.
//!
//! An [`Engine`](kernels::Engine) is what a kernel sees: `join`, loops, a sort. A [`Peer`] is what the
//! comparison sees: a pool that lives for the whole run and can grind a prepared [`Case`].

pub(crate) mod chili;
#[cfg(feature = "forkunion")]
mod forkunion;
mod gristmill;
mod rayon;
mod serial;
mod std;

use kernels::{Case, Shape};

/// Counters of a pool since it was opened; a run is the difference of two of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Jobs taken from another worker.
    pub steals: u64,
    /// Times a worker went to sleep.
    pub parks: u64,
}

impl Tally {
    /// What happened between `earlier` and this one.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            steals: self.steals.saturating_sub(earlier.steals),
            parks: self.parks.saturating_sub(earlier.parks),
        }
    }
}

/// One contestant: an engine together with its pool, opened once per run.
pub trait Peer {
    /// The name it is chosen and reported by.
    fn name(&self) -> &str;

    /// Whether it can express kernels of this shape.
    fn supports(&self, shape: Shape) -> bool;

    /// Grinds a prepared case on the pool, entering it from outside. Only this is timed.
    fn run(&mut self, case: &mut Case);

    /// Called before a timed run, untimed: brings up what must not stay up while others run.
    fn rouse(&mut self) {}

    /// Called after a timed run, untimed: puts down what [`rouse`](Peer::rouse) brought up.
    fn rest(&mut self) {}

    /// The pool's counters, for engines that count.
    fn tally(&self) -> Option<Tally> {
        None
    }
}

/// A contestant that can be opened by name.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// The name on the command line and in the tables.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    open: fn(usize) -> Result<Box<dyn Peer>, String>,
}

impl Listing {
    /// Opens its pool with `workers` threads.
    ///
    /// # Errors
    ///
    /// A sentence saying why the pool could not be built, for example because threads ran out.
    pub fn open(&self, workers: usize) -> Result<Box<dyn Peer>, String> {
        (self.open)(workers)
    }
}

/// Every engine of this build that runs Rust kernels, in the order of the tables.
pub fn all() -> Vec<Listing> {
    let mut all = vec![serial::LISTING, std::LISTING, rayon::LISTING, chili::LISTING];
    #[cfg(feature = "forkunion")]
    all.push(forkunion::LISTING);
    all.extend(gristmill::LISTING);
    all
}
