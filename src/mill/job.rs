//! Jobs: what a worker runs.
//!
//! A job is a [`Header`] with a closure behind it, on the stack of whoever waits for it ([`StackJob`]) or on
//! the heap ([`HeapJob`]). Queues hold [`JobRef`]s, single pointers to headers.
//!
//! Who may touch which field when:
//!
//! - `run` is written when the job is made and only read after.
//! - `family`, `token`, `latch` and `runner` are written by the owner in [`JobRef::stamp`], just before the job
//!   becomes visible to others; a job that never leaves its owner's private part never pays for them.
//! - After that, whoever takes the job out of a queue (one thread, the queue sees to it) owns the closure; it
//!   writes `runner` first, the result next and `latch` last, and touches nothing once the latch is set.
//! - The owner reads `runner` and `latch` at any time, the result once the latch is set.

#![allow(unsafe_code, reason = "jobs are closures behind untyped pointers")]

use std::cell::UnsafeCell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;

use crate::mill::latch::Latch;
use crate::prim::atomic::{AtomicPtr, Ordering};
use crate::unwind::{self, Payload};

/// The part of a job that queues, thieves and waiters see.
#[repr(C)]
pub(crate) struct Header {
    run: unsafe fn(*const Header),
    stamp: UnsafeCell<MaybeUninit<Stamp>>,
}

/// What a job carries once others can see it.
struct Stamp {
    /// Identifies what waits for this job; null if nothing does.
    family: *const (),
    /// The cancel token the job runs under, null for none; alive for as long as the job is.
    token: *const (),
    /// The deque of whoever runs the job, null until somebody has started it.
    runner: AtomicPtr<()>,
    latch: Latch,
}

/// A job in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct JobRef(*const Header);

// SAFETY: a `JobRef` is made only from jobs whose closure and result may go to another thread (the
// constructors of `StackJob` and `HeapJob` and the loops demand `Send`), and exactly one thread runs it.
unsafe impl Send for JobRef {}

impl Header {
    #[inline(always)]
    pub(crate) const fn new(run: unsafe fn(*const Header)) -> Self {
        Header { run, stamp: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The latch that is set when the job is done.
    ///
    /// # Safety
    ///
    /// The job has been stamped.
    pub(crate) unsafe fn latch(&self) -> &Latch {
        // SAFETY: stamped, says the caller; nobody writes the stamp again but through its atomics.
        unsafe { &(*self.stamp.get()).assume_init_ref().latch }
    }

    /// The deque of whoever runs the job; null if nobody has started it.
    ///
    /// # Safety
    ///
    /// The job has been stamped.
    pub(crate) unsafe fn runner(&self) -> *const () {
        // SAFETY: as in `latch`.
        let stamp = unsafe { (*self.stamp.get()).assume_init_ref() };
        // ORDERING(runner): Acquire; pairs with the store in `JobRef::set_runner`.
        stamp.runner.load(Ordering::Acquire)
    }
}

impl JobRef {
    #[inline(always)]
    pub(crate) fn new(header: *const Header) -> Self {
        JobRef(header)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const Header {
        self.0
    }

    /// Readies the job to be seen by others.
    ///
    /// # Safety
    ///
    /// The header is alive, and no other thread has seen the job.
    pub(crate) unsafe fn stamp(self, family: *const (), token: *const ()) {
        let stamp = Stamp { family, token, runner: AtomicPtr::new(ptr::null_mut()), latch: Latch::new() };
        // SAFETY: alive and not shared, says the caller.
        unsafe { (*(*self.0).stamp.get()).write(stamp) };
    }

    /// What the job was stamped with: its family and its cancel token.
    ///
    /// # Safety
    ///
    /// The job has been stamped and has not run.
    pub(crate) unsafe fn stamped(self) -> (*const (), *const ()) {
        // SAFETY: as the caller says.
        let stamp = unsafe { (*(*self.0).stamp.get()).assume_init_ref() };
        (stamp.family, stamp.token)
    }

    /// Notes on whose deque the job is about to run, so that its waiter can rob that one.
    ///
    /// # Safety
    ///
    /// The job has been stamped and has not run.
    pub(crate) unsafe fn set_runner(self, deque: *const ()) {
        // SAFETY: as the caller says.
        let stamp = unsafe { (*(*self.0).stamp.get()).assume_init_ref() };
        // ORDERING(runner): Release; pairs with the load in `Header::runner`.
        stamp.runner.store(deque.cast_mut(), Ordering::Release);
    }

    /// Runs the job.
    ///
    /// # Safety
    ///
    /// The caller took the job out of a queue, so that nobody else runs it, and does not use it again: it may
    /// be gone before this returns.
    #[inline]
    pub(crate) unsafe fn run(self) {
        // SAFETY: the header is alive until the job has run.
        let run = unsafe { (*self.0).run };
        // SAFETY: `run` belongs to this header's job; only we run it, says the caller.
        unsafe { run(self.0) }
    }
}

/// A job on the stack of a thread that does not leave the frame until the job is done or was never seen.
#[repr(C)]
pub(crate) struct StackJob<F, R> {
    header: Header,
    closure: UnsafeCell<MaybeUninit<F>>,
    result: UnsafeCell<MaybeUninit<Result<R, Payload>>>,
}

impl<F, R> StackJob<F, R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    #[inline(always)]
    pub(crate) fn new(closure: F) -> Self {
        StackJob {
            header: Header::new(Self::run_stolen),
            closure: UnsafeCell::new(MaybeUninit::new(closure)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    #[inline(always)]
    pub(crate) fn job_ref(&self) -> JobRef {
        // The pointer to the first field of a `repr(C)` struct; the provenance of the whole.
        JobRef(ptr::from_ref(self).cast())
    }

    /// Takes the closure, to run it here or to drop it.
    ///
    /// # Safety
    ///
    /// Called once, and only if nobody else took the job out of a queue.
    #[inline(always)]
    pub(crate) unsafe fn take(&self) -> F {
        // SAFETY: the closure was put in by `new` and nobody has taken it, says the caller.
        unsafe { (*self.closure.get()).assume_init_read() }
    }

    /// The result of a job that somebody else ran.
    ///
    /// # Safety
    ///
    /// Called once, after the latch was seen set.
    pub(crate) unsafe fn result(&self) -> Result<R, Payload> {
        // SAFETY: the runner wrote the result before it set the latch, and nobody has taken it.
        unsafe { (*self.result.get()).assume_init_read() }
    }

    unsafe fn run_stolen(header: *const Header) {
        // SAFETY: `header` is the first field of a `StackJob<F, R>`: only `new` pairs the two.
        let job = unsafe { &*header.cast::<Self>() };
        // SAFETY: whoever calls `run` took the job out of a queue.
        let closure = unsafe { job.take() };
        let result = unwind::halt(closure);
        // SAFETY: the owner reads the result only after the latch is set, below.
        unsafe { (*job.result.get()).write(result) };
        // SAFETY: jobs are stamped before they can be taken.
        let latch: *const Latch = unsafe { job.header.latch() };
        // SAFETY: the latch is alive until it is set: the owner waits for that.
        unsafe { Latch::set(latch) };
    }
}

/// A job in a box of its own, which frees itself.
#[repr(C)]
pub(crate) struct HeapJob<F> {
    header: Header,
    closure: ManuallyDrop<F>,
}

impl<F> HeapJob<F>
where
    F: FnOnce() + Send,
{
    /// Boxes `closure`, which must not panic, and stamps it.
    ///
    /// # Safety
    ///
    /// All that `closure` borrows and `token` are alive until it has run, and it is run or leaked.
    pub(crate) unsafe fn boxed(closure: F, family: *const (), token: *const ()) -> JobRef {
        let job =
            Box::new(HeapJob { header: Header::new(Self::run_boxed), closure: ManuallyDrop::new(closure) });
        let job = JobRef(Box::into_raw(job).cast());
        // SAFETY: nobody else has seen the job.
        unsafe { job.stamp(family, token) };
        job
    }

    unsafe fn run_boxed(header: *const Header) {
        // SAFETY: `header` is the first field of a `HeapJob<F>` out of `Box::into_raw`, and only we run it.
        let mut job = unsafe { Box::from_raw(header.cast_mut().cast::<Self>()) };
        // SAFETY: the box is dropped without the closure, so it is taken once.
        let closure = unsafe { ManuallyDrop::take(&mut job.closure) };
        // Freed first: the closure is often the last thing that its waiter waits for.
        drop(job);
        closure();
    }
}
