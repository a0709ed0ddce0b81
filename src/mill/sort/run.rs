//! Slices that are sorted already, forwards or backwards.

use std::sync::atomic::{AtomicBool, Ordering};

use super::order::Order;
use crate::mill::join::join;

/// A random slice should be told from a sorted one before other threads are called.
const FIRST_LOOK: usize = if cfg!(test) { 8 } else { 1024 };
/// What one thread looks at or turns round in one go.
const CHUNK: usize = if cfg!(test) { 8 } else { 16 * 1024 };

/// Sorts `v` if it is sorted already, or if it is sorted backwards without equal elements, and says whether
/// it was. It is at least two long.
pub(super) fn sort_if_run<T: Send>(v: &mut [T], order: &impl Order<T>) -> bool {
    let backwards = order.less(&v[1], &v[0]);
    let look = v.len().min(FIRST_LOOK);
    let given_up = AtomicBool::new(false);
    if !is_run(&mut v[..look], order, backwards, &given_up) || !is_run(v, order, backwards, &given_up) {
        return false;
    }
    if backwards {
        let (a, b) = v.split_at_mut(v.len() / 2);
        reverse(a, b);
    }
    true
}

/// Is each element less than the one before it, or is none? `given_up`: it is not, as others have found.
fn is_run<T: Send>(v: &mut [T], order: &impl Order<T>, backwards: bool, given_up: &AtomicBool) -> bool {
    let steps = |v: &[T]| v.windows(2).all(|pair| order.less(&pair[1], &pair[0]) == backwards);
    // Relaxed: the flag only saves work; answers come by `join`.
    if given_up.load(Ordering::Relaxed) {
        return false;
    }
    let holds = if v.len() <= CHUNK {
        steps(v)
    } else {
        let middle = v.len() / 2;
        let (a, b) = v.split_at_mut(middle);
        let half = |v| is_run(v, order, backwards, given_up);
        let (a, b) = join(|| half(a), || half(b));
        a && b && steps(&v[middle - 1..=middle])
    };
    if !holds {
        given_up.store(true, Ordering::Relaxed);
    }
    holds
}

/// Exchanges the elements of `a`, first to last, for those of `b`, last to first. `b` may have one element more,
/// its first, which stays.
fn reverse<T: Send>(a: &mut [T], b: &mut [T]) {
    if a.len() <= CHUNK {
        a.iter_mut().zip(b.iter_mut().rev()).for_each(|(a, b)| std::mem::swap(a, b));
        return;
    }
    let outer = a.len() / 2;
    let (a_outer, a_inner) = a.split_at_mut(outer);
    let (b_inner, b_outer) = b.split_at_mut(b.len() - outer);
    join(|| reverse(a_outer, b_outer), || reverse(a_inner, b_inner));
}
