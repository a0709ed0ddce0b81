//! chili, in a pool of its own. Loops are trees of joins that halve the range down to one block, since
//! chili offers nothing else; it has no sort.
//!
//! chili calls the *second* closure first and hands each closure a `&mut Scope<'_>` of a fresh lifetime,
//! where [`Engine`] wants one type all the way down. [`Chili`] hides that lifetime.

#![allow(unsafe_code)] // one cast that erases the lifetime of chili's `Scope`; see `Chili::of`

use std::num::NonZero;
use std::ops::Range;

use chili::{Config, Scope, ThreadPool};
use kernels::{Case, Engine, Shape};
use rustix::thread::{self, CpuSet};

use super::{Listing, Peer};

pub(super) const LISTING: Listing = Listing {
    name: "chili",
    about: "chili's heartbeat joins; loops by halving",
    open: |workers| Ok(Box::new(Pool(pool(workers)))),
};

/// A pool in which `workers` threads work: whoever opens a scope is one of them, so the pool starts one less.
///
/// None at all cannot be asked for. But it is what chili takes by default on a machine with one CPU, so for
/// that moment this thread sees only one.
pub(crate) fn pool(workers: usize) -> ThreadPool {
    if let Some(thread_count) = NonZero::new(workers - 1) {
        let config = Config { thread_count: Some(thread_count), ..Config::default() };
        return ThreadPool::with_config(config);
    }
    let allowed = thread::sched_getaffinity(None);
    let mut one = CpuSet::new();
    if let Some(cpu) = allowed.ok().and_then(|set| (0..CpuSet::MAX_CPU).find(|cpu| set.is_set(*cpu))) {
        one.set(cpu);
    }
    // Where the system refuses, the pool has a thread too many; its joins cost the same.
    let narrowed = thread::sched_setaffinity(None, &one).is_ok();
    let pool = ThreadPool::new();
    if let (true, Ok(allowed)) = (narrowed, allowed) {
        let _ = thread::sched_setaffinity(None, &allowed);
    }
    pool
}

struct Pool(ThreadPool);

impl Peer for Pool {
    fn name(&self) -> &str {
        LISTING.name
    }

    fn supports(&self, shape: Shape) -> bool {
        !matches!(shape, Shape::Sort)
    }

    /// The scope lives no longer than the run: while one is open, chili's timer burns CPU.
    fn run(&mut self, case: &mut Case) {
        case.run(Chili::of(&mut self.0.scope()));
    }
}

/// A `Scope` whose lifetime is hidden. It is only ever seen behind the reference that [`Chili::of`] returns.
#[repr(transparent)]
struct Chili(Scope<'static>);

impl Chili {
    fn of<'a>(scope: &'a mut Scope<'_>) -> &'a mut Self {
        // SAFETY: `Chili` is a transparent wrapper of `Scope`, and `Scope`s that differ in their lifetime
        // alone have one layout. The false `'static` cannot be used: the field is private, no method here
        // moves the scope out or hands it on except to `Scope::join`, and the reference keeps the lifetime
        // of the borrow. Two of them cannot be swapped either: a kernel holds one at a time, since each
        // borrows the one it came from.
        unsafe { &mut *std::ptr::from_mut(scope).cast::<Self>() }
    }

    /// Calls `leaf` for every block of `range`, halving it down to single blocks.
    fn halve<F>(&mut self, range: Range<usize>, leaf: &F)
    where
        F: Fn(usize) + Sync,
    {
        match range.len() {
            0 => {}
            1 => leaf(range.start),
            len => {
                let middle = range.start + len / 2;
                self.join(|s| s.halve(range.start..middle, leaf), |s| s.halve(middle..range.end, leaf));
            }
        }
    }

    fn halve_reduce<T, M, C>(&mut self, range: Range<usize>, map: &M, combine: &C) -> T
    where
        T: Send,
        M: Fn(usize) -> T + Sync,
        C: Fn(T, T) -> T + Sync,
    {
        if range.len() == 1 {
            return map(range.start);
        }
        let middle = range.start + range.len() / 2;
        let (left, right) = self.join(
            |s| s.halve_reduce(range.start..middle, map, combine),
            |s| s.halve_reduce(middle..range.end, map, combine),
        );
        combine(left, right)
    }

    fn halve_chunks<T, F>(&mut self, first: usize, data: &mut [T], chunk: usize, body: &F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Sync,
    {
        if data.len() <= chunk {
            if !data.is_empty() {
                body(first, data);
            }
            return;
        }
        let half = data.len().div_ceil(chunk) / 2;
        let (left, right) = data.split_at_mut(half * chunk);
        self.join(
            |s| s.halve_chunks(first, left, chunk, body),
            |s| s.halve_chunks(first + half, right, chunk, body),
        );
    }
}

impl Engine for Chili {
    #[inline]
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.0.join(|scope| a(Self::of(scope)), |scope| b(Self::of(scope)))
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        self.halve(0..blocks, &body);
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        if blocks == 0 { zero() } else { self.halve_reduce(0..blocks, &map, &combine) }
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        self.halve_chunks(0, data, chunk, &body);
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        data.sort_unstable();
    }
}
