//! A task: a job of the mill, the cell of a future, and the closure that leads from one to the other, in one allocation.
//!
//! [`Body`] is that allocation. It begins with a [`Head`], whose first field is the job's header, so that the mill can queue
//! it as it is. [`Task`] is the runner's side of it while no mill has it.
//!
//! Who may touch what when is said at the head of `future/state.rs`: whoever takes the state word out of PENDING has the
//! closure, the context, the token and the place in the pool's [room](super::room), and gives them up.
//!
//! A task can be in a queue and running elsewhere: a thread that waits for it may run it itself. What the queue holds is
//! then a husk; whoever draws it finds that he cannot claim it, and lets go.

#![allow(unsafe_code, reason = "one allocation that a queue, a runner and a future share")]

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::ptr::{self, NonNull};

use crate::concurrent::futures::panics;
use crate::concurrent::futures::post::{Order, Post};
use crate::contextvars::{Captured, capture};
use crate::future::cell::{Cell, Core, Handle, Kind};
use crate::future::cycle;
use crate::future::error::TaskError;
use crate::future::handle::Future;
use crate::mill::blocks;
use crate::mill::cancel::{self, CancelToken, Under};
use crate::mill::job::{Header, JobRef, Stamp};
use crate::mill::seat::{self, Seat};
use crate::mill::worker::Worker;
use crate::prim::atomic::{AtomicPtr, Ordering};
use crate::unwind::drop_quietly;

/// What all tasks begin with.
#[repr(C)]
pub(super) struct Head {
    header: Header,
    /// The pool's; null until the task is handed in, and for executors without. With a mark, if the task has a place in the
    /// pool's room that nobody has given back.
    post: AtomicPtr<Post>,
    /// The seat on which it runs; null if it does not, or on none.
    runner: AtomicPtr<Seat>,
}

impl Head {
    fn post(&self) -> Option<&'static Post> {
        // ORDERING(task-post): Acquire; pairs with the store in `Task::hand_over`.
        let post = self.post.load(Ordering::Acquire).map_addr(|address| address & !PLACE);
        // SAFETY: null or a post, and posts are never freed.
        unsafe { post.as_ref() }
    }

    /// Gives the task's place in the room back, if it has one still. The caller knows that the post is the task's own yet.
    #[inline]
    fn give_place_back(&self, post: &Post) {
        if post.room.is_limited() && self.take_mark() {
            post.room.leave();
        }
    }

    #[cold]
    fn take_mark(&self) -> bool {
        let post = self.post.load(Ordering::Relaxed);
        let without = post.map_addr(|address| address & !PLACE);
        // Once marked it is only ever unmarked.
        post != without
            && self.post.compare_exchange(post, without, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// Posts are aligned so that their addresses leave room for this mark.
const PLACE: usize = 1;

/// The whole; see the module.
#[repr(C)]
struct Body<W, T> {
    head: Head,
    cell: Cell<T>,
    rest: UnsafeCell<MaybeUninit<Rest<W>>>,
}

/// What is given up when the task starts or is cancelled.
struct Rest<W> {
    context: Captured,
    work: W,
}

/// By what the jobs that descend from a task are known: an address in its header that is not the header's own, which would
/// mean a job that one waiter waits for in a frame.
fn family_of(header: *const Header) -> *const () {
    header.wrapping_byte_add(size_of::<usize>()).cast()
}

impl<W, T> Body<W, T>
where
    W: FnOnce() -> Result<T, TaskError>,
{
    const KIND: Kind = Kind {
        free: Self::free,
        help: Self::help,
        cancel: Self::cancel,
        runner: Self::runner,
        family: |core| family_of(&raw const Self::at(core).head.header),
    };

    #[inline]
    fn new(work: W) -> NonNull<Self> {
        let body = blocks::put(Body {
            head: Head {
                header: Header::new(Self::run_drawn),
                post: AtomicPtr::new(ptr::null_mut()),
                runner: AtomicPtr::new(ptr::null_mut()),
            },
            cell: Cell::new(const { &Self::KIND }),
            rest: UnsafeCell::new(MaybeUninit::new(Rest { context: capture(), work })),
        });
        let job = JobRef::new(body.cast_const().cast());
        // SAFETY: just made; the token is retained until the task is taken out of PENDING.
        unsafe { job.stamp(Stamp { family: family_of(job.as_ptr()), token: cancel::retain() }) };
        // SAFETY: out of `put`.
        unsafe { NonNull::new_unchecked(body) }
    }

    /// The body that a core is in.
    fn of(core: NonNull<Core>) -> NonNull<Self> {
        // SAFETY: this kind's cores are in bodies, at this offset, and their pointers have the provenance of the whole.
        unsafe { core.byte_sub(offset_of!(Self, cell)) }.cast()
    }

    /// The same, while it is held.
    fn at<'a>(core: Handle<'a>) -> &'a Self {
        // SAFETY: a body lives as long as its core.
        unsafe { Self::of(core.as_ptr()).as_ref() }
    }

    /// Takes what belongs to whoever took the task out of PENDING.
    ///
    /// # Safety
    ///
    /// The caller did so, and calls this once.
    #[inline]
    unsafe fn rest(&self) -> (Rest<W>, Option<CancelToken>) {
        // SAFETY: put in by `new`, and taken once, says the caller.
        let rest = unsafe { (*self.rest.get()).assume_init_read() };
        // SAFETY: stamped in `new`.
        let token = unsafe { self.job().stamped() }.token;
        // SAFETY: retained in `new`, for whoever calls this.
        (rest, unsafe { cancel::release(token) })
    }

    fn job(&self) -> JobRef {
        JobRef::new(&raw const self.head.header)
    }

    /// A worker has drawn the task.
    ///
    /// # Safety
    ///
    /// As [`JobRef::run`].
    unsafe fn run_drawn(header: *const Header) {
        // SAFETY: not null; the header of a body.
        let body = unsafe { NonNull::new_unchecked(header.cast_mut().cast::<Self>()) };
        // SAFETY: held by the queue, until now.
        let order = unsafe { body.as_ref() }.head.post().map_or(Order::Run, Post::order);
        if order != Order::Run {
            // SAFETY: as the caller says.
            return unsafe { Self::dispose(body, order) };
        }
        // SAFETY: as the caller says.
        unsafe { Self::run(body) };
    }

    /// Runs the task, if nobody else does, and lets go.
    ///
    /// # Safety
    ///
    /// The caller is the runner's side, and does not touch the task again.
    #[inline]
    unsafe fn run(body: NonNull<Self>) {
        // SAFETY: held by the runner's side.
        let this = unsafe { body.as_ref() };
        if this.cell.core().word.claim() {
            // SAFETY: claimed, and held by the runner's side.
            unsafe { Self::execute(body, true) };
        } else {
            // It may have been cancelled before it had a place.
            if let Some(post) = this.head.post() {
                this.head.give_place_back(post);
            }
            // SAFETY: as the caller says.
            unsafe { Core::discard(Self::core_of(body)) };
        }
    }

    fn cell_of(body: NonNull<Self>) -> NonNull<Cell<T>> {
        // SAFETY: a field of what is alive; the pointer keeps the provenance of the whole.
        unsafe { NonNull::new_unchecked(&raw mut (*body.as_ptr()).cell) }
    }

    fn core_of(body: NonNull<Self>) -> NonNull<Core> {
        Cell::core_of(Self::cell_of(body))
    }

    /// Runs a task that was claimed.
    ///
    /// # Safety
    ///
    /// The caller claimed it and holds it; with `let_go` as the runner's side, which it is no more afterwards.
    #[inline]
    unsafe fn execute(body: NonNull<Self>, let_go: bool) {
        // SAFETY: held by the caller.
        let this = unsafe { body.as_ref() };
        // SAFETY: claimed by the caller.
        let (rest, token) = unsafe { this.rest() };
        if let Some(post) = this.head.post() {
            this.head.give_place_back(post);
        }
        // ORDERING(task-runner): Release; pairs with the load in `runner`.
        let seat = seat::current().map_or(ptr::null(), ptr::from_ref);
        this.head.runner.store(seat.cast_mut(), Ordering::Release);
        let outcome = if token.as_ref().is_some_and(CancelToken::is_cancelled) {
            drop_quietly(rest.work);
            drop_quietly(rest.context);
            Err(Box::new(TaskError::Cancelled))
        } else {
            let Rest { context, work } = rest;
            cycle::open(ptr::from_ref(this.cell.core()).cast(), || panics::caught(|| context.run(work)))
        };
        this.head.runner.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: claimed and held by the caller, who says whether it lets go.
        let finished = unsafe { Cell::finish(Self::cell_of(body), outcome, let_go) };
        debug_assert!(finished.is_ok(), "a task that was claimed is finished once");
        drop(token);
    }

    /// The pool has been told to cancel what has not started, or is broken.
    ///
    /// # Safety
    ///
    /// As [`run_drawn`](Self::run_drawn).
    #[cold]
    unsafe fn dispose(body: NonNull<Self>, order: Order) {
        // SAFETY: held by the queue.
        let this = unsafe { body.as_ref() };
        let (core, post) = (this.cell.core(), this.head.post());
        if let Some(post) = post {
            this.head.give_place_back(post);
        }
        // The worker works under the task's token, and callbacks run here: it is kept until they are over.
        let mut token = None;
        // SAFETY: called by whoever has taken the task out of PENDING.
        let mut drop_rest = || token = unsafe { this.drop_rest(None) };
        match (order, post) {
            (Order::Break, Some(post)) if core.word.claim() => {
                drop_rest();
                let broken = Err(Box::new(TaskError::Broken(post.breakage())));
                // SAFETY: claimed, and held by the runner's side, which lets go.
                let finished = unsafe { Cell::finish(Self::cell_of(body), broken, true) };
                debug_assert!(finished.is_ok(), "a task that was claimed is finished once");
                return drop(token);
            }
            (Order::Cancel, _) => {
                core.cancel(drop_rest);
            }
            _ => {}
        }
        // SAFETY: the runner's side.
        unsafe { Core::discard(Self::core_of(body)) };
        drop(token);
    }

    /// Drops the work, and makes room in the post, if that is known to be the task's own. Returns the token.
    ///
    /// # Safety
    ///
    /// As [`rest`](Self::rest).
    unsafe fn drop_rest(&self, post: Option<&Post>) -> Option<CancelToken> {
        // SAFETY: as the caller says.
        let (Rest { context, work }, token) = unsafe { self.rest() };
        if let Some(post) = post {
            self.head.give_place_back(post);
        }
        drop_quietly(work);
        drop_quietly(context);
        token
    }

    /// See [`Kind::cancel`].
    fn cancel(core: Handle<'_>) -> bool {
        let this = Self::at(core);
        // Before it is cancelled, so that the room which that makes is its own pool's. If there is no post yet, or no pin,
        // whoever draws the husk makes it.
        let post = this.head.post().filter(|post| post.room.is_limited());
        let pin = post.and_then(Post::pin);
        let post = if pin.is_some() { post } else { None };
        // SAFETY: called if the task was taken out of PENDING.
        core.cancel(|| drop(unsafe { this.drop_rest(post) }))
    }

    /// See [`Kind::help`].
    fn help(core: Handle<'_>) {
        let this = Self::at(core);
        let Some(post) = this.head.post() else { return };
        let worker = Worker::current();
        if worker.is_some_and(|worker| worker.is_deep()) {
            return;
        }
        let body = Self::of(core.as_ptr());
        let run_on = |worker: Worker<'_>| {
            if core.word.claim() {
                // SAFETY: stamped in `new`; claimed by us, so the token is there.
                let token = unsafe { this.job().stamped() }.token;
                // SAFETY: claimed; held, as the future is borrowed by whoever waits.
                worker.run_above(core.family(), token, || unsafe { Self::execute(body, false) });
            }
        };
        if let Some(worker) = worker.filter(|worker| post.is_at(ptr::from_ref(worker.hall).cast())) {
            // What the pool has been told to give up is not run any more; whoever draws it sees to that.
            if !post.strict_fifo.load(Ordering::Relaxed) && post.order() == Order::Run {
                run_on(worker);
            }
        } else if post.caller_runs.load(Ordering::Relaxed) {
            let Some(pin) = post.pin() else { return };
            if post.order() == Order::Run && pin.hall().is_same_process() {
                // If no slot is free, or the caller's stack is small, somebody else will run it.
                let _busy = pin.hall().visit(ptr::null(), || {
                    let visitor = Worker::seated();
                    if !visitor.is_deep() {
                        run_on(visitor);
                    }
                });
            }
        }
    }

    /// See [`Kind::runner`].
    fn runner(core: Handle<'_>, mill: *const ()) -> *const () {
        let head = &Self::at(core).head;
        match head.post() {
            // ORDERING(task-runner): Acquire; pairs with the store in `execute`.
            Some(post) if post.is_at(mill) => head.runner.load(Ordering::Acquire).cast_const().cast(),
            _ => ptr::null(),
        }
    }

    /// See [`Kind::free`].
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn free(core: NonNull<Core>) {
        let body = Self::of(core);
        // SAFETY: alive until below.
        let cell = unsafe { &body.as_ref().cell };
        // SAFETY: done, or it would be held; nobody else is left. Its drop may panic, and a worker must not.
        drop_quietly(unsafe { cell.take() });
        // SAFETY: out of `put`, and the work has been taken.
        unsafe { blocks::give_back(body.as_ptr()) };
    }
}

/// A closure and the runner's side of its future, on its way to an executor.
///
/// Executors get tasks by [`ErasedExecutor::execute`](super::ErasedExecutor::execute). One that is dropped is abandoned:
/// its future ends with [`TaskError::Abandoned`].
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::Task;
///
/// let (task, future) = Task::new(|| 6 * 7);
/// std::thread::spawn(move || task.run());
/// assert_eq!(future.result()?, 42);
/// # Ok::<(), gristmill::concurrent::futures::TaskError>(())
/// ```
#[must_use = "a task that is dropped is abandoned"]
pub struct Task {
    head: NonNull<Head>,
    abandon: unsafe fn(NonNull<Head>),
}

// SAFETY: the constructor asks for closures and results that may go to another thread.
unsafe impl Send for Task {}
// SAFETY: nothing is done through a shared reference.
unsafe impl Sync for Task {}

impl Task {
    /// A task that will run `work` in a copy of the calling thread's context, and under its cancel token, and the future of
    /// its result.
    #[inline]
    pub fn new<F, T>(work: F) -> (Task, Future<T>)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Task::failing(move || Ok(work()))
    }

    /// As [`new`](Self::new), for what may end in an error of tasks.
    #[inline]
    pub(super) fn failing<W, T>(work: W) -> (Task, Future<T>)
    where
        W: FnOnce() -> Result<T, TaskError> + Send + 'static,
        T: Send + 'static,
    {
        let body = Body::new(work);
        let task = Task { head: body.cast(), abandon: abandon::<W, T> };
        // SAFETY: a new cell is held by both sides.
        (task, unsafe { Future::of(Body::cell_of(body)) })
    }

    /// Runs the task in the calling thread, unless it was cancelled.
    pub fn run(self) {
        let job = self.into_job();
        // SAFETY: stamped by `Body::new`, and not run yet.
        let token = unsafe { job.stamped() }.token;
        // Of a task that is run, the token lives longer than its work and its callbacks; nobody asks for that of another.
        let _under = Under::enter(token);
        // SAFETY: stamped; we are the runner's side, and gone after this.
        unsafe { job.run() };
    }

    /// The task belongs to this post's pool from now on, and has a place in its room, if that is limited.
    #[inline]
    pub(super) fn assign(&self, post: &'static Post) {
        let mark = if post.room.is_limited() { PLACE } else { 0 };
        let marked = ptr::from_ref(post).cast_mut().map_addr(|address| address | mark);
        // ORDERING(task-post): Release; pairs with the load in `Head::post`.
        // SAFETY: alive, as we hold it.
        unsafe { self.head.as_ref() }.post.store(marked, Ordering::Release);
    }

    /// The pool did not take it after all: gives its place back.
    pub(super) fn unassign(&self, post: &Post) {
        // SAFETY: alive, as we hold it.
        unsafe { self.head.as_ref() }.give_place_back(post);
    }

    /// The job that runs the task, to be queued; whoever draws it is the runner's side.
    #[inline]
    pub(super) fn into_job(self) -> JobRef {
        JobRef::new(ManuallyDrop::new(self).head.as_ptr().cast_const().cast())
    }

    /// Is this job a task of the pool with this post?
    ///
    /// # Safety
    ///
    /// The job is stamped, and out of its queue.
    pub(super) unsafe fn is_of(job: JobRef, post: &'static Post) -> bool {
        // SAFETY: stamped, says the caller.
        let marked = ptr::eq(unsafe { job.stamped() }.family, family_of(job.as_ptr()));
        // SAFETY: only tasks are marked so, and they begin with a head.
        marked && unsafe { &*job.as_ptr().cast::<Head>() }.post().is_some_and(|own| ptr::eq(own, post))
    }
}

unsafe fn abandon<W, T>(head: NonNull<Head>)
where
    W: FnOnce() -> Result<T, TaskError>,
{
    let body = head.cast::<Body<W, T>>();
    // SAFETY: held by the runner's side.
    let this = unsafe { body.as_ref() };
    if this.cell.core().word.claim() {
        // SAFETY: claimed.
        let (rest, token) = unsafe { this.rest() };
        drop_quietly(rest.work);
        drop_quietly(rest.context);
        drop(token);
        let abandoned = Err(Box::new(TaskError::Abandoned));
        // SAFETY: claimed; the runner's side, which lets go.
        let finished = unsafe { Cell::finish(Body::cell_of(body), abandoned, true) };
        debug_assert!(finished.is_ok(), "a task that was claimed is finished once");
    } else {
        // SAFETY: the runner's side.
        unsafe { Core::discard(Body::core_of(body)) };
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // SAFETY: the function belongs to this head; we are the runner's side, and gone after this.
        unsafe { (self.abandon)(self.head) };
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}
