//! Naive Fibonacci: nothing but forks and joins.
//!
//! Source: the standard fork-join micro-benchmark since Frigo, Leiserson and Randall, "The
//! implementation of the Cilk-5 multithreaded language", PLDI 1998.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};

/// The n-th Fibonacci number, by both recursive calls, with a join at every branch.
///
/// fib(n) makes fib(n + 1) - 1 joins.
#[derive(Debug, Clone)]
pub struct Fib {
    n: u32,
    value: Option<u64>,
}

fn plain(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { plain(n - 1) + plain(n - 2) }
}

fn forked<E: Engine>(engine: &mut E, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = engine.join(move |engine| forked(engine, n - 1), move |engine| forked(engine, n - 2));
    a + b
}

impl Kernel for Fib {
    const ENTRY: Entry = Entry {
        name: "fib",
        what: "naive Fibonacci, a join at every branch",
        shape: Shape::Join,
        unit: "index of the number",
        default_size: 37,
        quick_size: 33,
        least: 1,
        most: 50,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        Ok(Self { n: size as u32, value: None })
    }

    fn prepare(&mut self) {
        self.value = None;
    }

    fn serial(&mut self) {
        self.value = Some(plain(self.n));
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        self.value = Some(forked(engine, self.n));
    }

    fn answer(&self) -> Answer {
        Answer::count(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::Fib;
    use crate::suite;

    #[test]
    fn known_numbers() {
        assert_eq!(suite::count::<Fib>(1), 1);
        assert_eq!(suite::count::<Fib>(10), 55);
        assert_eq!(suite::count::<Fib>(20), 6765);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Fib>(&[1, 2, 3, 17]);
    }
}
