//! What the tests of all kernels share: two engines that disturb the order, and the checks.

use std::thread;

use crate::answer::Answer;
use crate::engine::{Engine, Serial};
use crate::kernel::Kernel;

/// Splits for real: threads for the outer joins, and three threads for every loop.
pub(crate) struct Threads {
    depth: u32,
}

const WORKERS: usize = 3;

impl Threads {
    pub(crate) fn new() -> Self {
        Self { depth: 3 }
    }
}

impl Engine for Threads {
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        let Some(depth) = self.depth.checked_sub(1) else {
            let ra = a(self);
            return (ra, b(self));
        };
        thread::scope(|scope| {
            let other = scope.spawn(move || b(&mut Threads { depth }));
            let ra = a(&mut Threads { depth });
            (ra, other.join().unwrap())
        })
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        let body = &body;
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                scope.spawn(move || (worker..blocks).step_by(WORKERS).for_each(body));
            }
        });
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        let (zero, map, combine) = (&zero, &map, &combine);
        let share = blocks.div_ceil(WORKERS).max(1);
        thread::scope(|scope| {
            let parts: Vec<_> = (0..blocks)
                .step_by(share)
                .map(|first| {
                    scope.spawn(move || (first..blocks.min(first + share)).map(map).fold(zero(), combine))
                })
                .collect();
            parts.into_iter().map(|part| part.join().unwrap()).fold(zero(), combine)
        })
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        let body = &body;
        let mut chunks: Vec<_> = data.chunks_mut(chunk).enumerate().collect();
        let share = chunks.len().div_ceil(WORKERS).max(1);
        thread::scope(|scope| {
            for part in chunks.chunks_mut(share) {
                scope.spawn(move || part.iter_mut().for_each(|(index, chunk)| body(*index, chunk)));
            }
        });
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        let (low, high) = data.split_at_mut(data.len() / 2);
        self.join(|_| low.sort_unstable(), |_| high.sort_unstable());
        data.sort_unstable();
    }
}

/// One thread that runs everything from the back.
pub(crate) struct Backward;

impl Engine for Backward {
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        let rb = b(self);
        (a(self), rb)
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        (0..blocks).rev().for_each(body);
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        (0..blocks).rev().fold(zero(), |sum, block| combine(map(block), sum))
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        for (index, chunk) in data.chunks_mut(chunk).enumerate().rev() {
            body(index, chunk);
        }
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        data.sort_unstable_by(|a, b| b.cmp(a));
        data.reverse();
    }
}

/// The kernel's answer on `engine`, from a clean state.
pub(crate) fn run<K: Kernel, E: Engine>(kernel: &mut K, mut engine: E) -> Answer {
    kernel.prepare();
    kernel.run(&mut engine);
    kernel.answer()
}

/// The kernel's answer without an engine, from a clean state.
pub(crate) fn serial<K: Kernel>(kernel: &mut K) -> Answer {
    kernel.prepare();
    kernel.serial();
    kernel.answer()
}

/// The kernel's serial answer, which is a count.
pub(crate) fn count<K: Kernel>(size: usize) -> u64 {
    match serial(&mut K::make(size).unwrap()) {
        Answer::Count(count) => count,
        other => panic!("{other} is no count"),
    }
}

/// Checks at each size that all engines give the serial answer, and that a clean state has none.
pub(crate) fn agree<K: Kernel>(sizes: &[usize]) {
    let name = K::ENTRY.name;
    assert!(K::make(K::ENTRY.least - 1).is_err(), "{name}");
    assert!(K::make(K::ENTRY.most + 1).is_err(), "{name}");
    assert!(K::make(usize::MAX).is_err(), "{name}");
    for &size in sizes.iter().chain([&K::ENTRY.least]) {
        let mut kernel = K::make(size).unwrap();
        let expected = serial(&mut kernel);
        kernel.prepare();
        let clean = kernel.answer();
        for round in 0..2 {
            let serial = run(&mut kernel, Serial);
            assert!(serial.agrees(&expected), "{name} {size}: {serial}, not {expected}");
            let threads = run(&mut kernel, Threads::new());
            assert!(threads.agrees(&expected), "{name} {size} {round}: {threads}, not {expected}");
            let backward = run(&mut kernel, Backward);
            assert!(backward.agrees(&expected), "{name} {size}: {backward}, not {expected}");
        }
        assert!(!clean.agrees(&expected), "{name} {size}: an answer without a run");
        assert!(serial(&mut K::make(size).unwrap()).agrees(&expected), "{name} {size}: not fixed");
    }
}
