//! What a kernel asks of whoever runs it.

/// A way to run work in parallel: serial code, a thread pool, a scheduler.
///
/// The methods take `&mut self` because some engines pass a context down the recursion; an engine
/// without one is a zero-sized type, and costs nothing. Loops run over *block numbers*: the kernel
/// decides what a block is, so every engine has the same smallest piece.
pub trait Engine: Sized {
    /// Runs both closures, maybe at the same time, and returns both results.
    /// A serial engine runs `a` first.
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send;

    /// Runs `body(i)` for every block `i` in `0..blocks`, in any order and maybe at the same time.
    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync;

    /// Folds `map(i)` for every block `i` in `0..blocks` with `combine`, which is associative.
    /// Blocks are combined in order; `zero` gives the neutral value.
    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync;

    /// Runs `body(i, chunk)` for every run of `chunk` elements of `data` (the last may be shorter).
    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync;

    /// Sorts with the engine's own unstable sort.
    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy;
}

/// Plain serial code on the calling thread: the answer all others are checked against.
#[derive(Debug, Default, Clone, Copy)]
pub struct Serial;

impl Engine for Serial {
    #[inline]
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
        (0..blocks).for_each(body);
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        (0..blocks).fold(zero(), |sum, block| combine(sum, map(block)))
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        for (index, chunk) in data.chunks_mut(chunk).enumerate() {
            body(index, chunk);
        }
    }

    fn sort<T>(&mut self, data: &mut [T])
    where
        T: Ord + Send + Copy,
    {
        data.sort_unstable();
    }
}
