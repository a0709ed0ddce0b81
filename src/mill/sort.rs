//! Sorting slices on all workers.
//!
//! Two algorithms, which share the merge and hand pieces that one thread sorts to `std`'s sorts: `stable` is a
//! merge sort with parallel merges, `quick` a quicksort with parallel partitions. Both look first whether the
//! slice is sorted already (`run`), both use nothing of the mill but `join`.
//!
//! Two rules hold throughout. No element is ever seen by two threads at a time, since elements are `Send` and
//! perhaps not `Sync`. And wherever foreign code may run, which is in every comparison, all elements are in the
//! slice, or a guard on the stack brings them back there: it may panic, and under a cancelled token every
//! `join` may unwind.

mod each;
mod merge;
mod order;
mod partition;
mod quick;
mod run;
mod stable;
#[cfg(all(test, not(loom)))]
mod tests;

use std::cmp::Ordering;

use self::order::{By, ByKey, Natural, Order};
use crate::mill::global;
use crate::mill::pool::Mill;
use crate::mill::worker::Worker;

/// A slice so short is sorted on the calling thread: others would come too late.
const SMALL: usize = if cfg!(test) { 128 } else { 16 * 1024 };

/// Sorts a slice on all workers, and keeps the order of equal elements.
///
/// The counterpart of [`slice::sort`], and of Python's `list.sort`. If the order of equal elements does not
/// matter, [`par_sort_unstable`] is faster and needs little room.
///
/// Outside of any mill the work runs in the [default mill](crate::Mill::global). Slices of less than some
/// 16,000 elements, and all slices in a mill with one worker, are left to `std`'s sort on the calling thread.
///
/// Takes O(*n* log *n*) comparisons and room for *n* elements; O(*n*) if the slice is sorted already, or strictly
/// backwards. On *p* workers O(*n*/*p* · log *n*) time, as long as *n* is much larger than *p*: merges are
/// parallel too. (Pieces by `std`'s driftsort; merges split as in Cormen et al., "Introduction to Algorithms",
/// 27.3.)
///
/// # Examples
///
/// ```
/// let mut words = ["pear", "fig", "apple"];
/// gristmill::par_sort(&mut words);
/// assert_eq!(words, ["apple", "fig", "pear"]);
/// ```
///
/// # Panics
///
/// With the panic of the order. May panic if the order is not total. Under a cancelled
/// [token](crate::CancelToken) the call unwinds to the token's `run`. In all these cases the slice holds the same
/// elements as before, in some order. Also in a forked child, and if the [default mill](crate::Mill::global) is
/// needed and cannot start.
pub fn par_sort<T: Ord + Send>(v: &mut [T]) {
    stable(v, &Natural);
}

/// Sorts a slice on all workers by a comparator, and keeps the order of equal elements.
///
/// The counterpart of [`slice::sort_by`]; else as [`par_sort`]. The comparator is called on several threads at the
/// same time, but never for the same element on two.
///
/// # Examples
///
/// ```
/// let mut temperatures = [3.5, -1.0, 12.25];
/// gristmill::par_sort_by(&mut temperatures, f64::total_cmp);
/// assert_eq!(temperatures, [-1.0, 3.5, 12.25]);
/// ```
///
/// # Panics
///
/// As [`par_sort`], with the comparator for the order.
pub fn par_sort_by<T, F>(v: &mut [T], compare: F)
where
    T: Send,
    F: Fn(&T, &T) -> Ordering + Sync,
{
    stable(v, &By(compare));
}

/// Sorts a slice on all workers by a key, and keeps the order of elements with equal keys.
///
/// The counterpart of [`slice::sort_by_key`], and of Python's `list.sort(key=...)`; else as [`par_sort`]. Python
/// computes each key once, this function O(log *n*) times: it should be cheap.
///
/// # Examples
///
/// ```
/// let mut words = ["pear", "fig", "apple", "nut"];
/// gristmill::par_sort_by_key(&mut words, |word| word.len());
/// assert_eq!(words, ["fig", "nut", "pear", "apple"]);
/// ```
///
/// # Panics
///
/// As [`par_sort`], also with the panic of `key`.
pub fn par_sort_by_key<T, K, F>(v: &mut [T], key: F)
where
    T: Send,
    K: Ord,
    F: Fn(&T) -> K + Sync,
{
    stable(v, &ByKey(key));
}

/// Sorts a slice on all workers; equal elements may change places.
///
/// The counterpart of [`slice::sort_unstable`]. Outside of any mill the work runs in the [default
/// mill](crate::Mill::global). Slices of less than some 16,000 elements, and all slices in a mill with one worker,
/// are left to `std`'s sort on the calling thread.
///
/// Takes O(*n* log *n*) comparisons in the worst case; O(*n*) if the slice is sorted already, or strictly backwards;
/// O(*n* log *k*) if only *k* values occur. On *p* workers O(*n*/*p* · log *n*) time for *n* much larger than
/// *p*: partitions are parallel too. Sorts in place, but for elements near the first few pivots, as a rule a few
/// percent, which take a buffer. (Sources: Tsigas and Zhang 2003 for parallel partitions, Edelkamp and Weiß 2016
/// for partitions by blocks; pieces by `std`'s ipnsort.)
///
/// # Examples
///
/// ```
/// let mut numbers: Vec<u32> = (0..100_000).map(|i: u32| i.wrapping_mul(2_654_435_761)).collect();
/// gristmill::par_sort_unstable(&mut numbers);
/// assert!(numbers.is_sorted());
/// ```
///
/// # Panics
///
/// As [`par_sort`].
pub fn par_sort_unstable<T: Ord + Send>(v: &mut [T]) {
    unstable(v, &Natural);
}

/// Sorts a slice on all workers by a comparator; equal elements may change places.
///
/// The counterpart of [`slice::sort_unstable_by`]; else as [`par_sort_unstable`]. The comparator is called on
/// several threads at the same time, but never for the same element on two.
///
/// # Examples
///
/// ```
/// let mut numbers = [1, 3, 2];
/// gristmill::par_sort_unstable_by(&mut numbers, |a, b| b.cmp(a));
/// assert_eq!(numbers, [3, 2, 1]);
/// ```
///
/// # Panics
///
/// As [`par_sort`], with the comparator for the order.
pub fn par_sort_unstable_by<T, F>(v: &mut [T], compare: F)
where
    T: Send,
    F: Fn(&T, &T) -> Ordering + Sync,
{
    unstable(v, &By(compare));
}

/// Sorts a slice on all workers by a key; elements with equal keys may change places.
///
/// The counterpart of [`slice::sort_unstable_by_key`]; else as [`par_sort_unstable`]. The key is computed
/// O(log *n*) times for each element: it should be cheap.
///
/// # Examples
///
/// ```
/// let mut numbers = [-3_i32, 1, 2];
/// gristmill::par_sort_unstable_by_key(&mut numbers, |n| n.abs());
/// assert_eq!(numbers, [1, 2, -3]);
/// ```
///
/// # Panics
///
/// As [`par_sort`], also with the panic of `key`.
pub fn par_sort_unstable_by_key<T, K, F>(v: &mut [T], key: F)
where
    T: Send,
    K: Ord,
    F: Fn(&T) -> K + Sync,
{
    unstable(v, &ByKey(key));
}

fn stable<T: Send>(v: &mut [T], order: &impl Order<T>) {
    match workers_for(v) {
        None => order.sort(v),
        Some(workers) => global::in_current(|| {
            if !run::sort_if_run(v, order) {
                stable::sort(v, order, workers);
            }
        }),
    }
}

fn unstable<T: Send>(v: &mut [T], order: &impl Order<T>) {
    match workers_for(v) {
        None => order.sort_unstable(v),
        Some(workers) => global::in_current(|| {
            if !run::sort_if_run(v, order) {
                quick::sort(v, order, workers);
            }
        }),
    }
}

/// How many workers there are to sort `v`; `None` if the calling thread does best alone.
fn workers_for<T>(v: &[T]) -> Option<usize> {
    if v.len() < SMALL || size_of::<T>() == 0 {
        return None;
    }
    let workers = Worker::current().map_or_else(|| Mill::global().workers(), |worker| worker.hall.workers());
    (workers > 1).then_some(workers)
}
