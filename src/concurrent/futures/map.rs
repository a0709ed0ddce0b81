//! `MapIter`: the results of one function over many inputs; and what submits the calls.

use std::collections::VecDeque;
use std::fmt;
use std::iter::{Fuse, FusedIterator};
use std::time::{Duration, Instant};

use crate::future::blocking::{self, Outlook};
use crate::future::cell::Handle;
use crate::future::completions::{Completions, Next};
use crate::future::error::{SubmitError, TaskError};
use crate::future::handle::Future;
use crate::future::waitable::Waitable;

type Submit<A, R> = Box<dyn FnMut(A) -> Result<Future<R>, SubmitError> + Send>;

/// Submits calls of one function; made by [`Calls::caller`](super::Calls::caller).
pub struct Caller<A, R> {
    one: Submit<A, R>,
    many: Submit<Vec<A>, Vec<Result<R, TaskError>>>,
}

impl<A, R> Caller<A, R> {
    /// Submits single calls by `one`, and several in one task by `many`.
    pub fn new(
        one: impl FnMut(A) -> Result<Future<R>, SubmitError> + Send + 'static,
        many: impl FnMut(Vec<A>) -> Result<Future<Vec<Result<R, TaskError>>>, SubmitError> + Send + 'static,
    ) -> Self {
        Caller { one: Box::new(one), many: Box::new(many) }
    }
}

impl<A, R> fmt::Debug for Caller<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}

/// A task of a map: one call, or a chunk of them.
enum Piece<R> {
    One(Future<R>),
    Many(Future<Vec<Result<R, TaskError>>>),
}

impl<R> Piece<R> {
    /// Waits for its results and adds them to `ready`; gives the piece back if the time is up.
    fn finish(
        mut self,
        deadline: Option<Instant>,
        ready: &mut VecDeque<Result<R, TaskError>>,
    ) -> Option<Self> {
        // Not asked of the result: a task may itself have ended with a timeout.
        let outlook = blocking::wait(self.handle(), deadline);
        if outlook == Outlook::TimeUp {
            return Some(self);
        }
        match &mut self {
            Piece::One(future) => ready.push_back(future.taken(outlook)),
            Piece::Many(future) => match future.taken(outlook) {
                Err(error) => ready.push_back(Err(error)),
                Ok(results) => ready.extend(results),
            },
        }
        None
    }
}

impl<R> crate::future::waitable::sealed::Sealed for Piece<R> {}
impl<R> Waitable for Piece<R> {
    fn handle(&self) -> Handle<'_> {
        match self {
            Piece::One(future) => future.handle(),
            Piece::Many(future) => future.handle(),
        }
    }

    fn is_only(&self) -> bool {
        true
    }
}

/// Tasks under way.
enum Pieces<R> {
    Ordered(VecDeque<Piece<R>>),
    Unordered(Completions<Piece<R>>),
}

/// The results of [`Executor::map`](super::Executor::map).
///
/// Each item is what came of one input; an error is an item like others, and the next goes on. (Python's raises, and ends
/// there; `collect::<Result<Vec<_>, _>>()` does that.) Dropping the iterator cancels what has not started. It holds no
/// executor: one that is dropped or shut down in between ends what it has, and the iterator ends with
/// [`TaskError::Rejected`] if there were more inputs.
///
/// # Examples
///
/// See [`Executor::map`](super::Executor::map).
#[doc(alias = "concurrent.futures.Executor.map")]
#[must_use = "nothing is submitted before the first result is asked for, or `start`"]
pub struct MapIter<I: Iterator, R> {
    inputs: Fuse<I>,
    caller: Caller<I::Item, R>,
    chunk: usize,
    /// Tasks under way at a time.
    buffer: usize,
    begun: Instant,
    deadline: Option<Instant>,
    pieces: Pieces<R>,
    ready: VecDeque<Result<R, TaskError>>,
    refused: Option<SubmitError>,
    over: bool,
}

impl<I: Iterator, R> MapIter<I, R> {
    pub(super) fn new(caller: Caller<I::Item, R>, inputs: I) -> Self {
        MapIter {
            inputs: inputs.fuse(),
            caller,
            chunk: 1,
            buffer: usize::MAX,
            begun: Instant::now(),
            deadline: None,
            pieces: Pieces::Ordered(VecDeque::new()),
            ready: VecDeque::new(),
            refused: None,
            over: false,
        }
    }

    /// Ends with [`TaskError::Timeout`] when a result is not there so long after the call of `map`; what has not started
    /// then is cancelled.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = self.begun.checked_add(timeout);
        self
    }

    /// Makes one task of so many inputs; by default of one. For many small calls.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn chunk_size(mut self, inputs: usize) -> Self {
        assert!(inputs > 0, "chunk_size = 0: a task has at least 1 input");
        self.chunk = inputs;
        self
    }

    /// Has at most so many tasks under way or done and not asked for, the one that is waited for among them, and takes no
    /// more inputs than those need. By default all inputs are taken and submitted at once. For long or endless inputs.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn buffer_size(mut self, tasks: usize) -> Self {
        assert!(tasks > 0, "buffer_size = 0: at least 1 task must be under way");
        self.buffer = tasks;
        self
    }

    /// Returns results as they are done, in whatever order.
    pub fn unordered(mut self) -> Self {
        if let Pieces::Ordered(pieces) = &mut self.pieces {
            let mut unordered = Completions::with_capacity(0);
            pieces.drain(..).for_each(|piece| unordered.insert(piece));
            self.pieces = Pieces::Unordered(unordered);
        }
        self
    }

    /// Submits now what would be submitted when the first result is asked for.
    pub fn start(mut self) -> Self {
        self.fill();
        self
    }

    fn under_way(&self) -> usize {
        match &self.pieces {
            Pieces::Ordered(pieces) => pieces.len(),
            Pieces::Unordered(pieces) => pieces.pending(),
        }
    }

    /// Submits as many tasks as may be under way.
    fn fill(&mut self) {
        while self.refused.is_none() && self.under_way() < self.buffer {
            let submitted = if self.chunk == 1 {
                let Some(input) = self.inputs.next() else { return };
                (self.caller.one)(input).map(Piece::One)
            } else {
                let inputs: Vec<_> = self.inputs.by_ref().take(self.chunk).collect();
                if inputs.is_empty() {
                    return;
                }
                (self.caller.many)(inputs).map(Piece::Many)
            };
            match (submitted, &mut self.pieces) {
                (Ok(piece), Pieces::Ordered(pieces)) => pieces.push_back(piece),
                (Ok(piece), Pieces::Unordered(pieces)) => pieces.insert(piece),
                (Err(error), _) => self.refused = Some(error),
            }
        }
    }

    /// The results of the next piece go to `ready`. False if there is none; an error if the time is up.
    fn advance(&mut self) -> Result<bool, TaskError> {
        let piece = match &mut self.pieces {
            Pieces::Ordered(pieces) => pieces.pop_front(),
            Pieces::Unordered(pieces) => match pieces.next(self.deadline) {
                Next::Done(piece) => Some(piece),
                Next::Nothing => None,
                Next::TimeUp => return Err(TaskError::Timeout),
            },
        };
        let Some(piece) = piece else { return Ok(false) };
        match piece.finish(self.deadline, &mut self.ready) {
            None => Ok(true),
            Some(piece) => {
                piece.handle().try_cancel();
                Err(TaskError::Timeout)
            }
        }
    }

    fn cancel(&mut self) {
        // One that cannot be cancelled runs, or is done.
        let cancel = |piece: &Piece<R>| {
            piece.handle().try_cancel();
        };
        match &self.pieces {
            Pieces::Ordered(pieces) => pieces.iter().for_each(cancel),
            Pieces::Unordered(pieces) => pieces.for_each_left(cancel),
        }
    }
}

impl<I: Iterator, R> Iterator for MapIter<I, R> {
    type Item = Result<R, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            if let Some(result) = self.ready.pop_front() {
                return Some(result);
            }
            self.fill();
            match self.advance() {
                Ok(true) => {}
                Ok(false) => {
                    self.over = true;
                    return self.refused.take().map(|refused| Err(refused.into()));
                }
                Err(late) => {
                    self.over = true;
                    self.cancel();
                    return Some(Err(late));
                }
            }
        }
        None
    }
}

impl<I: Iterator, R> FusedIterator for MapIter<I, R> {}

impl<I: Iterator, R> Drop for MapIter<I, R> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<I: Iterator, R> fmt::Debug for MapIter<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapIter").field("under_way", &self.under_way()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::future::promise::Promise;

    /// What a call that ended so came to.
    fn future<R>(outcome: Result<R, TaskError>) -> Result<Future<R>, SubmitError> {
        let (promise, future) = Promise::new();
        promise.complete(outcome).unwrap();
        Ok(future)
    }

    /// Of calls for 0, 1 and so on the second ends with a timeout of its own, and the others give their input.
    fn map(inputs: u32) -> MapIter<std::ops::Range<u32>, u32> {
        let call = |n| if n == 1 { Err(TaskError::Timeout) } else { Ok(n) };
        let many = move |inputs: Vec<u32>| {
            let late = inputs.contains(&1);
            future(if late { Err(TaskError::Timeout) } else { Ok(inputs.into_iter().map(call).collect()) })
        };
        MapIter::new(Caller::new(move |n| future(call(n)), many), 0..inputs)
    }

    #[test]
    fn a_timeout_of_a_task_is_not_the_maps() {
        for limited in [false, true] {
            for unordered in [false, true] {
                for chunk in 1..=2 {
                    let results = map(4).chunk_size(chunk);
                    let results = if limited { results.timeout(Duration::from_secs(600)) } else { results };
                    let results = if unordered { results.unordered() } else { results };
                    let results: Vec<_> = results.collect();
                    let late = |result: &&Result<_, _>| matches!(result, Err(TaskError::Timeout));
                    assert_eq!(results.iter().filter(late).count(), 1, "{results:?}");
                    let good: Vec<_> = results.into_iter().filter_map(Result::ok).collect();
                    assert_eq!(good, if chunk == 1 { vec![0, 2, 3] } else { vec![2, 3] });
                }
            }
        }
    }

    #[test]
    fn the_maps_own_timeout_ends_it() {
        let (_never, future) = Promise::<u32>::new();
        let mut future = Some(future);
        let caller = Caller::new(move |_| future.take().ok_or(SubmitError::Full), |_| Err(SubmitError::Full));
        let mut results = MapIter::new(caller, 0..1).timeout(Duration::from_millis(1));
        assert!(matches!(results.next(), Some(Err(TaskError::Timeout))));
        assert!(results.next().is_none());
    }
}
