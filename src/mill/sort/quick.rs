//! The unstable sort: a quicksort that partitions on many threads, down to pieces that `std` sorts.
//!
//! **Soft pivots.** Threads must not share an element, not even to compare with it: a `T` that is `Send` may
//! hold a `Cell` that its order looks at. So the strips of a slice that are partitioned at the same time
//! each have a pivot of their own, neighbours in a sorted sample. Then the two sides are not quite separated:
//! elements between the least and the greatest of the pivots may be on both. Each side is sorted all the same,
//! and the short ends that overlap, a few percent with the pivots' distance in the sample, are merged.
//!
//! **Strips.** A strip is a chunk of the slice's first part and one of its second. Its thread exchanges what is
//! misplaced in the one for what is in the other, so that if the pivot divides the slice as expected, almost
//! all elements are on their side at once. What is not is exchanged afterwards, again on all threads.
//!
//! **Equal elements.** If the middle of the sample is full of equals, these are put between the two sides, where
//! they are done. So every round either halves the slice roughly or takes out a good part of it.
//!
//! Work O(n log n), also in the worst case: a slice that has been split too often without getting short goes
//! to `std`, which guarantees that. Span for random input O(n / workers · log n + workers · log² n), the last
//! term from samples and overlaps. Room: a few percent of the slice for the overlaps; none with one strip.
//!
//! Sources: Tony Hoare, "Quicksort" (1962); Philippas Tsigas, Yi Zhang, "A simple, fast parallel implementation
//! of quicksort" (2003); Orson Peters, "Pattern-defeating quicksort" (2021); Lukas Bergdoll, Orson Peters,
//! "ipnsort" (2023), which sorts the pieces.

use std::mem;

use super::each::each;
use super::merge::merge_in_place;
use super::order::Order;
use super::partition::partition;
use crate::mill::join::join;
use crate::rng::Rng;

/// Pieces for each worker, about.
const PIECES: usize = 8;
/// No slice shorter than this is split.
const LEAST: usize = if cfg!(test) { 64 } else { 8 * 1024 };
/// Strips for each worker.
const STRIPS: usize = 2;
/// No strip is shorter than this, but the last one of a slice.
const LEAST_STRIP: usize = if cfg!(test) { 64 } else { 16 * 1024 };
/// Elements in the sample for each strip, at the least.
const SAMPLE: usize = 32;
/// Elements that change places in one go.
const CHUNK: usize = if cfg!(test) { 8 } else { 16 * 1024 };

/// What is the same for all parts of a slice.
struct Plan<'a, O> {
    order: &'a O,
    /// Slices so short go to one thread.
    piece: usize,
    /// The length of a strip.
    strip: usize,
}

/// Sorts `v` on the threads of the mill that the caller works in, which has so many workers.
pub(super) fn sort<T: Send>(v: &mut [T], order: &impl Order<T>, workers: usize) {
    let piece = (v.len() / workers.saturating_mul(PIECES)).max(LEAST);
    let strip = (v.len() / workers.saturating_mul(STRIPS)).max(LEAST_STRIP);
    let rounds = 2 * (v.len() / piece).ilog2() + 4;
    Plan { order, piece, strip }.sort(v, rounds);
}

impl<O> Plan<'_, O> {
    fn sort<T: Send>(&self, v: &mut [T], rounds: u32)
    where
        O: Order<T>,
    {
        if v.len() <= self.piece || rounds == 0 {
            return self.order.sort_unstable(v);
        }
        let Split { left, equal, soft } = self.split(v);
        let (low, rest) = v.split_at_mut(left);
        let high = &mut rest[equal..];
        join(|| self.sort(low, rounds - 1), || self.sort(high, rounds - 1));
        if soft {
            merge_in_place(v, left, self.order);
        }
    }

    /// Splits `v` in two sides with a middle of equals.
    fn split<T: Send>(&self, v: &mut [T]) -> Split
    where
        O: Order<T>,
    {
        let order = self.order;
        let strips = (v.len() / self.strip).max(1);
        let sample = v.len().isqrt().max(strips * SAMPLE).min(v.len() / 2);
        draw(v, sample);
        order.sort_unstable(&mut v[..sample]);

        // Who is equal to the middle one?
        let (below, above) = v[..sample].split_at(sample / 2);
        let middle = &above[0];
        let first = below.partition_point(|x| order.less(x, middle));
        let end = sample / 2 + above.partition_point(|x| !order.less(middle, x));
        let heavy = end - first >= (sample / 8).max(strips);

        // The pivots go first, then all else.
        let pivot = if heavy { first } else { sample / 2 - strips / 2 };
        (0..strips).for_each(|i| v.swap(i, pivot + i));
        let (pivots, rest) = v.split_at_mut(strips);
        let expected = scale(rest.len(), if heavy { first } else { sample / 2 }, sample);
        let left = divide(rest, expected, pivots, &|x, pivot| order.less(x, pivot));
        if !heavy {
            return Split { left: strips + left, equal: 0, soft: strips > 1 };
        }
        let rest = &mut rest[left..];
        let expected = scale(rest.len(), end - first, sample - first);
        let equal = divide(rest, expected, pivots, &|x, pivot| !order.less(pivot, x));
        // The pivots are equals too. Change places with as many of those on the left.
        let moved = strips.min(left);
        let (front, back) = v[..strips + left].split_at_mut(strips + left - moved);
        front[..moved].swap_with_slice(back);
        Split { left, equal: strips + equal, soft: false }
    }
}

/// What [`Plan::split`] has made of a slice.
struct Split {
    /// How many elements are on the left.
    left: usize,
    /// How many equal ones come after them.
    equal: usize,
    /// The two sides may overlap.
    soft: bool,
}

/// `len * part / whole` without overflow, for a part that is not more than the whole.
fn scale(len: usize, part: usize, whole: usize) -> usize {
    (len as u128 * part as u128 / whole as u128) as usize
}

/// Brings elements from all over `v` to its front.
fn draw<T>(v: &mut [T], sample: usize) {
    let rng = Rng::new(v.len() as u64);
    let stride = v.len() / sample;
    for i in 0..sample {
        v.swap(i, i * stride + rng.below(stride));
    }
}

/// Two chunks of a slice that one thread partitions, and its pivot.
struct Strip<'a, T> {
    chunks: [&'a mut [T]; 2],
    pivot: &'a mut T,
    /// How many elements go left in each chunk.
    left: [usize; 2],
}

/// Puts those elements of `v` first for which `left` holds with one of the pivots, and says how many
/// those are; it is expected to be about `expected`.
fn divide<T: Send>(
    v: &mut [T],
    expected: usize,
    pivots: &mut [T],
    left: &(impl Fn(&T, &T) -> bool + Sync),
) -> usize {
    let count = pivots.len();
    let (mut first, mut second) = v.split_at_mut(expected);
    let mut strips: Vec<Strip<'_, T>> = Vec::with_capacity(count);
    for (i, pivot) in pivots.iter_mut().enumerate() {
        let chunks = [take(&mut first, count - i), take(&mut second, count - i)];
        strips.push(Strip { chunks, pivot, left: [0; 2] });
    }
    each(&mut strips, &|strip| {
        let ([a, b], pivot) = (&mut strip.chunks, &*strip.pivot);
        strip.left = partition(a, b, |x| left(x, pivot)).into();
    });
    let runs = |chunk: usize| strips.iter().map(move |strip| (strip.left[chunk], strip.chunks[chunk].len()));
    let runs: Vec<(usize, usize)> = runs(0).chain(runs(1)).collect();
    drop(strips);
    tidy(v, &runs)
}

/// Takes the first of `parts` equal parts from `v`.
fn take<'a, T>(v: &mut &'a mut [T], parts: usize) -> &'a mut [T] {
    let len = v.len() / parts;
    let (part, rest) = mem::take(v).split_at_mut(len);
    *v = rest;
    part
}

/// `v` is made of chunks, of which this is how many elements go left and how many there are; those that go
/// left come first in each. Makes it so for all of `v`, and says how many go left.
fn tidy<T: Send>(v: &mut [T], chunks: &[(usize, usize)]) -> usize {
    let middle = chunks.iter().map(|(left, _)| left).sum();
    let (low, high) = v.split_at_mut(middle);
    let mut wrong = [Vec::new(), Vec::new()];
    let mut sides = [low, high];
    for &(left, len) in chunks {
        for (goes_right, mut len) in [(0, left), (1, len - left)] {
            while len > 0 {
                // The run may begin on one side and end on the other.
                let side = usize::from(sides[0].is_empty());
                let most = if side == goes_right { len } else { len.min(CHUNK) };
                let now = most.min(sides[side].len());
                let (part, rest) = mem::take(&mut sides[side]).split_at_mut(now);
                sides[side] = rest;
                if side != goes_right {
                    wrong[side].push(part);
                }
                len -= now;
            }
        }
    }
    exchange(wrong);
    middle
}

/// Exchanges the elements of the first list of parts for those of the second, which has as many.
fn exchange<T: Send>([low, high]: [Vec<&mut [T]>; 2]) {
    let (mut low, mut high) = (low.into_iter(), high.into_iter());
    let (mut a, mut b): (&mut [T], &mut [T]) = (&mut [], &mut []);
    let mut pairs = Vec::new();
    loop {
        if a.is_empty() {
            a = low.next().unwrap_or_default();
        }
        if b.is_empty() {
            b = high.next().unwrap_or_default();
        }
        let len = a.len().min(b.len());
        if len == 0 {
            break;
        }
        let (a_now, a_later) = a.split_at_mut(len);
        let (b_now, b_later) = b.split_at_mut(len);
        pairs.push((a_now, b_now));
        (a, b) = (a_later, b_later);
    }
    each(&mut pairs, &|(a, b)| a.swap_with_slice(b));
}
