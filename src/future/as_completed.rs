//! `as_completed`: futures in the order in which they are done.

use std::fmt;
use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use std::collections::HashSet;

use crate::future::completions::{Completions, Next};
use crate::future::error::Unfinished;
use crate::future::waitable::Waitable;

/// The futures, as they are done: first those that are already, in the order given, then the others as they end.
///
/// They may be of different executors and results. One that is given twice comes once. The iterator waits for the next; a
/// [`timeout`](AsCompleted::timeout) bounds the whole. It holds each future only until it has come out, so results need
/// not all be kept. The time it takes is linear in the number of futures, and a future that is done wakes nobody who is
/// awake.
///
/// To know what a result belongs to, hand in pairs of future and key.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::concurrent::futures::{ThreadPoolExecutor, as_completed};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(2).build()?;
/// let lengths = ["corn", "mill", "stone"].map(|word| (pool.submit(|| word.len()).unwrap(), word));
/// for done in as_completed(lengths).timeout(Duration::from_secs(60)) {
///     let (length, word) = done?;
///     assert_eq!(length.result()?, word.len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "concurrent.futures.as_completed")]
pub fn as_completed<F: Waitable>(futures: impl IntoIterator<Item = F>) -> AsCompleted<F> {
    let begun = Instant::now();
    let mut futures: Vec<F> = futures.into_iter().collect();
    if futures.iter().any(|future| !future.is_only()) {
        let mut seen = HashSet::with_capacity(futures.len());
        futures.retain(|future| seen.insert(future.handle().address()));
    }
    let total = futures.len();
    let open = futures.iter().filter(|future| !future.handle().is_done()).count();
    let mut completions = Completions::with_capacity(open);
    futures.into_iter().for_each(|future| completions.insert(future));
    AsCompleted { completions, total, begun }
}

/// From [`as_completed`].
#[must_use = "iterators do nothing unless they are used"]
pub struct AsCompleted<F: Waitable> {
    completions: Completions<F>,
    total: usize,
    begun: Instant,
}

impl<F: Waitable> AsCompleted<F> {
    /// Ends with an [`Unfinished`] if not all are done so long after [`as_completed`] was called. Zero gives those that
    /// are done already.
    pub fn timeout(self, timeout: Duration) -> AsCompletedTimeout<F> {
        let deadline = self.begun.checked_add(timeout);
        AsCompletedTimeout { futures: self, deadline, over: false }
    }
}

impl<F: Waitable> Iterator for AsCompleted<F> {
    type Item = F;

    fn next(&mut self) -> Option<F> {
        match self.completions.next(None) {
            Next::Done(future) => Some(future),
            _ => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.completions.pending(), Some(self.completions.pending()))
    }
}

impl<F: Waitable> ExactSizeIterator for AsCompleted<F> {}
impl<F: Waitable> FusedIterator for AsCompleted<F> {}

impl<F: Waitable> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("pending", &self.completions.pending())
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// From [`AsCompleted::timeout`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless they are used"]
pub struct AsCompletedTimeout<F: Waitable> {
    futures: AsCompleted<F>,
    deadline: Option<Instant>,
    over: bool,
}

impl<F: Waitable> AsCompletedTimeout<F> {
    /// The futures that did not come out.
    pub fn into_unfinished(mut self) -> Vec<F> {
        let mut left = Vec::new();
        self.futures.completions.take_left(&mut left);
        left
    }
}

impl<F: Waitable> Iterator for AsCompletedTimeout<F> {
    type Item = Result<F, Unfinished>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        match self.futures.completions.next(self.deadline) {
            Next::Done(future) => Some(Ok(future)),
            Next::Nothing => None,
            Next::TimeUp => {
                self.over = true;
                Some(Err(Unfinished::new(self.futures.completions.pending(), self.futures.total)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pending = if self.over { 0 } else { self.futures.completions.pending() };
        (pending.min(1), Some(pending))
    }
}

impl<F: Waitable> FusedIterator for AsCompletedTimeout<F> {}
