//! The order that a sort brings elements into, with `std`'s sorts for the pieces that one thread sorts.

use std::cmp::Ordering;

/// An order of `T`s. It may lie: then the result is in no particular order, and nothing worse.
///
/// Threads share the order, but never an element: each compares only what it alone holds, because a `T` that is
/// `Send` need not be `Sync`.
pub(super) trait Order<T>: Sync {
    fn less(&self, a: &T, b: &T) -> bool;

    /// Sorts on this thread, stably.
    fn sort(&self, v: &mut [T]);

    /// Sorts on this thread.
    fn sort_unstable(&self, v: &mut [T]);
}

/// The order of the type.
pub(super) struct Natural;

impl<T: Ord> Order<T> for Natural {
    #[inline(always)]
    fn less(&self, a: &T, b: &T) -> bool {
        a < b
    }

    fn sort(&self, v: &mut [T]) {
        v.sort();
    }

    fn sort_unstable(&self, v: &mut [T]) {
        v.sort_unstable();
    }
}

/// The order of a comparator.
pub(super) struct By<F>(pub(super) F);

impl<T, F: Fn(&T, &T) -> Ordering + Sync> Order<T> for By<F> {
    #[inline(always)]
    fn less(&self, a: &T, b: &T) -> bool {
        (self.0)(a, b) == Ordering::Less
    }

    fn sort(&self, v: &mut [T]) {
        v.sort_by(&self.0);
    }

    fn sort_unstable(&self, v: &mut [T]) {
        v.sort_unstable_by(&self.0);
    }
}

/// The order of the keys that a function gives.
pub(super) struct ByKey<F>(pub(super) F);

impl<T, K: Ord, F: Fn(&T) -> K + Sync> Order<T> for ByKey<F> {
    #[inline(always)]
    fn less(&self, a: &T, b: &T) -> bool {
        (self.0)(a) < (self.0)(b)
    }

    fn sort(&self, v: &mut [T]) {
        v.sort_by_key(&self.0);
    }

    fn sort_unstable(&self, v: &mut [T]) {
        v.sort_unstable_by_key(&self.0);
    }
}
