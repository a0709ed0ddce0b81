//! gristmill, in a mill of its own: the only file of this crate that touches it.

use gristmill::Mill;
use kernels::{Case, Engine, Shape};

use super::{Listing, Peer, Tally};

pub(super) const LISTING: Option<Listing> = Some(Listing {
    name: "gristmill",
    about: "a Mill, entered by install",
    open: |workers| match Mill::builder().workers(workers).build() {
        Ok(mill) => Ok(Box::new(Pool(mill))),
        Err(error) => Err(error.to_string()),
    },
});

struct Pool(Mill);

impl Peer for Pool {
    fn name(&self) -> &str {
        "gristmill"
    }

    fn supports(&self, _: Shape) -> bool {
        true
    }

    fn run(&mut self, case: &mut Case) {
        self.0.install(|| case.run(&mut Grist));
    }

    fn tally(&self) -> Option<Tally> {
        let total = self.0.stats().total();
        Some(Tally { steals: total.steals_total(), parks: total.parks })
    }
}

/// The engine: the mill's own thread-local says which worker it is on.
struct Grist;

impl Engine for Grist {
    #[inline]
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        gristmill::join(|| a(&mut Self), || b(&mut Self))
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        gristmill::par_for(0..blocks, body);
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        gristmill::par_reduce(0..blocks, zero, |sum, block| combine(sum, map(block)), &combine)
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        gristmill::par_chunks_mut(data, chunk, body);
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        gristmill::par_sort_unstable(data);
    }
}
