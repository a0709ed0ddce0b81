//! Partitioning on one thread: what goes left in front of what goes right.
//!
//! Works on two pieces at once, which need not be neighbours, and exchanges what is misplaced in the first with
//! what is misplaced in the second, from the outer ends inwards. It goes by blocks: first the places of what
//! is misplaced in a block are written down, without a branch that depends on the answer; then the elements
//! are exchanged. The caller's closure runs only in the first of the two steps, when every element is in a
//! place of its own, so it may panic.
//!
//! Source: Stefan Edelkamp, Armin Weiß, "BlockQuicksort: avoiding branch mispredictions in quicksort" (2016).

#![allow(
    unsafe_code,
    reason = "moves elements between the two pieces of an array by their offsets in a block"
)]

use std::ptr;

/// How many elements are looked at before any is moved; offsets in a block fit a byte.
const BLOCK: usize = if cfg!(test) { 16 } else { 128 };

/// Puts the elements of `a` and `b` for which `left` holds first in each, and as many as possible in `a`: either
/// all that stays in `a` goes left, or nothing in `b` does. Returns how many go left in `a` and in `b`.
///
/// If `left` panics, or contradicts itself, no element is lost.
pub(super) fn partition<T>(a: &mut [T], b: &mut [T], left: impl Fn(&T) -> bool) -> (usize, usize) {
    let (done, rest) = exchange(a, b, &left);
    // One of the two has a piece left over, which borders on what is done in the other's favour.
    if done < a.len() {
        debug_assert_eq!(rest, 0, "one of the pieces was used up");
        (done + partition_one(&mut a[done..], &left), 0)
    } else {
        (done, partition_one(&mut b[..rest], &left))
    }
}

/// Puts the elements for which `left` holds first, and says how many those are.
fn partition_one<T>(mut v: &mut [T], left: &impl Fn(&T) -> bool) -> usize {
    let mut before = 0;
    // Each round halves `v` at the least.
    while v.len() > 1 {
        let middle = v.len().div_ceil(2);
        let (a, b) = v.split_at_mut(middle);
        let (done, rest) = exchange(a, b, left);
        before += done;
        v = if done < middle { &mut v[done..middle] } else { &mut v[middle..middle + rest] };
    }
    before + v.iter().filter(|x| left(x)).count()
}

/// Exchanges elements until one of the pieces is used up: the first `done` of `a` go left, all but the first
/// `rest` of `b` do not, and `done == a.len()` or `rest == 0`.
fn exchange<T>(a: &mut [T], b: &mut [T], left: &impl Fn(&T) -> bool) -> (usize, usize) {
    let (mut done, mut rest) = exchange_blocks(a, b, left);
    while done < a.len() && rest > 0 {
        if left(&a[done]) {
            done += 1;
        } else if !left(&b[rest - 1]) {
            rest -= 1;
        } else {
            std::mem::swap(&mut a[done], &mut b[rest - 1]);
            done += 1;
            rest -= 1;
        }
    }
    (done, rest)
}

/// The places of what is misplaced in one block, as offsets from its outer end.
struct Misplaced {
    offsets: [u8; BLOCK],
    start: usize,
    end: usize,
}

impl Misplaced {
    fn none() -> Self {
        Misplaced { offsets: [0; BLOCK], start: 0, end: 0 }
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    /// Looks at a whole block.
    #[inline(always)]
    fn find(&mut self, misplaced: impl Fn(usize) -> bool) {
        (self.start, self.end) = (0, 0);
        let mut end = 0;
        for offset in 0..BLOCK {
            // SAFETY: `end` grew by one a round at the most, so it is not more than `offset`.
            *unsafe { self.offsets.get_unchecked_mut(end) } = offset as u8;
            end += usize::from(misplaced(offset));
        }
        self.end = end;
    }

    /// The first `count` of those that are left.
    fn first(&self, count: usize) -> &[u8] {
        &self.offsets[self.start..self.start + count]
    }
}

/// Exchanges the elements at these places: offsets from the start of `a` and from the end of `b`, two blocks.
///
/// They go round in one cycle, which takes two moves for each pair rather than a swap's three.
fn rotate<T>(a: &mut [T], in_a: &[u8], b: &mut [T], in_b: &[u8]) {
    assert!(a.len() == BLOCK && b.len() == BLOCK && in_a.len() == in_b.len());
    let (Some((&first, in_a)), Some((&last, in_b))) = (in_a.split_first(), in_b.split_last()) else { return };
    let (a, b) = (a.as_mut_ptr(), b.as_mut_ptr());
    // SAFETY: cut down to less than `BLOCK`, as all offsets are anyhow, so a place in the block.
    let a_at = |offset: u8| unsafe { a.add(usize::from(offset) & (BLOCK - 1)) };
    // SAFETY: as above.
    let b_at = |offset: u8| unsafe { b.add(BLOCK - 1 - (usize::from(offset) & (BLOCK - 1))) };
    let mut hole = a_at(first);
    // SAFETY: a place in the block. Nothing below can panic, so what is read is written back.
    let held = unsafe { ptr::read(hole) };
    for (&next_a, &from_b) in in_a.iter().zip(in_b) {
        let (next_a, from_b) = (a_at(next_a), b_at(from_b));
        // SAFETY: places in two blocks that do not overlap; what was in the hole has been moved.
        unsafe { ptr::copy_nonoverlapping(from_b, hole, 1) };
        // SAFETY: as above, and what was at `from_b` has been moved just now.
        unsafe { ptr::copy_nonoverlapping(next_a, from_b, 1) };
        hole = next_a;
    }
    let last = b_at(last);
    // SAFETY: as above.
    unsafe { ptr::copy_nonoverlapping(last, hole, 1) };
    // SAFETY: what was there has been moved just now.
    unsafe { ptr::write(last, held) };
}

/// The part of [`exchange`] that is done in whole blocks.
fn exchange_blocks<T>(a: &mut [T], b: &mut [T], left: &impl Fn(&T) -> bool) -> (usize, usize) {
    let (mut done, mut rest) = (0, b.len());
    let (mut in_a, mut in_b) = (Misplaced::none(), Misplaced::none());
    while a.len() - done >= BLOCK && rest >= BLOCK {
        if in_a.len() == 0 {
            let look = &a[done..done + BLOCK];
            in_a.find(|offset| !left(&look[offset]));
        }
        if in_b.len() == 0 {
            // Backwards like the blocks themselves: the processor fetches ahead only what goes one way.
            let look = &b[rest - BLOCK..rest];
            in_b.find(|offset| left(&look[BLOCK - 1 - offset]));
        }
        let count = in_a.len().min(in_b.len());
        let a_block = &mut a[done..done + BLOCK];
        let b_block = &mut b[rest - BLOCK..rest];
        rotate(a_block, in_a.first(count), b_block, in_b.first(count));
        in_a.start += count;
        in_b.start += count;
        if in_a.len() == 0 {
            done += BLOCK;
        }
        if in_b.len() == 0 {
            rest -= BLOCK;
        }
    }
    // What is known of an unfinished block is found out again by who finishes it.
    (done, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::partition;

    proptest! {
        #[test]
        fn what_goes_left_is_in_front(v: Vec<u8>, cut: prop::sample::Index, limit: u8) {
            let mut sorted = v.clone();
            let (a, b) = sorted.split_at_mut(if v.is_empty() { 0 } else { cut.index(v.len() + 1) });
            let (in_a, in_b) = partition(a, b, |&x| x < limit);
            prop_assert!(in_a == a.len() || in_b == 0);
            for (part, left) in [(a, in_a), (b, in_b)] {
                prop_assert!(part.iter().enumerate().all(|(i, &x)| (x < limit) == (i < left)));
            }
            let count = |v: &[u8]| v.iter().fold([0; 256], |mut n, &x| { n[usize::from(x)] += 1; n });
            prop_assert_eq!(count(&v), count(&sorted));
        }
    }
}
