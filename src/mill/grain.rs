//! Parallel loops: over ranges and slices, split when somebody asks for work and not before.

#![allow(unsafe_code, reason = "results are written in place, each by the one who made it")]

use std::ops::Range;

use crate::mill::global;
use crate::mill::items::{ChunksMut, IntoItems, Items};
use crate::mill::range::segments;
use crate::mill::worker::Worker;

/// Runs `body` for every item, in any order and maybe at the same time.
///
/// Neighbouring items mostly run on the same thread, one after the other. There is no grain to choose: a
/// worker takes small pieces first and larger ones as it goes, up to a sixteenth of what it has left, and whoever has
/// nothing to do robs half of what another has left, down to a single item (of more than 2^31, down to as many as make that
/// many pieces). So it hardly matters where the dear items lie. But a piece that has been taken is not split again: dear items
/// that follow many cheap ones may run one after the other. Items that wait for each other belong in a
/// [`scope`](crate::scope).
///
/// Items may be a range of integers, or the elements of a slice, vector or array, by shared or by mutable
/// reference. Python's nearest relative is `for _ in pool.map(body, items)`.
///
/// # Examples
///
/// ```
/// let mut grains = vec![0; 1_000];
/// gristmill::par_for(&mut grains, |grain| *grain += 1);
/// gristmill::par_for(0..1_000_usize, |i| assert_eq!(grains[i], 1));
/// ```
///
/// # Panics
///
/// With the first panic of `body`, once it runs nowhere any more; items that had not started are left out.
/// Under a cancelled [token](crate::CancelToken) the call unwinds to the token's `run`.
///
/// # Memory ordering
///
/// What happened before the call is seen by every `body`, and what those did is seen after it.
pub fn par_for<T, F>(items: T, body: F)
where
    T: IntoItems,
    T::Items: Send,
    F: Fn(T::Item) + Sync + Send,
{
    let items = items.into_items();
    global::in_current(|| {
        segments(items.count(), || (), |(), range| piece(&items, range).for_each(&body));
    });
}

/// The items of a piece, which the loop hands out once.
pub(super) fn piece<I: Items>(items: &I, range: Range<usize>) -> impl Iterator<Item = I::Item> {
    // SAFETY: `segments` makes pieces of `0..count()` that do not overlap, and this is called once for each.
    unsafe { items.piece(range) }
}

/// Results that are written where they belong, from `start` on.
struct Written<R> {
    start: *mut R,
    len: usize,
}

// SAFETY: it owns the results, which may go to other threads.
unsafe impl<R: Send> Send for Written<R> {}

impl<R> Drop for Written<R> {
    fn drop(&mut self) {
        // SAFETY: `len` results were written from `start` on, and nobody else has them.
        unsafe { std::ptr::slice_from_raw_parts_mut(self.start, self.len).drop_in_place() };
    }
}

/// Returns `map` of every item, in order.
///
/// Results are written in place: one allocation for the vector, none for splitting and joining. See
/// [`par_for`] for how the work is shared. Python's nearest relative is `list(pool.map(map, items))`.
///
/// # Examples
///
/// ```
/// let words = ["grist", "to", "the", "mill"];
/// assert_eq!(gristmill::par_map(&words, |word| word.len()), [5, 2, 3, 4]);
/// ```
///
/// # Panics
///
/// As [`par_for`]; results that had been made are dropped.
pub fn par_map<T, R, F>(items: T, map: F) -> Vec<R>
where
    T: IntoItems,
    T::Items: Send,
    R: Send,
    F: Fn(T::Item) -> R + Sync + Send,
{
    let items = items.into_items();
    let len = items.count();
    global::in_current(|| fill(len, 1, |range| piece(&items, range).map(&map)))
}

/// A vector of `len` elements in blocks of `size`, made in place: `make` makes the elements of consecutive blocks,
/// given by their numbers.
fn fill<R, M, P>(len: usize, size: usize, make: M) -> Vec<R>
where
    R: Send,
    M: Fn(Range<usize>) -> P + Sync,
    P: Iterator<Item = R>,
{
    let mut results: Vec<R> = Vec::with_capacity(len);
    let first = First(results.as_mut_ptr());
    let made = segments(
        len.div_ceil(size),
        || None,
        |written: Option<Written<R>>, numbers| {
            let mut next = first.at(numbers.start * size);
            let most = numbers.end.saturating_mul(size).min(len) - numbers.start * size;
            let mut written = written.unwrap_or(Written { start: next, len: 0 });
            for result in make(numbers).take(most) {
                // SAFETY: within the capacity, and in blocks that only this call makes.
                unsafe { next.write(result) };
                next = next.wrapping_add(1);
                written.len += 1;
            }
            Some(written)
        },
    );
    let count: usize = made.iter().flat_map(|segment| &segment.value).map(|written| written.len).sum();
    assert_eq!(count, len, "every element has been made");
    made.into_iter().for_each(|segment| std::mem::forget(segment.value));
    // SAFETY: all `len` elements have been written, and from now on the vector owns them.
    unsafe { results.set_len(len) };
    results
}

/// Where the elements of a vector go.
struct First<R>(*mut R);

// SAFETY: threads write to different elements, which may go to another thread.
unsafe impl<R: Send> Sync for First<R> {}

impl<R> First<R> {
    fn at(&self, index: usize) -> *mut R {
        self.0.wrapping_add(index)
    }
}

/// Folds all items into one value.
///
/// Each thread folds runs of neighbouring items, beginning with `identity()`; the results are combined in the order of
/// the items. So `combine` must be associative and `identity()` neutral, but nothing need commute. How many
/// runs there are depends on who had time, so sums of floats may differ in their last bits from run to run;
/// see [`deterministic`] where that matters.
///
/// # Examples
///
/// ```
/// let words = ["wheat", "rye", "barley"];
/// let letters = gristmill::par_reduce(&words, || 0, |sum, word| sum + word.len(), |a, b| a + b);
/// assert_eq!(letters, 14);
/// ```
///
/// # Panics
///
/// As [`par_for`].
pub fn par_reduce<T, A, I, F, C>(items: T, identity: I, fold: F, combine: C) -> A
where
    T: IntoItems,
    T::Items: Send,
    A: Send,
    I: Fn() -> A + Sync + Send,
    F: Fn(A, T::Item) -> A + Sync + Send,
    C: Fn(A, A) -> A,
{
    let items = items.into_items();
    let made = global::in_current(|| {
        segments(items.count(), &identity, |value, range| piece(&items, range).fold(value, &fold))
    });
    made.into_iter().map(|segment| segment.value).reduce(combine).unwrap_or_else(identity)
}

/// Loops whose result does not depend on how many workers there are or who was faster; see
/// [`Deterministic::par_reduce`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Deterministic(());

/// The same bits every time, on any number of workers.
///
/// # Examples
///
/// ```
/// let halves: Vec<f64> = (0..100_000).map(|i| 1.0 / f64::from(i + 1)).collect();
/// let sum = |workers| {
///     let mill = gristmill::Mill::builder().workers(workers).build().unwrap();
///     let fold = |sum: f64, x: &f64| sum + x;
///     mill.install(|| gristmill::deterministic().par_reduce(&halves, || 0.0, fold, |a, b| a + b))
/// };
/// assert_eq!(sum(1).to_bits(), sum(3).to_bits());
/// ```
#[must_use]
pub fn deterministic() -> Deterministic {
    Deterministic(())
}

impl Deterministic {
    /// As [`par_reduce`], over blocks whose bounds depend on the number of items only, combined in their order.
    ///
    /// There are at most 1,024 blocks; a block is not split.
    ///
    /// # Panics
    ///
    /// As [`par_for`].
    #[allow(clippy::unused_self, reason = "the receiver names the variant")]
    pub fn par_reduce<T, A, I, F, C>(self, items: T, identity: I, fold: F, combine: C) -> A
    where
        T: IntoItems,
        T::Items: Send,
        A: Send,
        I: Fn() -> A + Sync + Send,
        F: Fn(A, T::Item) -> A + Sync + Send,
        C: Fn(A, A) -> A,
    {
        const BLOCKS: usize = 1024;
        let items = items.into_items();
        let (len, size) = (items.count(), items.count().div_ceil(BLOCKS).max(1));
        let folded = par_map(0..len.div_ceil(size), |number| {
            piece(&items, block(number, size, len)).fold(identity(), &fold)
        });
        folded.into_iter().reduce(combine).unwrap_or_else(identity)
    }
}

/// The items of the `number`th block of `size`.
fn block(number: usize, size: usize, len: usize) -> Range<usize> {
    let start = number * size;
    start..start.saturating_add(size).min(len)
}

/// Runs `body` for every run of `size` elements, with its number; the last may be shorter.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let sum = AtomicU32::new(0);
/// gristmill::par_chunks(&[1, 2, 3, 4, 5], 2, |number, chunk| {
///     assert_eq!(chunk[0], 2 * number as u32 + 1);
///     sum.fetch_add(chunk.iter().sum(), Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 15);
/// ```
///
/// # Panics
///
/// If `size` is zero; else as [`par_for`].
pub fn par_chunks<T, F>(data: &[T], size: usize, body: F)
where
    T: Sync,
    F: Fn(usize, &[T]) + Sync + Send,
{
    assert!(size > 0, "a chunk has at least one element");
    par_for(0..data.len().div_ceil(size), |number| body(number, &data[block(number, size, data.len())]));
}

/// Runs `body` for every run of `size` elements, which it may change, with its number; the last may be shorter.
///
/// # Examples
///
/// ```
/// let mut data = [0; 5];
/// gristmill::par_chunks_mut(&mut data, 2, |number, chunk| chunk.fill(number));
/// assert_eq!(data, [0, 0, 1, 1, 2]);
/// ```
///
/// # Panics
///
/// If `size` is zero; else as [`par_for`].
pub fn par_chunks_mut<T, F>(data: &mut [T], size: usize, body: F)
where
    T: Send,
    F: Fn(usize, &mut [T]) + Sync + Send,
{
    assert!(size > 0, "a chunk has at least one element");
    let chunks = ChunksMut::new(data, size);
    global::in_current(|| {
        segments(
            chunks.count(),
            || (),
            |(), range| {
                piece(&chunks, range).for_each(|(number, chunk)| body(number, chunk));
            },
        );
    });
}

/// Running totals: the `i`th result is the fold of items `0..=i`.
///
/// `fold` adds an item to a total, `combine` adds two totals; `combine` must be associative and
/// `identity()` neutral. On more than one worker every item is folded twice, so this pays when `fold` costs
/// more than memory does. Python's nearest relative is `itertools.accumulate`.
///
/// # Examples
///
/// ```
/// let totals = gristmill::par_scan(&[3, 1, 4, 1, 5], || 0, |sum, x| sum + x, |a, b| a + b);
/// assert_eq!(totals, [3, 4, 8, 9, 14]);
/// ```
///
/// # Panics
///
/// As [`par_for`].
pub fn par_scan<T, A, I, F, C>(items: T, identity: I, fold: F, combine: C) -> Vec<A>
where
    T: IntoItems + Clone + Sync + Send,
    T::Items: Send,
    A: Clone + Send + Sync,
    I: Fn() -> A + Sync + Send,
    F: Fn(A, T::Item) -> A + Sync + Send,
    C: Fn(A, A) -> A + Sync + Send,
{
    global::in_current(|| {
        let workers = Worker::current().map_or(1, |worker| worker.hall.workers());
        let again = items.clone().into_items();
        let items = items.into_items();
        let len = items.count();
        // Some blocks for each worker, so that those who are late do not keep the others waiting.
        let size = len.div_ceil(if workers == 1 { 1 } else { 8 * workers }).max(1);
        let count = len.div_ceil(size);
        let totals = par_map(0..count.saturating_sub(1), |number| {
            piece(&items, block(number, size, len)).fold(identity(), &fold)
        });
        let mut before = Vec::with_capacity(count);
        let mut sum = identity();
        for total in totals {
            before.push(sum.clone());
            sum = combine(sum, total);
        }
        before.push(sum);
        fill(len, size, |numbers| {
            numbers.flat_map(|number| {
                let fold = &fold;
                piece(&again, block(number, size, len)).scan(before[number].clone(), move |sum, item| {
                    *sum = fold(sum.clone(), item);
                    Some(sum.clone())
                })
            })
        })
    })
}
