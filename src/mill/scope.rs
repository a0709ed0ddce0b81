//! `scope`: any number of jobs over borrowed data, all over before it returns.
//!
//! A scope's jobs go on the spawning worker's line, where its waiter takes them back in order, only while the
//! scope is the innermost thing open on that worker. A job that is spawned from anywhere else (inside a `join`
//! in the scope, from a job of an inner scope, from a thread outside) goes into the scope's own queue instead,
//! and a *ticket* for it into the mill: whoever draws the ticket runs one job of the queue, or nothing if the
//! waiter was faster. So a waiter always finds the jobs that it waits for, and only those.

#![allow(unsafe_code, reason = "jobs borrow what lives until the scope has ended")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use crate::contextvars::copy_context;
use crate::mill::cancel::{self, CancelToken};
use crate::mill::deque::Inbox;
use crate::mill::hall::Hall;
use crate::mill::injector::Priority;
use crate::mill::job::{HeapJob, JobRef, Stamp};
use crate::mill::latch::Latch;
use crate::mill::seat::{self, Seat};
use crate::mill::wait::rob_family;
use crate::mill::worker::Worker;
use crate::mill::{entry, global};
use crate::prim::atomic::{AtomicBool, AtomicI64, Ordering};
use crate::prim::{Mutex, OnceLock, lock};
use crate::sync::parker::{Parker, Unparker};
use crate::unwind::{self, Payload};

/// Spawns jobs that may borrow whatever outlives the [`scope`] call it came from.
#[repr(transparent)]
pub struct Scope<'scope> {
    state: State,
    /// Invariant: a longer or shorter borrow is another scope.
    marker: PhantomData<&'scope mut &'scope ()>,
}

struct State {
    /// Jobs of others that are not over, and [`OPEN`] until the opener has settled its own account.
    pending: AtomicI64,
    /// Jobs that the opener's thread has spawned less those that it has run; it alone counts them.
    /// `None` once they are settled.
    own: Cell<Option<i64>>,
    opener: *const Seat,
    done: Latch,
    panic: Mutex<Option<Payload>>,
    /// A job was cancelled: dropped, or left before its end.
    cut: AtomicBool,
    hall: *const Hall,
    waiter: Unparker,
    fifo: bool,
    queue: OnceLock<Arc<Inbox>>,
}

/// More jobs than there can be.
const OPEN: i64 = 1 << 62;

// SAFETY: `own` is touched by the opener's thread only; the pointers are only read, and the hall and its seats
// outlive the scope; all else is `Sync`.
unsafe impl Sync for State {}
// SAFETY: nothing in it is bound to a thread.
unsafe impl Send for State {}

/// Opens a scope, runs `body` in it, and returns once all jobs spawned in it are over.
///
/// Jobs spawned last run first on the thread that spawned them, and what others take is what was spawned
/// first; for the order of spawning everywhere, see [`scope_fifo`]. From outside of any mill the scope opens in
/// the [default mill](crate::Mill::global).
///
/// Python's nearest relative is `with ThreadPoolExecutor() as pool`, which also waits for its jobs.
///
/// # Examples
///
/// ```
/// let mut numbers = vec![1, 2, 3, 4, 5, 6];
/// gristmill::scope(|s| {
///     for chunk in numbers.chunks_mut(2) {
///         s.spawn(move |_| chunk.iter_mut().for_each(|n| *n *= 10));
///     }
/// });
/// assert_eq!(numbers, [10, 20, 30, 40, 50, 60]);
/// ```
///
/// # Panics
///
/// With the panic of `body`, or else with the first panic of a job, once all jobs are over. Under a cancelled
/// [token](crate::CancelToken) that cost it a job the call unwinds to the token's `run`.
///
/// # Memory ordering
///
/// What a job did is seen after `scope` returns; what happened before a `spawn` is seen by its job.
pub fn scope<'scope, R, F>(body: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    global::in_current(|| open(false, body))
}

/// As [`scope`], but its jobs start in the order in which they were spawned.
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
///
/// let (order, mill) = (Mutex::new(Vec::new()), gristmill::Mill::builder().workers(1).build()?);
/// mill.install(|| {
///     gristmill::scope_fifo(|s| {
///         for i in 0..4 {
///             let order = &order;
///             s.spawn(move |_| order.lock().unwrap().push(i));
///         }
///     })
/// });
/// assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
/// # Ok::<(), gristmill::BuildError>(())
/// ```
///
/// # Panics
///
/// As [`scope`].
pub fn scope_fifo<'scope, R, F>(body: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    global::in_current(|| open(true, body))
}

fn open<'scope, R>(fifo: bool, body: impl FnOnce(&Scope<'scope>) -> R) -> R {
    let worker = Worker::seated();
    let scope = Scope {
        state: State {
            pending: AtomicI64::new(OPEN),
            own: Cell::new(Some(0)),
            opener: worker.seat,
            done: Latch::new(),
            panic: Mutex::new(None),
            cut: AtomicBool::new(false),
            hall: worker.hall,
            waiter: Parker::current(),
            fifo,
            queue: OnceLock::new(),
        },
        marker: PhantomData,
    };
    worker.expose_all();
    let result = unwind::halt(|| scope.state.innermost(worker, || body(&scope)));
    scope.state.finish(worker);
    let panic = lock(&scope.state.panic).take();
    match (result, panic) {
        (Err(payload), other) => {
            unwind::drop_quietly(other);
            unwind::resume(payload)
        }
        (Ok(value), Some(payload)) => {
            unwind::drop_quietly(value);
            unwind::resume(payload)
        }
        (Ok(value), None) => {
            // Jobs may have had a token of their own; but if ours is cancelled too, this is not the whole result.
            if scope.state.cut.load(Ordering::Relaxed) && cancel::must_unwind(worker.seat.token()) {
                unwind::drop_quietly(value);
                cancel::unwind_now();
            }
            value
        }
    }
}

impl<'scope> Scope<'scope> {
    /// Spawns a job that may run at any time from now on, on any worker, and is over before the scope ends.
    ///
    /// The job gets the scope to spawn more. It runs under the caller's cancel token; if that is cancelled
    /// before the job starts, it is dropped instead. It runs in the caller's context if the mill is to [carry
    /// contexts](crate::MillBuilder::contexts). One allocation.
    pub fn spawn<F>(&self, job: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        // SAFETY: the hall outlives the scope.
        if unsafe { &*self.state.hall }.settings.contexts {
            let context = Box::new(copy_context());
            self.spawn_bare(move |scope| entry::within(&context, || job(scope)));
        } else {
            self.spawn_bare(job);
        }
    }

    fn spawn_bare<F>(&self, job: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        let closure = |stamp: Stamp| {
            // SAFETY: the family is this scope, which waits until this job has been counted off.
            let scope = unsafe { &*stamp.family.cast::<Scope<'scope>>() };
            // SAFETY: retained below, for this job.
            let token = unsafe { cancel::release(stamp.token) };
            scope.state.run(token, || job(scope));
        };
        let seat = seat::current();
        self.state.count(seat, 1);
        let stamp = Stamp { family: self.state.family(), token: cancel::retain() };
        // SAFETY: what the closure borrows outlives `'scope`, and the scope does not end before the job has
        // run; the token is retained until then.
        let job = unsafe { HeapJob::boxed(closure, stamp) };
        match seat {
            Some(seat) if self.state.may_line(seat) => Worker::on(seat).push_on_line(job),
            _ => self.state.publish(job),
        }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("pending", &self.state.pending.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl State {
    fn family(&self) -> *const () {
        ptr::from_ref(self).cast()
    }

    /// Runs `f` with this scope as the innermost on this worker. Nothing is private.
    fn innermost<R>(&self, worker: Worker<'_>, f: impl FnOnce() -> R) -> R {
        struct Restore<'a>(Worker<'a>, *const (), crate::mill::split::Slot);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.seat.owner.scope.set(self.1);
                self.0.seat.owner.scope_depth.set(self.2);
            }
        }
        let owner = &worker.seat.owner;
        let depth = worker.seat.deque.depth();
        let _restore = Restore(worker, owner.scope.replace(self.family()), owner.scope_depth.replace(depth));
        f()
    }

    /// Runs a job of this scope and counts it off.
    fn run(&self, token: Option<CancelToken>, job: impl FnOnce()) {
        let worker = Worker::seated();
        if token.as_ref().is_some_and(CancelToken::is_cancelled) {
            self.cut.store(true, Ordering::Relaxed);
            unwind::drop_quietly(job);
        } else if let Err(payload) = unwind::halt(|| self.innermost(worker, job)) {
            if cancel::is_unwinding(&payload) {
                self.cut.store(true, Ordering::Relaxed);
            } else {
                self.keep(payload);
            }
        }
        drop(token);
        self.count(Some(worker.seat), -1);
    }

    fn keep(&self, payload: Payload) {
        let mut first = lock(&self.panic);
        if first.is_none() {
            *first = Some(payload);
        } else {
            drop(first);
            unwind::drop_quietly(payload);
        }
    }

    /// Counts jobs that were spawned, or that are over if negative.
    fn count(&self, seat: Option<&Seat>, jobs: i64) {
        let opener = seat.is_some_and(|seat| ptr::eq(seat, self.opener));
        match opener.then(|| self.own.get()).flatten() {
            Some(own) => self.own.set(Some(own + jobs)),
            None => self.settle(jobs),
        }
    }

    fn settle(&self, jobs: i64) {
        // ORDERING(scope): Release publishes what the jobs did, Acquire collects it for the latch.
        if self.pending.fetch_add(jobs, Ordering::AcqRel) == -jobs {
            // SAFETY: the count comes to zero once, after the opener's account is in it and with the last job;
            // the waiter is there until then.
            unsafe { Latch::set(&self.done) };
        }
    }

    /// Is this scope the innermost thing that is open on this seat?
    fn is_innermost(&self, seat: &Seat) -> bool {
        ptr::eq(seat.owner.scope.get(), self.family()) && seat.owner.scope_depth.get() == seat.deque.depth()
    }

    /// May this scope's jobs go on this seat's line? Then nothing is private there.
    fn may_line(&self, seat: &Seat) -> bool {
        !self.fifo && self.is_innermost(seat)
    }

    /// Puts a job into the queue, and a ticket for it where somebody will find it.
    fn publish(&self, job: JobRef) {
        let worker = Worker::current();
        let on_line = worker.filter(|worker| self.is_innermost(worker.seat));
        // SAFETY: the hall outlives the scope, and we hold the scope.
        let hall = unsafe { &*self.hall };
        hall.assert_same_process();
        let queue = self.queue.get_or_init(|| Arc::new(Inbox::new()));
        queue.push(job);
        let queue = Arc::clone(queue);
        let ticket = move |_: Stamp| {
            if let (Some(job), Some(worker)) = (queue.take(), Worker::current()) {
                // SAFETY: taken out of a queue just now.
                unsafe { worker.run(job) };
            }
        };
        let family = if on_line.is_some() { self.family() } else { ptr::null() };
        // SAFETY: the ticket owns its part of the queue; jobs in the queue are counted, so while there is one
        // the scope is there.
        let ticket = unsafe { HeapJob::boxed(ticket, Stamp { family, token: ptr::null() }) };
        match (on_line, worker) {
            (Some(worker), _) => worker.push_public(ticket),
            (None, Some(worker)) if ptr::eq(worker.hall, hall) => worker.push_loose(Priority::Normal, ticket),
            _ => {
                hall.inboxes[0].push(Priority::Normal, ticket);
                hall.call(None);
            }
        }
        self.waiter.unpark();
    }

    /// The body is over: runs what is left, and waits for what others run.
    fn finish(&self, worker: Worker<'_>) {
        let from_queue = || self.queue.get().and_then(|queue| queue.take());
        loop {
            self.drain_line(worker);
            match from_queue() {
                // SAFETY: taken just now.
                Some(job) => unsafe { worker.run(job) },
                None => break,
            }
        }
        let own = self.own.take().unwrap_or(0);
        self.settle(own - OPEN);
        worker.wait(&self.done, |worker, hard| {
            from_queue().or_else(|| rob_family(self.family())(worker, hard))
        });
        // Tickets that nobody drew.
        self.drain_line(worker);
    }

    /// Runs this scope's jobs and tickets that are on its opener's line: the youngest ones there.
    fn drain_line(&self, worker: Worker<'_>) {
        let deque = &worker.seat.deque;
        while let Some(job) = deque.pop_public() {
            // SAFETY: jobs in queues are stamped, and this one has not run.
            if !ptr::eq(unsafe { job.stamped() }.family, self.family()) {
                // It belongs to what is open around us. Whoever looked while we had it may have gone to sleep.
                worker.push_on_line(job);
                break;
            }
            // SAFETY: popped just now.
            unsafe { worker.run_here(job) };
        }
    }
}
