//! `join`: two closures, maybe at the same time.

#![allow(unsafe_code, reason = "the second half waits in this frame while others may take it")]

use std::cell::Cell;
use std::ptr;

use crate::mill::cancel::{self, Under};
use crate::mill::global;
use crate::mill::job::StackJob;
use crate::mill::seat;
use crate::mill::split::{Slot, Split, Whereabouts};
use crate::mill::wait::rob_runner;
use crate::mill::worker::Worker;
use crate::unwind::{self, Held, Payload};

/// Runs both closures, maybe at the same time, and returns both results.
///
/// `a` runs on the calling thread. `b` waits in this thread's line meanwhile, where another worker may take
/// it; if none did, it runs here after `a`. So without idle workers a `join` is two calls and a handful of
/// plain instructions, and it pays to use it at every branch of a recursion.
///
/// While it waits for a `b` that was taken, this thread runs only jobs that `b` has split off, or sleeps: a
/// lock may be held across `join`. (Not so in a mill whose [spare threads](crate::MillBuilder::max_spares) are used up.) Outside of any mill the work runs in the [default mill](crate::Mill::global),
/// on the calling thread if one of the mill's slots is free.
///
/// Python's nearest relative is submitting one of two functions to an executor and calling the other.
///
/// # Examples
///
/// ```
/// fn fib(n: u32) -> u64 {
///     if n < 2 {
///         return n.into();
///     }
///     let (a, b) = gristmill::join(|| fib(n - 1), || fib(n - 2));
///     a + b
/// }
/// assert_eq!(fib(20), 6_765);
/// ```
///
/// # Panics
///
/// With the panic of `a`, or else of `b`, once neither runs any more. If `a` panics before `b` has started,
/// `b` is dropped without being run. Under a cancelled [token](crate::CancelToken) the call unwinds to the
/// token's `run`.
///
/// # Memory ordering
///
/// What happened before the call is seen by both closures, and what they did is seen after it.
#[inline(always)]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let deque = seat::current_deque();
    let slot = deque.top();
    if slot.is_null() {
        return join_first(a, b);
    }
    let b = Half::new(b, deque, slot);
    // SAFETY: the top, and not null.
    if unsafe { deque.push(slot, b.job.job_ref()) } {
        return join_slowly(a, &b);
    }
    finish(a, &b)
}

/// A join on no worker, or on one that never joined before.
#[cold]
#[inline(never)]
fn join_first<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let Some(worker) = Worker::current() else {
        return global::in_global(move || join(a, b));
    };
    worker.seat.deque.make_array();
    join(a, b)
}

/// The second half of a join, and where it was pushed.
///
/// Others may see this frame, so the compiler takes no copies of these in registers, which each call of a recursion would
/// have to save; and when `a` has ended they are known without looking at what `a` stored last.
#[repr(C)]
struct Half<B, RB> {
    job: StackJob<B, RB>,
    /// The deque of this thread: it sits on the same seat as long as this frame is open.
    deque: *const Split,
    /// Null once it is known that the job is not private any more.
    slot: Cell<Slot>,
}

impl<B, RB> Half<B, RB>
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    #[inline(always)]
    fn new(b: B, deque: &Split, slot: Slot) -> Self {
        Half { job: StackJob::new(b), deque, slot: Cell::new(slot) }
    }

    /// Takes the job out of the private part, if it is there and that can be told at once.
    #[inline(always)]
    fn pop(&self) -> bool {
        // SAFETY: the deque is part of the seat, which is kept as long as this thread sits on it.
        unsafe { &*self.deque }.pop(self.slot.get())
    }

    /// Takes the job out of the private part, if it is there; what its place is, is forgotten.
    fn take_private(&self, worker: Worker<'_>) -> bool {
        let slot = self.slot.replace(ptr::null_mut());
        let deque = &worker.seat.deque;
        !slot.is_null() && (deque.pop(slot) || deque.locate(slot) == Whereabouts::Back)
    }

    /// Takes the job back, if nobody has it yet.
    fn take_back(&self, worker: Worker<'_>) -> bool {
        if self.take_private(worker) {
            return true;
        }
        let popped = worker.seat.deque.pop_public();
        debug_assert!(
            popped.is_none_or(|job| job == self.job.job_ref()),
            "joins are closed in the order of a stack"
        );
        popped.is_some()
    }
}

/// A join that has pushed its second half, on a worker where somebody is hungry, the work is cancelled, or the private
/// part is full.
#[cold]
#[inline(never)]
fn join_slowly<A, B, RA, RB>(a: A, b: &Half<B, RB>) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let worker = Worker::seated();
    let token = worker.seat.token();
    if cancel::must_unwind(token) {
        unwind::drop_quietly(a);
        call_off(worker, b);
        cancel::unwind_now();
    }
    let in_drop = cancel::is_cancelled(token) && std::thread::panicking();
    if !in_drop && !worker.seat.deque.is_last(b.slot.get()) {
        worker.feed();
        // ORDERING(poke): the fence in `feed` stands between its mark that nobody is hungry and this look at the
        // token; pairs with the fence in `CancelToken::cancel`. Either we see the token cancelled here, or we are
        // marked hungry after all and look on the next push.
        if cancel::is_cancelled(token) {
            worker.seat.deque.mark_hungry();
        }
        return finish(a, b);
    }
    if b.take_private(worker) {
        if in_drop {
            return join_in_drop(a, b);
        }
        // SAFETY: `b` lies in a frame that waits for it, and nobody else has it.
        unsafe { b.job.job_ref().stamp_waited(token) };
        worker.push_public(b.job.job_ref());
    }
    // This join does not show in how many are open, by which a scope around it knows whether its jobs may go on the line.
    let scope = worker.seat.owner.scope.replace(ptr::null());
    let ra = unwind::halt(a);
    worker.seat.owner.scope.set(scope);
    let ra = match ra {
        Ok(ra) => ra,
        Err(payload) => abandon(payload, b),
    };
    join_public(b, ra)
}

/// A join in a destructor, while this thread unwinds from cancelled work, with `b` taken back: another worker that ran it
/// under the token would unwind, and nobody can go on with that here.
#[cold]
#[inline(never)]
fn join_in_drop<A, B, RA, RB>(a: A, b: &Half<B, RB>) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let _under = Under::enter(ptr::null());
    // SAFETY: taken back, so nobody else has it.
    let b = unsafe { b.job.take() };
    join(a, b)
}

/// Runs `a`, and then `b`, which was pushed to the private part, or waits for it.
#[inline(always)]
fn finish<A, B, RA, RB>(a: A, b: &Half<B, RB>) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let ra = match unwind::halt(a) {
        Ok(ra) => ra,
        Err(payload) => abandon(payload, b),
    };
    if b.pop() {
        let ra = Held::new(ra);
        // SAFETY: it was still private, and is gone from there: nobody else can have it.
        let rb = unsafe { b.job.take() }();
        (ra.into_inner(), rb)
    } else {
        join_public(b, ra)
    }
}

/// Ends a join whose second half may not be private any more.
#[cold]
#[inline(never)]
fn join_public<B, RA, RB>(b: &Half<B, RB>, ra: RA) -> (RA, RB)
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let ra = Held::new(ra);
    let worker = Worker::seated();
    if b.take_back(worker) {
        // SAFETY: taken back, so nobody else has it.
        let rb = unsafe { b.job.take() }();
        return (ra.into_inner(), rb);
    }
    // SAFETY: it was public or seized, so it was stamped.
    worker.wait(unsafe { b.job.waited().latch() }, rob_runner(b.job.job_ref()));
    // SAFETY: the latch is set, and this is the only place to read the result.
    match unsafe { b.job.result() } {
        Ok(rb) => (ra.into_inner(), rb),
        Err(payload) => unwind::resume(payload),
    }
}

/// The first half panicked: makes sure that the second is over, or never begins, and goes on with the panic.
///
/// It does not return. That is hidden from the compiler: a caller with a way out that does not join the others
/// would have to save its registers before it knows whether it splits at all.
#[cold]
#[inline(never)]
fn abandon<B, RA, RB>(payload: Payload, b: &Half<B, RB>) -> RA
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    call_off(Worker::seated(), b);
    let resume: fn(Payload) -> RA = |payload| unwind::resume(payload);
    std::hint::black_box(resume)(payload)
}

/// Makes sure that the second half is over, or never begins, and drops it.
fn call_off<B, RB>(worker: Worker<'_>, b: &Half<B, RB>)
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    if b.take_back(worker) {
        // SAFETY: taken back, so nobody else has it.
        unwind::drop_quietly(unsafe { b.job.take() });
    } else {
        // SAFETY: it was public or seized, so it was stamped.
        worker.wait(unsafe { b.job.waited().latch() }, rob_runner(b.job.job_ref()));
        // SAFETY: the latch is set, and this is the only place to read the result.
        unwind::drop_quietly(unsafe { b.job.result() });
    }
}
