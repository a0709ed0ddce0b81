//! `wait`: until the first, the first failure, or all of many futures.

#![allow(unsafe_code, reason = "listeners that point to a tally in the frame of whoever waits")]

use std::collections::HashSet;
use std::ptr;
use std::time::{Duration, Instant};

use crate::future::blocking;
use crate::future::ended::Ended;
use crate::future::handle::deadline_in;
use crate::future::listener::{Listener, Tell};
use crate::future::waitable::Waitable;
use crate::prim::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::help::Awaited;
use crate::sync::parker::{Parker, Unparker};

/// What [`wait`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReturnWhen {
    /// Until one is done or cancelled.
    #[doc(alias = "concurrent.futures.FIRST_COMPLETED")]
    FirstCompleted,
    /// Until one has failed; being cancelled is no failure. If none fails, until all are done.
    #[doc(alias = "concurrent.futures.FIRST_EXCEPTION")]
    FirstException,
    /// Until all are done or cancelled.
    #[doc(alias = "concurrent.futures.ALL_COMPLETED")]
    #[default]
    AllCompleted,
}

impl ReturnWhen {
    fn is_met_by(self, ended: Ended) -> bool {
        match self {
            ReturnWhen::FirstCompleted => true,
            ReturnWhen::FirstException => ended == Ended::Raised,
            ReturnWhen::AllCompleted => false,
        }
    }
}

/// What [`wait`] returns: each future once, in the order in which they were given.
#[doc(alias = "concurrent.futures._base.DoneAndNotDoneFutures")]
#[derive(Debug)]
#[non_exhaustive]
pub struct DoneAndNotDone<F> {
    /// Those that are done or cancelled.
    pub done: Vec<F>,
    /// The others.
    pub not_done: Vec<F>,
}

/// Counts futures that are to be done.
struct Tally {
    left: AtomicUsize,
    when: ReturnWhen,
    over: AtomicBool,
    parker: Unparker,
}

impl Tally {
    /// # Safety
    ///
    /// `tally` is one, and alive until the listener is told.
    unsafe fn count(tally: *const (), _: *mut Listener, ended: Ended) -> Option<Unparker> {
        // SAFETY: as the caller says.
        let tally = unsafe { &*tally.cast::<Tally>() };
        // ORDERING(tally): AcqRel; the last one has seen all.
        let last = tally.left.fetch_sub(1, Ordering::AcqRel) == 1;
        (last || tally.when.is_met_by(ended)).then(|| {
            // ORDERING(tally): Release; pairs with the load in `wait`.
            tally.over.store(true, Ordering::Release);
            tally.parker
        })
    }
}

/// Takes listeners back that point into this frame, however it is left.
struct Pushed<'a, F: Waitable>(&'a [F], Vec<(usize, Listener)>);

impl<F: Waitable> Drop for Pushed<'_, F> {
    fn drop(&mut self) {
        for (number, listener) in &self.1 {
            if !listener.is_told() && !self.0[*number].handle().word.remove(listener) {
                listener.await_told();
            }
        }
    }
}

/// Waits for many futures, which may be of different executors and results.
///
/// With a `timeout` it returns at the latest after that time, whatever is done by then; zero only looks. A future that is
/// given twice is returned once. The time it takes is linear in the number of futures, and it is woken once.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{ReturnWhen, ThreadPoolExecutor, wait};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(2).build()?;
/// let futures = (0..10).map(|i| pool.submit(move || i * i)).collect::<Result<Vec<_>, _>>()?;
/// let waited = wait(futures, None, ReturnWhen::AllCompleted);
/// let sum: i32 = waited.done.into_iter().map(|future| future.result().unwrap()).sum();
/// assert_eq!((sum, waited.not_done.len()), (285, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "concurrent.futures.wait")]
pub fn wait<F: Waitable>(
    futures: impl IntoIterator<Item = F>,
    timeout: Option<Duration>,
    return_when: ReturnWhen,
) -> DoneAndNotDone<F> {
    let deadline = timeout.and_then(deadline_in);
    let mut futures: Vec<F> = futures.into_iter().collect();
    if futures.iter().any(|future| !future.is_only()) {
        let mut seen = HashSet::with_capacity(futures.len());
        futures.retain(|future| seen.insert(future.handle().address()));
    }
    if timeout.is_none_or(|timeout| !timeout.is_zero()) {
        wait_for(&futures, timeout.is_none(), deadline, return_when);
    }
    let (mut done, mut not_done) = (Vec::new(), Vec::new());
    for future in futures {
        if future.handle().is_done() { &mut done } else { &mut not_done }.push(future);
    }
    DoneAndNotDone { done, not_done }
}

fn wait_for<F: Waitable>(futures: &[F], patient: bool, deadline: Option<Instant>, when: ReturnWhen) {
    let is_met = |future: &F| future.handle().load().ended().is_some_and(|ended| when.is_met_by(ended));
    if futures.iter().any(is_met) {
        return;
    }
    if patient && when == ReturnWhen::AllCompleted {
        // All must be done anyway: those that have not started may as well run here.
        futures.iter().for_each(|future| future.handle().help());
    }
    let open: Vec<usize> = (0..futures.len()).filter(|&i| !futures[i].handle().is_done()).collect();
    if open.is_empty() {
        return;
    }
    let tally = Tally {
        left: AtomicUsize::new(open.len()),
        when,
        over: AtomicBool::new(false),
        parker: Parker::current(),
    };
    let data = ptr::from_ref(&tally).cast();
    let listener = |number| (number, Listener::new(Tell::Note(Tally::count, data)));
    // None of them moves any more once it is pushed.
    let pushed = Pushed(futures, open.into_iter().map(listener).collect());
    for (number, listener) in &pushed.1 {
        let core = futures[*number].handle();
        if !core.word.push(listener) {
            let ended = core.load().ended().unwrap_or(Ended::Cancelled);
            // SAFETY: the tally is above; nobody else has the listener, which is as good as told.
            unsafe { Tally::count(data, ptr::null_mut(), ended) };
            listener.mark_told();
        }
    }
    blocking::until_over(&Counted { tally: &tally, deadline });
}

/// The wait for a tally.
struct Counted<'a> {
    tally: &'a Tally,
    deadline: Option<Instant>,
}

impl Awaited for Counted<'_> {
    fn is_over(&self) -> bool {
        // ORDERING(tally): Acquire; pairs with the store in `count`.
        self.tally.over.load(Ordering::Acquire)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The tally knows the parker of the only thread that waits for it.
    fn announce(&self) -> bool {
        !self.is_over()
    }

    fn sleep(&self) {
        blocking::sleep_until(self.deadline);
    }

    fn runner(&self, _: *const ()) -> *const () {
        ptr::null()
    }

    fn family(&self) -> *const () {
        ptr::null()
    }
}
