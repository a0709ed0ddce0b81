//! rayon, in a pool of its own.

use kernels::{Case, Engine, Shape};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Listing, Peer};

pub(super) const LISTING: Listing = Listing {
    name: "rayon",
    about: "rayon's ThreadPool, entered by install",
    open: |workers| match ThreadPoolBuilder::new().num_threads(workers).build() {
        Ok(pool) => Ok(Box::new(Pool(pool))),
        Err(error) => Err(error.to_string()),
    },
};

struct Pool(ThreadPool);

impl Peer for Pool {
    fn name(&self) -> &str {
        LISTING.name
    }

    fn supports(&self, _: Shape) -> bool {
        true
    }

    fn run(&mut self, case: &mut Case) {
        self.0.install(|| case.run(&mut Rayon));
    }
}

/// The engine: rayon's own thread-local says which pool it is in.
struct Rayon;

impl Engine for Rayon {
    #[inline]
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        rayon::join(|| a(&mut Self), || b(&mut Self))
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        (0..blocks).into_par_iter().for_each(body);
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        (0..blocks).into_par_iter().map(map).reduce(zero, combine)
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        data.par_chunks_mut(chunk).enumerate().for_each(|(index, chunk)| body(index, chunk));
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        data.par_sort_unstable();
    }
}
