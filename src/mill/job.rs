//! Jobs: what a worker runs.
//!
//! A job is a [`Header`] with a closure behind it, on the stack of whoever waits for it ([`StackJob`]) or on
//! the heap ([`HeapJob`]). Queues hold [`JobRef`]s, single pointers to headers.
//!
//! Who may touch which field when:
//!
//! - `run` is written when the job is made and only read after.
//! - `family` and `token`, and a stack job's `latch` and `runner`, are written by the owner in [`JobRef::stamp`] or
//!   [`JobRef::stamp_waited`], just before the job becomes visible to others; a job that never leaves its
//!   owner's private part never pays for them.
//! - After that, whoever takes the job out of a queue (one thread, the queue sees to it) owns the closure; it
//!   writes `runner` first, the result next and `latch` last, and touches nothing once the latch is set.
//! - The owner reads `runner` and `latch` at any time, the result once the latch is set.

#![allow(unsafe_code, reason = "jobs are closures behind untyped pointers")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;

use crate::mill::blocks;
use crate::mill::latch::Latch;
use crate::prim::atomic::{AtomicPtr, Ordering};
use crate::unwind::{self, Payload};

/// The part of a job that queues and thieves see.
#[repr(C)]
pub(crate) struct Header {
    run: unsafe fn(*const Header),
    stamp: UnsafeCell<MaybeUninit<Stamp>>,
}

/// What a job carries once others can see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// Identifies what waits for this job: the job itself if that is a `join`, else a scope or a loop; null if
    /// nothing does.
    pub(crate) family: *const (),
    /// The cancel token that the job runs under, null for none; alive for as long as the job is.
    pub(crate) token: *const (),
}

impl Header {
    #[inline(always)]
    pub(crate) const fn new(run: unsafe fn(*const Header)) -> Self {
        Header { run, stamp: UnsafeCell::new(MaybeUninit::uninit()) }
    }
}

/// What the waiter for a single job sees besides.
struct Wait {
    /// The seat of whoever runs the job, null until somebody has started it.
    runner: AtomicPtr<()>,
    latch: Latch,
}

/// The part of a stack job that does not depend on its closure.
#[repr(C)]
pub(crate) struct Waited {
    header: Header,
    wait: UnsafeCell<MaybeUninit<Wait>>,
}

impl Waited {
    /// The latch that is set when the job is done.
    ///
    /// # Safety
    ///
    /// The job has been stamped.
    pub(crate) unsafe fn latch(&self) -> &Latch {
        // SAFETY: stamped, says the caller; after that it is changed through its atomics only.
        &unsafe { (*self.wait.get()).assume_init_ref() }.latch
    }

    /// The seat of whoever runs the job; null if nobody has started it.
    ///
    /// # Safety
    ///
    /// The job has been stamped.
    pub(crate) unsafe fn runner(&self) -> *const () {
        // SAFETY: as in `latch`.
        let wait = unsafe { (*self.wait.get()).assume_init_ref() };
        // ORDERING(runner): Acquire; pairs with the store in `JobRef::started`.
        wait.runner.load(Ordering::Acquire)
    }
}

/// A job in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct JobRef(*const Header);

// SAFETY: a `JobRef` is made only from jobs whose closure and result may go to another thread (the
// constructors of `StackJob` and `HeapJob` and the loops demand `Send`), and exactly one thread runs it.
unsafe impl Send for JobRef {}

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
    pub(crate) unsafe fn stamp(self, stamp: Stamp) {
        // SAFETY: alive and not shared, says the caller.
        unsafe { (*(*self.0).stamp.get()).write(stamp) };
    }

    /// Readies a [`StackJob`] to be seen by others: it is a family of its own.
    ///
    /// # Safety
    ///
    /// As [`stamp`](Self::stamp), and the job is a stack job.
    pub(crate) unsafe fn stamp_waited(self, token: *const ()) {
        // SAFETY: as the caller says.
        unsafe { self.stamp(Stamp { family: self.0.cast(), token }) };
        let wait = Wait { runner: AtomicPtr::new(ptr::null_mut()), latch: Latch::new() };
        // SAFETY: a stack job begins with its `Waited`, and is not shared.
        unsafe { (*(*self.0.cast::<Waited>()).wait.get()).write(wait) };
    }

    /// What the job was stamped with.
    ///
    /// # Safety
    ///
    /// The job has been stamped and has not run.
    #[inline]
    pub(crate) unsafe fn stamped(self) -> Stamp {
        // SAFETY: as the caller says.
        unsafe { *(*(*self.0).stamp.get()).assume_init_ref() }
    }

    /// The job is about to run on the worker with this seat: if somebody waits for it alone, tells it whom to rob.
    ///
    /// # Safety
    ///
    /// The job has been stamped and has not run.
    pub(crate) unsafe fn started(self, seat: *const ()) {
        // SAFETY: as the caller says.
        if !ptr::eq(unsafe { self.stamped() }.family, self.0.cast()) {
            return;
        }
        // SAFETY: only stack jobs are families of their own, and `stamp_waited` made their `Wait`.
        let wait = unsafe { (*(*self.0.cast::<Waited>()).wait.get()).assume_init_ref() };
        // ORDERING(runner): Release; pairs with the load in `Waited::runner`.
        wait.runner.store(seat.cast_mut(), Ordering::Release);
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
    waited: Waited,
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
            waited: Waited {
                header: Header::new(Self::run_stolen),
                wait: UnsafeCell::new(MaybeUninit::uninit()),
            },
            closure: UnsafeCell::new(MaybeUninit::new(closure)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline(always)]
    pub(crate) fn waited(&self) -> &Waited {
        &self.waited
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
        // SAFETY: `header` is the beginning of a `StackJob<F, R>`: only `new` pairs the two.
        let job = unsafe { &*header.cast::<Self>() };
        // SAFETY: whoever calls `run` took the job out of a queue.
        let closure = unsafe { job.take() };
        let result = unwind::halt(closure);
        // SAFETY: the owner reads the result only after the latch is set, below.
        unsafe { (*job.result.get()).write(result) };
        // SAFETY: jobs are stamped before they can be taken.
        let latch: *const Latch = unsafe { job.waited.latch() };
        // SAFETY: the latch is alive until it is set: the owner waits for that.
        unsafe { Latch::set(latch) };
    }
}

/// A job in a box of its own, which frees itself. The closure gets the job's stamp.
#[repr(C)]
pub(crate) struct HeapJob<F> {
    header: Header,
    closure: F,
}

impl<F> HeapJob<F>
where
    F: FnOnce(Stamp) + Send,
{
    /// Boxes `closure`, which must not panic, and stamps it.
    ///
    /// # Safety
    ///
    /// All that `closure` borrows, and what the stamp points to, is alive until it has run, and it is run or
    /// leaked.
    pub(crate) unsafe fn boxed(closure: F, stamp: Stamp) -> JobRef {
        let job = blocks::put(HeapJob {
            header: Header { run: Self::run_boxed, stamp: UnsafeCell::new(MaybeUninit::new(stamp)) },
            closure,
        });
        JobRef(job.cast_const().cast())
    }

    unsafe fn run_boxed(header: *const Header) {
        // SAFETY: the job was stamped when it was made.
        let stamp = unsafe { JobRef(header).stamped() };
        // SAFETY: `header` is the beginning of a `HeapJob<F>` out of `blocks::put`, and only we run it. Its memory
        // is freed first: the closure is often the last thing that its waiter waits for.
        let job = unsafe { blocks::take(header.cast_mut().cast::<Self>()) };
        (job.closure)(stamp);
    }
}
