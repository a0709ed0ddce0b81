//! Following pointers through memory, where each load waits for the last.
//!
//! Source: the single random cycle is Sattolo's, "An algorithm to generate a random cyclic
//! permutation", Information Processing Letters 22, 1986; chasing one is lmbench's `lat_mem_rd`.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Steps of one chain: about 15 us out of a cache, 80 us out of memory.
const STEPS: usize = 1 << 10;

/// Independent chains through one table of `n` entries, one chain to a block.
///
/// The table is a single random cycle and the chains share it out: each entry is visited once.
#[derive(Debug, Clone)]
pub struct Chase {
    next: Vec<u32>,
    starts: Vec<u32>,
    sum: Option<u64>,
}

/// A random cycle through all of `0..size`.
fn cycle(size: usize) -> Vec<u32> {
    let mut rng = Rng::new(12);
    let mut next: Vec<u32> = (0..size as u32).collect();
    for last in (1..size).rev() {
        next.swap(last, rng.below(last));
    }
    next
}

impl Chase {
    /// Walks chain number `chain`; the outcome depends on the order of its steps.
    fn walk(&self, chain: usize) -> u64 {
        let steps = STEPS.min(self.next.len() - chain * STEPS);
        let mut place = self.starts[chain];
        let mut trace = 0_u64;
        for _ in 0..steps {
            trace = trace.wrapping_mul(31).wrapping_add(u64::from(place));
            place = self.next[place as usize];
        }
        trace
    }
}

impl Kernel for Chase {
    const ENTRY: Entry = Entry {
        name: "chase",
        what: "independent pointer chases through one large table",
        shape: Shape::Loop,
        unit: "table entries",
        default_size: 1 << 22,
        quick_size: 1 << 20,
        least: 1,
        most: 1 << 28,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let next = cycle(size);
        let mut starts = Vec::with_capacity(size.div_ceil(STEPS));
        let mut place = 0;
        for step in 0..size {
            if step % STEPS == 0 {
                starts.push(place);
            }
            place = next[place as usize];
        }
        Ok(Self { next, starts, sum: None })
    }

    fn prepare(&mut self) {
        self.sum = None;
    }

    fn serial(&mut self) {
        let mut sum = 0_u64;
        for chain in 0..self.starts.len() {
            sum = sum.wrapping_add(self.walk(chain));
        }
        self.sum = Some(sum);
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        let chains = self.starts.len();
        self.sum = Some(engine.reduce(chains, || 0, |chain| self.walk(chain), u64::wrapping_add));
    }

    fn answer(&self) -> Answer {
        Answer::count(self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chase, STEPS, cycle};
    use crate::suite;

    #[test]
    fn the_cycle_visits_everything_once() {
        for size in [1, 2, 3, 1000] {
            let next = cycle(size);
            let mut seen = vec![false; size];
            let mut place = 0;
            for _ in 0..size {
                assert!(!seen[place]);
                seen[place] = true;
                place = next[place] as usize;
            }
            assert_eq!(place, 0);
        }
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Chase>(&[2, STEPS, STEPS + 1, 5 * STEPS - 1]);
    }
}
