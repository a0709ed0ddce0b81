//! What a parallel loop goes over.

#![allow(unsafe_code, reason = "hands out disjoint parts of a mutable slice")]

use std::marker::PhantomData;
use std::ops::Range;

use crate::locality::NodeVec;

/// What the `par_` functions take: ranges of integers, slices, vectors (also [over nodes](crate::locality::NodeVec)), arrays, by
/// shared or by mutable reference.
///
/// Sealed: gristmill implements it for what can be split anywhere.
pub trait IntoItems: Sealed {
    /// What the loop body gets.
    type Item;
    #[doc(hidden)]
    type Items: Items<Item = Self::Item>;
    #[doc(hidden)]
    fn into_items(self) -> Self::Items;
}

mod sealed {
    /// Keeps others from implementing [`IntoItems`](super::IntoItems): the loops rely on what it gives.
    pub trait Sealed {}
}

use sealed::Sealed;

/// Items by their position.
///
/// # Safety
///
/// `piece` may be called for any range within `0..count()`, from any thread, as long as no two calls overlap.
#[doc(hidden)]
pub unsafe trait Items: Sync {
    type Item;
    fn count(&self) -> usize;
    /// # Safety
    ///
    /// The range lies in `0..count()` and overlaps no other that was asked for.
    unsafe fn piece(&self, range: Range<usize>) -> impl Iterator<Item = Self::Item>;
}

macro_rules! ranges {
    ($($int:ty)*) => { $(
        impl Sealed for Range<$int> {}

        impl IntoItems for Range<$int> {
            type Item = $int;
            type Items = Range<$int>;
            fn into_items(self) -> Self::Items {
                self
            }
        }

        // SAFETY: every call makes new numbers.
        unsafe impl Items for Range<$int> {
            type Item = $int;

            fn count(&self) -> usize {
                // More items than `usize` counts could not be gone over in a lifetime.
                if self.start >= self.end { 0 } else { usize::try_from(self.end.abs_diff(self.start)).unwrap_or(usize::MAX) }
            }

            unsafe fn piece(&self, range: Range<usize>) -> impl Iterator<Item = $int> {
                // Wrapping: the offset may not fit a signed type, but the sum does.
                let at = |offset: usize| self.start.wrapping_add(offset as $int);
                at(range.start)..at(range.end)
            }
        }
    )* };
}

ranges!(usize u64 u32 u16 u8 isize i64 i32 i16 i8);

// SAFETY: shared references may overlap.
unsafe impl<'a, T: Sync> Items for &'a [T] {
    type Item = &'a T;

    fn count(&self) -> usize {
        <[T]>::len(self)
    }

    unsafe fn piece(&self, range: Range<usize>) -> impl Iterator<Item = &'a T> {
        self[range].iter()
    }
}

macro_rules! shared {
    ([$($generics:tt)*] $type:ty) => {
        impl<T, $($generics)*> Sealed for &$type {}

        impl<T, $($generics)*> Sealed for &mut $type {}

        impl<'a, T: Sync, $($generics)*> IntoItems for &'a $type {
            type Item = &'a T;
            type Items = &'a [T];
            fn into_items(self) -> Self::Items {
                self
            }
        }

        impl<'a, T: Send, $($generics)*> IntoItems for &'a mut $type {
            type Item = &'a mut T;
            type Items = Mutable<'a, T>;
            fn into_items(self) -> Self::Items {
                Mutable { first: self.as_mut_ptr(), len: self.len(), slice: PhantomData }
            }
        }
    };
}

shared!([][T]);
shared!([] Vec<T>);
shared!([] NodeVec<T>);
shared!([const N: usize] [T; N]);

/// A mutable slice that is handed out in disjoint parts.
#[doc(hidden)]
#[derive(Debug)]
pub struct Mutable<'a, T> {
    first: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: several threads get disjoint parts, so it is as if each were sent its own.
unsafe impl<T: Send> Sync for Mutable<'_, T> {}

// SAFETY: it stands for the mutable borrow, which may go to another thread.
unsafe impl<T: Send> Send for Mutable<'_, T> {}

// SAFETY: as the trait demands, parts do not overlap.
unsafe impl<'a, T: Send> Items for Mutable<'a, T> {
    type Item = &'a mut T;

    fn count(&self) -> usize {
        self.len
    }

    unsafe fn piece(&self, range: Range<usize>) -> impl Iterator<Item = &'a mut T> {
        debug_assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the slice.
        let first = unsafe { self.first.add(range.start) };
        // SAFETY: within the slice, which is borrowed for `'a`, and no other part overlaps this one.
        unsafe { std::slice::from_raw_parts_mut(first, range.len()) }.iter_mut()
    }
}

/// The chunks of a mutable slice, by number.
pub(crate) struct ChunksMut<'a, T> {
    slice: Mutable<'a, T>,
    size: usize,
}

impl<'a, T: Send> ChunksMut<'a, T> {
    /// `size` is not zero.
    pub(crate) fn new(slice: &'a mut [T], size: usize) -> Self {
        ChunksMut { slice: slice.into_items(), size }
    }
}

// SAFETY: as for `Mutable`: chunks of different numbers do not overlap.
unsafe impl<'a, T: Send> Items for ChunksMut<'a, T> {
    type Item = (usize, &'a mut [T]);

    fn count(&self) -> usize {
        self.slice.len.div_ceil(self.size)
    }

    unsafe fn piece(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &'a mut [T])> {
        range.map(|number| {
            let start = number * self.size;
            let len = self.size.min(self.slice.len - start);
            // SAFETY: the chunk begins within the slice.
            let first = unsafe { self.slice.first.add(start) };
            // SAFETY: it ends there too, and each number is asked for once.
            (number, unsafe { std::slice::from_raw_parts_mut(first, len) })
        })
    }
}
