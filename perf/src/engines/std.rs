//! The standard library alone: scoped threads, started anew for every loop.
//!
//! A loop is split statically, one run of blocks per worker. `join` starts a thread down to a cut-off
//! depth, which is what people write by hand, and is serial below it.

use std::ops::Range;
use std::thread;

use kernels::{Case, Engine, Shape};

use super::{Listing, Peer};

pub(super) const LISTING: Listing = Listing {
    name: "std",
    about: "std::thread::scope, split by hand",
    open: |workers| Ok(Box::new(Std { workers, threads_below: cut_off(workers) })),
};

/// How many levels of joins start a thread: 8 to 16 leaves per worker, but never more than 1,024 threads.
fn cut_off(workers: usize) -> u32 {
    if workers == 1 { 0 } else { (workers.next_power_of_two().ilog2() + 3).min(10) }
}

/// The engine, and its place in the tree of joins.
#[derive(Debug, Clone, Copy)]
struct Std {
    workers: usize,
    threads_below: u32,
}

impl Std {
    /// The blocks of each worker: contiguous, as even as can be, none empty.
    fn parts(self, blocks: usize) -> impl Iterator<Item = Range<usize>> {
        let parts = self.workers.min(blocks);
        (0..parts).map(move |part| blocks * part / parts..blocks * (part + 1) / parts)
    }
}

impl Peer for Std {
    fn name(&self) -> &str {
        LISTING.name
    }

    fn supports(&self, shape: Shape) -> bool {
        !matches!(shape, Shape::Sort)
    }

    fn run(&mut self, case: &mut Case) {
        case.run(&mut self.clone());
    }
}

impl Engine for Std {
    #[inline]
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        if self.threads_below == 0 {
            let ra = a(self);
            return (ra, b(self));
        }
        let below = Self { threads_below: self.threads_below - 1, ..*self };
        thread::scope(|scope| {
            let other = scope.spawn(move || b(&mut below.clone()));
            let ra = a(&mut below.clone());
            (ra, joined(other))
        })
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        let body = &body;
        let mut parts = self.parts(blocks);
        let first = parts.next();
        thread::scope(|scope| {
            parts.for_each(|part| drop(scope.spawn(move || part.for_each(body))));
            first.into_iter().flatten().for_each(body);
        });
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        let fold = |part: Range<usize>| part.fold(zero(), |sum, block| combine(sum, map(block)));
        let fold = &fold;
        let mut parts = self.parts(blocks);
        let Some(first) = parts.next() else { return zero() };
        thread::scope(|scope| {
            let others: Vec<_> = parts.map(|part| scope.spawn(move || fold(part))).collect();
            let first = fold(first);
            others.into_iter().map(joined).fold(first, &combine)
        })
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        let body = &body;
        let blocks = data.len().div_ceil(chunk);
        let mut rest = data;
        thread::scope(|scope| {
            for part in self.parts(blocks) {
                let len = rest.len().min(part.len() * chunk);
                let (mine, others) = std::mem::take(&mut rest).split_at_mut(len);
                rest = others;
                let work = move || mine.chunks_mut(chunk).zip(part).for_each(|(c, i)| body(i, c));
                if rest.is_empty() {
                    work();
                } else {
                    scope.spawn(work);
                }
            }
        });
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        data.sort_unstable();
    }
}

/// Waits for a thread, and passes its panic on.
fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
