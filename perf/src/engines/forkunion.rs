//! ForkUnion: flat loops with a dynamic split, and nothing nested.
//!
//! Behind a feature that is off by default, because every release that runs on stable Rust compiles C++.
//! Its idle threads spin, so the pool is up only around its own runs and cannot disturb the others.

use std::sync::Mutex;

use forkunion::{ThreadPool, Topology};
use kernels::{Case, Engine, Shape};

use super::{Listing, Peer};

pub(super) const LISTING: Listing = Listing {
    name: "forkunion",
    about: "ForkUnion's flat loops, split dynamically; its threads spin while it runs",
    open: |workers| {
        let topology = Topology::new().map_err(|error| error.to_string())?;
        Ok(Box::new(Pool { topology, workers, up: None }))
    },
};

struct Pool {
    topology: Topology,
    workers: usize,
    up: Option<ForkUnion>,
}

impl Peer for Pool {
    fn name(&self) -> &str {
        LISTING.name
    }

    fn supports(&self, shape: Shape) -> bool {
        matches!(shape, Shape::Loop)
    }

    fn rouse(&mut self) {
        let mut engine = ForkUnion(forkunion::spawn(&self.topology, self.workers));
        engine.each(self.workers, |_| {});
        self.up = Some(engine);
    }

    fn run(&mut self, case: &mut Case) {
        if let Some(engine) = &mut self.up {
            case.run(engine);
        }
    }

    fn rest(&mut self) {
        self.up = None;
    }
}

struct ForkUnion(ThreadPool);

impl Engine for ForkUnion {
    /// Serial: ForkUnion has no nested parallelism, and is not asked for kernels that need it.
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        let ra = a(self);
        (ra, b(self))
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        drop(self.0.for_n_dynamic(blocks, |prong| body(prong.task_index)));
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        let results: Vec<_> = (0..blocks).map(|_| Mutex::new(None)).collect();
        self.each(blocks, |block| {
            let value = map(block);
            if let Ok(mut result) = results[block].lock() {
                *result = Some(value);
            }
        });
        results.into_iter().filter_map(|result| result.into_inner().ok().flatten()).fold(zero(), combine)
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        let chunks: Vec<_> = data.chunks_mut(chunk).map(Mutex::new).collect();
        self.each(chunks.len(), |index| {
            if let Ok(mut chunk) = chunks[index].lock() {
                body(index, &mut chunk);
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
