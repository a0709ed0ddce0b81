//! The stable sort: pieces sorted by `std`, merged in pairs.
//!
//! A merge moves the elements from the slice to a buffer as long, or from there back. Neighbours that are in
//! order as they are stay where they are. The number of levels of merges is even, so that random elements come
//! to lie in the slice at the end; others may have to be moved there.
//!
//! Work O(n log n), span O(n / workers · log(n / workers) + log³ n): merges are split like all else.

#![allow(unsafe_code, reason = "elements move between the slice and a buffer")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::{ptr, slice};

use super::merge::Merge;
use super::order::Order;
use crate::mill::join::join;

/// Pieces for each worker at the most, and half as many at the least: so that one that comes late or is slow
/// does not hold up the others for long.
const PIECES: usize = 4;
/// No piece is much shorter.
const LEAST: usize = if cfg!(test) { 16 } else { 4 * 1024 };

/// Sorts `v` on the threads of the mill that the caller works in, which has so many workers.
pub(super) fn sort<T: Send>(v: &mut [T], order: &impl Order<T>, workers: usize) {
    let pieces = workers.saturating_mul(PIECES).min(v.len() / LEAST).max(1);
    let levels = pieces.next_power_of_two().ilog2() & !1;
    let mut buffer: Vec<T> = Vec::with_capacity(v.len());
    let home = Home { slice: v.as_mut_ptr(), buffer: buffer.as_mut_ptr(), len: v.len() };
    // SAFETY: the slice is ours for now; the buffer has room for as many and holds nothing.
    let place = unsafe { home.sort(order, levels) };
    if place == Place::Buffer {
        // SAFETY: the elements lie in the buffer, and both are still ours.
        unsafe { Merge::new(home.buffer, home.len, 0, home.slice) }.run(order);
    }
}

/// Where the elements of a home lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Slice,
    Buffer,
}

/// A part of the slice, and the part of the buffer beside it.
struct Home<T> {
    slice: *mut T,
    buffer: *mut T,
    len: usize,
}

// SAFETY: whoever has a home has its elements and places for itself, see `Home::sort`.
unsafe impl<T: Send> Send for Home<T> {}

impl<T> Clone for Home<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Home<T> {}

impl<T: Send> Home<T> {
    fn halves(self) -> (Self, Self) {
        let middle = self.len / 2;
        let first = Home { len: middle, ..self };
        let second = Home {
            // SAFETY: within the slice.
            slice: unsafe { self.slice.add(middle) },
            // SAFETY: the buffer is as long.
            buffer: unsafe { self.buffer.add(middle) },
            len: self.len - middle,
        };
        (first, second)
    }

    /// Sorts the elements and says where they then lie. If this unwinds they all lie in the slice.
    ///
    /// # Safety
    ///
    /// 1. `slice` points to `len` elements, `buffer` to as many places of another array.
    /// 2. Nobody else uses either until this returns.
    unsafe fn sort(self, order: &impl Order<T>, levels: u32) -> Place {
        if levels == 0 {
            // SAFETY: (1), (2).
            order.sort(unsafe { slice::from_raw_parts_mut(self.slice, self.len) });
            return Place::Slice;
        }
        let (first, second) = self.halves();
        let (first, second) = (Back::new(first), Back::new(second));
        let half = |half: &Back<T>| {
            // SAFETY: (1) and (2) of the half.
            let place = unsafe { half.home.sort(order, levels - 1) };
            if place == Place::Buffer {
                half.arm();
            }
            place
        };
        let places = join(|| half(&first), || half(&second));
        let place = match places {
            (a, b) if a == b => a,
            (Place::Buffer, _) => first.bring_back(order),
            (_, _) => second.bring_back(order),
        };
        let (from, into, merged) = match place {
            Place::Slice => (self.slice, self.buffer, Place::Buffer),
            Place::Buffer => (self.buffer, self.slice, Place::Slice),
        };
        // SAFETY: (1), and the elements lie there.
        let sorted = unsafe { slice::from_raw_parts(from, self.len) };
        let middle = first.home.len;
        if !order.less(&sorted[middle], &sorted[middle - 1]) {
            first.disarm();
            second.disarm();
            return place;
        }
        // However the merge ends, all elements lie where it moves them to.
        first.disarm();
        second.disarm();
        let whole = Back::new(self);
        if merged == Place::Buffer {
            whole.arm();
        }
        // SAFETY: the halves lie one after the other at `from`; (1), (2).
        unsafe { Merge::new(from, middle, self.len - middle, into) }.run(order);
        whole.disarm();
        merged
    }
}

/// Moves elements from the buffer back to the slice when the sort unwinds while they are there.
struct Back<T: Send> {
    home: Home<T>,
    armed: AtomicBool,
}

// SAFETY: others only arm it.
unsafe impl<T: Send> Sync for Back<T> {}

impl<T: Send> Back<T> {
    fn new(home: Home<T>) -> Self {
        Back { home, armed: AtomicBool::new(false) }
    }

    /// Moves the elements from the buffer to the slice, for good.
    fn bring_back(&self, order: &impl Order<T>) -> Place {
        let Home { slice, buffer, len } = self.home;
        // SAFETY: the elements lie in the buffer; nobody else uses either, as in `Home::sort`.
        let merge = unsafe { Merge::new(buffer, len, 0, slice) };
        // However it ends.
        self.disarm();
        merge.run(order);
        Place::Slice
    }

    /// The elements are now in the buffer.
    fn arm(&self) {
        // Relaxed: `join` orders this before whatever comes after it, unwinding or not.
        self.armed.store(true, Ordering::Relaxed);
    }

    /// All is well.
    fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }
}

impl<T: Send> Drop for Back<T> {
    fn drop(&mut self) {
        if *self.armed.get_mut() {
            let Home { slice, buffer, len } = self.home;
            // SAFETY: armed, so the elements lie in the buffer, and nobody uses them any more: both halves of
            // the join have ended.
            unsafe { ptr::copy_nonoverlapping(buffer, slice, len) };
        }
    }
}
