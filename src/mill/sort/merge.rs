//! Merging two sorted runs, on as many threads as come.
//!
//! A merge is split in two where the middle of the longer run falls into the shorter one; the halves read
//! and write disjoint places. A piece is merged from both ends at once, which gives the processor two chains
//! of dependent loads to work on instead of one, and chooses by arithmetic, not by branches.
//!
//! Sources: Thomas Cormen, Charles Leiserson, Ronald Rivest, Clifford Stein, "Introduction to Algorithms",
//! 27.3 (the split); Orson Peters, "Glidesort" (2023; the two ends).

#![allow(unsafe_code, reason = "moves elements between two arrays, one of which is always incomplete")]

use std::{ptr, slice};

use super::order::Order;
use crate::mill::join::join;

/// A piece so short is merged by one thread, about 20 us.
const PIECE: usize = if cfg!(test) { 16 } else { 8 * 1024 };

/// Two sorted runs that move to a place of their own.
///
/// However this ends (merged, dropped unused because its thread unwinds, by a panic in the order in the middle of
/// it), all elements of both runs are in that place at the end: `drop` moves what is left.
pub(super) struct Merge<T> {
    left: Run<T>,
    right: Run<T>,
    into: Run<T>,
}

/// The places from `start` up to `end`.
struct Run<T> {
    start: *mut T,
    end: *mut T,
}

impl<T> Run<T> {
    /// # Safety
    ///
    /// `start` and `len` places after it are of one array.
    unsafe fn new(start: *mut T, len: usize) -> Self {
        // SAFETY: within the array, or one past it.
        Run { start, end: unsafe { start.add(len) } }
    }

    fn len(&self) -> usize {
        // SAFETY: both are of one array, and `start` is never moved past `end`.
        unsafe { self.end.offset_from(self.start) as usize }
    }

    /// Cuts the run in two before place `at`, keeps the first part and returns the second.
    ///
    /// # Safety
    ///
    /// `at` is not more than the length.
    unsafe fn cut(&mut self, at: usize) -> Self {
        // SAFETY: at most the end.
        let middle = unsafe { self.start.add(at) };
        Run { start: middle, end: std::mem::replace(&mut self.end, middle) }
    }

    /// # Safety
    ///
    /// All places hold elements, which nobody else moves meanwhile.
    unsafe fn as_slice(&self) -> &[T] {
        // SAFETY: as the caller says.
        unsafe { slice::from_raw_parts(self.start, self.len()) }
    }
}

// SAFETY: a merge owns the elements it moves and has the places they go to for itself.
unsafe impl<T: Send> Send for Merge<T> {}

impl<T: Send> Merge<T> {
    /// A merge of the `left` and then `right` elements at `from`, to the places at `into`.
    ///
    /// # Safety
    ///
    /// 1. `from` points to `left + right` elements, and `into` to as many places of another array.
    /// 2. Nobody else uses either for as long as the merge lives, and the elements at `from` count as moved.
    pub(super) unsafe fn new(from: *mut T, left: usize, right: usize, into: *mut T) -> Self {
        // SAFETY: (1).
        let mut left_run = unsafe { Run::new(from, left + right) };
        // SAFETY: `left` is at most the length.
        let right_run = unsafe { left_run.cut(left) };
        // SAFETY: (1).
        let into = unsafe { Run::new(into, left + right) };
        Merge { left: left_run, right: right_run, into }
    }

    /// Merges; stable: of equal elements those of the left run come first.
    pub(super) fn run(mut self, order: &impl Order<T>) {
        while self.into.len() > PIECE {
            let second = self.split(order);
            if self.into.len() > PIECE / 2 && second.into.len() > PIECE / 2 {
                join(|| self.run(order), || second.run(order));
                return;
            }
            let (small, large) =
                if self.into.len() < second.into.len() { (self, second) } else { (second, self) };
            small.run_here(order);
            self = large;
        }
        self.run_here(order);
    }

    /// Splits off what comes after the middle of the longer run.
    fn split(&mut self, order: &impl Order<T>) -> Self {
        // SAFETY: the run's elements are there until they are moved, which only we do.
        let left = unsafe { self.left.as_slice() };
        // SAFETY: as above.
        let right = unsafe { self.right.as_slice() };
        let (l, r) = if left.len() >= right.len() {
            let middle = left.len() / 2;
            (middle, right.partition_point(|x| order.less(x, &left[middle])))
        } else {
            let middle = right.len() / 2;
            (left.partition_point(|x| !order.less(&right[middle], x)), middle)
        };
        // SAFETY: `l` is at most the length of the left run.
        let left = unsafe { self.left.cut(l) };
        // SAFETY: `r` is at most the length of the right run.
        let right = unsafe { self.right.cut(r) };
        // SAFETY: there are as many places as elements.
        let into = unsafe { self.into.cut(l + r) };
        Merge { left, right, into }
    }

    /// Merges on this thread.
    fn run_here(mut self, order: &impl Order<T>) {
        if self.left.len() == 0 || self.right.len() == 0 || self.in_order(order) {
            return;
        }
        loop {
            // A step takes one element from the front and one from the back, so at most two from one run.
            let steps = self.left.len().min(self.right.len()) / 2;
            if steps == 0 {
                break;
            }
            for _ in 0..steps {
                // SAFETY: both runs had two elements for each of these steps.
                unsafe { self.take_front(order) };
                // SAFETY: as above.
                unsafe { self.take_back(order) };
            }
        }
        while self.left.len() > 0 && self.right.len() > 0 {
            // SAFETY: neither is empty.
            unsafe { self.take_front(order) };
        }
    }

    /// Is nothing to do but to move both runs? Neither is empty.
    fn in_order(&self, order: &impl Order<T>) -> bool {
        // SAFETY: the elements are there, and nobody moves them meanwhile.
        let (left, right) = unsafe { (self.left.as_slice(), self.right.as_slice()) };
        !order.less(&right[0], &left[left.len() - 1])
    }

    /// Moves the lesser of the two first elements.
    ///
    /// # Safety
    ///
    /// Neither run is empty.
    #[inline(always)]
    unsafe fn take_front(&mut self, order: &impl Order<T>) {
        // SAFETY: not empty, so both are elements that we hold.
        let (left, right) = unsafe { (&*self.left.start, &*self.right.start) };
        let from_right = order.less(right, left);
        let from = if from_right { self.right.start } else { self.left.start };
        // SAFETY: there are as many places as elements; the arrays are two.
        unsafe { ptr::copy_nonoverlapping(from, self.into.start, 1) };
        // SAFETY: at most the end.
        self.into.start = unsafe { self.into.start.add(1) };
        // SAFETY: not empty if it is this run's turn.
        self.right.start = unsafe { self.right.start.add(usize::from(from_right)) };
        // SAFETY: as above.
        self.left.start = unsafe { self.left.start.add(usize::from(!from_right)) };
    }

    /// Moves the greater of the two last elements.
    ///
    /// # Safety
    ///
    /// Neither run is empty.
    #[inline(always)]
    unsafe fn take_back(&mut self, order: &impl Order<T>) {
        // SAFETY: not empty, so there is an element below the end.
        let left = unsafe { self.left.end.sub(1) };
        // SAFETY: as above.
        let right = unsafe { self.right.end.sub(1) };
        // SAFETY: elements that we hold.
        let from_left = unsafe { order.less(&*right, &*left) };
        let from = if from_left { left } else { right };
        // SAFETY: there are as many places as elements, so one below the end is left.
        self.into.end = unsafe { self.into.end.sub(1) };
        // SAFETY: a place for it; the arrays are two.
        unsafe { ptr::copy_nonoverlapping(from, self.into.end, 1) };
        // SAFETY: not empty if it is this run's turn.
        self.left.end = unsafe { self.left.end.sub(usize::from(from_left)) };
        // SAFETY: as above.
        self.right.end = unsafe { self.right.end.sub(usize::from(!from_left)) };
    }
}

impl<T> Drop for Merge<T> {
    fn drop(&mut self) {
        let (left, right) = (self.left.len(), self.right.len());
        // SAFETY: there are as many places as elements left; the arrays are two.
        unsafe { ptr::copy_nonoverlapping(self.left.start, self.into.start, left) };
        // SAFETY: after the left run's places come those of the right.
        let into = unsafe { self.into.start.add(left) };
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(self.right.start, into, right) };
    }
}

/// Merges the sorted `v[..middle]` and `v[middle..]`, stably, with room for as many elements as are out of place.
pub(super) fn merge_in_place<T: Send>(v: &mut [T], middle: usize, order: &impl Order<T>) {
    let (left, right) = v.split_at(middle);
    let (Some(last), Some(first)) = (left.last(), right.first()) else { return };
    if !order.less(first, last) {
        return;
    }
    let start = left.partition_point(|x| !order.less(first, x));
    let end = middle + right.partition_point(|x| order.less(x, last));
    let band = &mut v[start..end];
    let mut room: Vec<T> = Vec::with_capacity(band.len());
    // SAFETY: there is room for the band; the vector's length stays zero, so it never drops them.
    unsafe { ptr::copy_nonoverlapping(band.as_ptr(), room.as_mut_ptr(), band.len()) };
    // SAFETY: the elements are now in `room`, which like `v` lives longer than the merge and is not used by others.
    let merge = unsafe { Merge::new(room.as_mut_ptr(), middle - start, end - middle, band.as_mut_ptr()) };
    merge.run(order);
}
