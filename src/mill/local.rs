//! Values of which each worker has its own.

use std::fmt;

use crate::mill::seat;
use crate::prim::{Mutex, Padded, lock};

/// A value of which each worker has its own: a scratch buffer, a generator, a partial sum.
///
/// A worker's value is made when it first asks, on its own thread, so that its memory lies near it. If a job
/// asks while another one further up the same stack is using the worker's value (a worker that waits may run
/// a descendant of what it waits for), it gets a second one; so nothing is ever borrowed twice. Threads outside
/// of a mill may ask too.
///
/// Python's nearest relative is `threading.local`, which has no way to bring the values together.
///
/// # Examples
///
/// ```
/// use gristmill::WorkerLocal;
///
/// let counts = WorkerLocal::new(|| 0);
/// gristmill::par_for(0..1_000, |_| counts.with(|count| *count += 1));
/// assert_eq!(counts.into_values().iter().sum::<i32>(), 1_000);
/// ```
pub struct WorkerLocal<T> {
    shelves: Box<[Padded<Mutex<Vec<T>>>]>,
    init: Box<dyn Fn() -> T + Send + Sync>,
}

/// Threads whose numbers differ by this share a shelf: a lock that is almost never contended.
const SHELVES: usize = 64;

impl<T: Send> WorkerLocal<T> {
    /// Values that `init` makes, one a worker, when they are first asked for.
    pub fn new(init: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let shelves = (0..SHELVES).map(|_| Padded(Mutex::new(Vec::new()))).collect();
        WorkerLocal { shelves, init: Box::new(init) }
    }

    /// Shows `f` this worker's value.
    ///
    /// # Panics
    ///
    /// With the panic of `f`, after which the value is dropped: it may be half changed. With that of `init`.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let shelf = &self.shelves[seat::current().map_or(0, |seat| seat.index) % SHELVES];
        let taken = lock(shelf).pop();
        let mut value = taken.unwrap_or_else(|| (self.init)());
        let result = f(&mut value);
        lock(shelf).push(value);
        result
    }

    /// All values that were made, in no particular order.
    #[must_use]
    pub fn into_values(self) -> Vec<T> {
        self.shelves.iter().flat_map(|shelf| std::mem::take(&mut *lock(shelf))).collect()
    }
}

impl<T> fmt::Debug for WorkerLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLocal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::WorkerLocal;

    #[test]
    fn asking_while_asking_gets_a_second_value() {
        let local = WorkerLocal::new(|| 0);
        local.with(|outer| {
            *outer += 1;
            local.with(|inner| *inner += 10);
            *outer += 1;
        });
        local.with(|one| *one += 100);
        let mut values = local.into_values();
        values.sort_unstable();
        assert_eq!(values.len(), 2);
        assert_eq!(values.iter().sum::<i32>(), 112);
    }

    #[test]
    fn a_value_that_was_dropped_half_changed_is_made_anew() {
        let local = WorkerLocal::new(|| 7);
        let panicked = crate::unwind::halt(|| {
            local.with(|value| {
                *value = 0;
                panic!("half changed");
            })
        });
        assert!(panicked.is_err());
        assert_eq!(local.with(|value| *value), 7);
    }
}
