//! The cell that a future and its runner share: the state word, what is special to its kind, and the outcome.
//!
//! Whoever makes a cell puts it where he likes, often at the head or in the middle of something larger (a task with its
//! closure), and says by a [`Kind`] how to free that. All that does not need the type of the result works on the
//! [`Core`].

#![allow(unsafe_code, reason = "a cell that two sides share and the last one frees")]

use std::cell::UnsafeCell;
use std::marker::{PhantomData, PhantomPinned};
use std::ptr::NonNull;

use crate::future::ended::Ended;
use crate::future::error::TaskError;
use crate::future::listener::{self, Listener};
use crate::future::state::{Snapshot, Word};
use crate::unwind;

/// What came of a task. Errors are rare, and boxed to keep the cell small.
pub(crate) type Outcome<T> = Result<T, Box<TaskError>>;

/// What depends on who made the cell. Each function gets the core that it is called on.
pub(crate) struct Kind {
    /// Drops what is in the cell, and frees it.
    ///
    /// # Safety
    ///
    /// Both sides have let go; called once.
    pub(crate) free: unsafe fn(NonNull<Core>),
    /// Runs the task on the calling thread, which is about to wait for it, if it has not started and may be run there.
    pub(crate) help: fn(Handle<'_>),
    /// Takes the work and drops it; false if it was taken before. Must lead to [`Core::cancel`].
    pub(crate) cancel: fn(Handle<'_>) -> bool,
    /// The seat in `mill` on which the task runs; null if it does not, or elsewhere.
    pub(crate) runner: fn(Handle<'_>, mill: *const ()) -> *const (),
    /// What the jobs that descend from the task are known by.
    pub(crate) family: fn(Handle<'_>) -> *const (),
}

/// The part of a cell that does not depend on the result.
#[repr(C)]
pub struct Core {
    pub(crate) word: Word,
    kind: &'static Kind,
    pinned: PhantomPinned,
}

/// See the module.
#[repr(C)]
pub(crate) struct Cell<T> {
    core: Core,
    /// See the head of `state.rs` for whose it is.
    outcome: UnsafeCell<Option<Outcome<T>>>,
}

// SAFETY: the word says who may touch the outcome, one side at a time; it may be made on one thread and read on another
// (`Send`), and be read by several at once through a shared future (`Sync`), which is asked for there.
unsafe impl<T: Send> Sync for Cell<T> {}

impl Core {
    /// Tells everybody.
    ///
    /// # Safety
    ///
    /// `list` was just taken from this core's word, which then said how it `ended`.
    unsafe fn tell(list: *mut Listener, ended: Ended) {
        if !list.is_null() {
            // SAFETY: as the caller says.
            unsafe { listener::tell(list, ended) };
        }
    }

    pub(crate) fn load(&self) -> Snapshot {
        self.word.load()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.word.load().is_done()
    }

    /// Takes the work out of PENDING, tells those who wait, has `drop_work` drop it, and calls back; false if it was taken
    /// before. The caller holds the cell.
    pub(crate) fn cancel(&self, drop_work: impl FnOnce()) -> bool {
        let Ok(list) = self.word.cancel() else { return false };
        // Before the drop, which is a user's code and may itself wait for one of them.
        // SAFETY: taken just now.
        let calls = unsafe { listener::tell_waiters(list, Ended::Cancelled) };
        unwind::drop_quietly(Then(Some(drop_work)));
        calls.call(Ended::Cancelled);
        true
    }

    /// The runner's side lets go of a task that it may not run.
    ///
    /// # Safety
    ///
    /// The caller is the runner's side and does not touch the cell again.
    pub(crate) unsafe fn discard(this: NonNull<Core>) {
        // SAFETY: alive, as the caller holds it.
        if unsafe { this.as_ref() }.word.discard() {
            // SAFETY: the last one has let go.
            unsafe { Core::free(this) };
        }
    }

    /// The future lets go.
    ///
    /// # Safety
    ///
    /// The caller is the holder and does not touch the cell again.
    #[inline]
    pub(crate) unsafe fn release(this: NonNull<Core>) {
        // SAFETY: alive, as the caller holds it.
        if unsafe { this.as_ref() }.word.release_holder() {
            // SAFETY: the last one has let go.
            unsafe { Core::free(this) };
        }
    }

    /// # Safety
    ///
    /// Both sides have let go; called once.
    #[inline]
    unsafe fn free(this: NonNull<Core>) {
        // SAFETY: alive until this is over.
        let free = unsafe { this.as_ref() }.kind.free;
        // SAFETY: as the caller says.
        unsafe { free(this) };
    }
}

/// The core of a future that somebody has, with the provenance of all that it is a part of: what a future is, whatever its
/// result.
#[derive(Clone, Copy)]
pub struct Handle<'a>(NonNull<Core>, PhantomData<&'a Core>);

impl<'a> Handle<'a> {
    /// # Safety
    ///
    /// The cell is held for as long as the handle lives, and the pointer has the provenance of the whole allocation.
    #[inline]
    pub(crate) unsafe fn new(core: NonNull<Core>) -> Self {
        Handle(core, PhantomData)
    }

    pub(crate) fn as_ptr(self) -> NonNull<Core> {
        self.0
    }

    /// Tells futures apart.
    pub(crate) fn address(self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    /// The thread that calls is about to wait: runs the task there, if that is possible.
    #[inline]
    pub(crate) fn help(self) {
        if self.load().is_pending() {
            (self.kind.help)(self);
        }
    }

    /// See [`Kind::runner`].
    pub(crate) fn runner(self, mill: *const ()) -> *const () {
        (self.kind.runner)(self, mill)
    }

    /// See [`Kind::family`].
    pub(crate) fn family(self) -> *const () {
        (self.kind.family)(self)
    }

    /// For whoever waits: cancels, as Python's `Future.cancel` does. True if the future is cancelled now.
    pub(crate) fn try_cancel(self) -> bool {
        let now = self.load();
        match now.ended() {
            Some(ended) => ended == Ended::Cancelled,
            None => {
                now.is_pending() && (self.kind.cancel)(self) || self.load().ended() == Some(Ended::Cancelled)
            }
        }
    }
}

impl std::ops::Deref for Handle<'_> {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        // SAFETY: held, as `new` was told.
        unsafe { self.0.as_ref() }
    }
}

/// Calls its function when it is dropped.
struct Then<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Then<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}

impl<T> Cell<T> {
    /// A pending cell that both sides hold.
    #[inline]
    pub(crate) fn new(kind: &'static Kind) -> Self {
        let core = Core { word: Word::new(), kind, pinned: PhantomPinned };
        Cell { core, outcome: UnsafeCell::new(None) }
    }

    #[inline]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// A pointer to the core with the provenance of the whole cell, and of whatever that is a part of.
    #[inline]
    pub(crate) fn core_of(this: NonNull<Cell<T>>) -> NonNull<Core> {
        this.cast()
    }

    /// Leaves the outcome, makes the future done, and tells everybody. With `let_go` the runner's side lets go as well,
    /// and frees the cell if it was the last; a panic in the drop of the result then goes no further.
    ///
    /// # Safety
    ///
    /// The caller claimed the cell, or is its promise; it holds the cell, and does not touch it again if it says `let_go`.
    #[inline]
    pub(crate) unsafe fn finish(
        this: NonNull<Cell<T>>,
        outcome: Outcome<T>,
        let_go: bool,
    ) -> Result<(), Outcome<T>> {
        // SAFETY: held by the caller.
        let cell = unsafe { this.as_ref() };
        let ended = match &outcome {
            Ok(_) => Ended::Returned,
            Err(error) if matches!(**error, TaskError::Cancelled) => Ended::Cancelled,
            Err(_) => Ended::Raised,
        };
        // SAFETY: the outcome is the caller's until the word says that the future is done; a promise that loses against
        // `cancel` is still its only owner, since nobody reads the outcome of a cancelled future.
        unsafe { *cell.outcome.get() = Some(outcome) };
        let finished = match cell.core.word.finish(ended, let_go) {
            Ok(finished) => finished,
            Err(_) => {
                // SAFETY: as above.
                let outcome = unsafe { (*cell.outcome.get()).take() };
                return outcome.map_or(Ok(()), Err);
            }
        };
        if !finished.list.is_null() {
            // SAFETY: taken just now.
            unsafe { Core::tell(finished.list, ended) };
        }
        if finished.last {
            // SAFETY: both sides have let go.
            unsafe { Core::free(Self::core_of(this)) };
        } else if let_go && !finished.let_go {
            // SAFETY: the runner's side, which lets go now.
            unsafe { Core::discard(Self::core_of(this)) };
        }
        Ok(())
    }

    /// The outcome of a future that is done; `None` if it was taken, or if the future was cancelled.
    ///
    /// # Safety
    ///
    /// The future was seen done, and nobody takes the outcome while the reference lives.
    pub(crate) unsafe fn outcome(&self) -> Option<&Outcome<T>> {
        // SAFETY: done, so the outcome is the holder's, and only read.
        unsafe { (*self.outcome.get()).as_ref() }
    }

    /// Takes the outcome of a future that is done.
    ///
    /// # Safety
    ///
    /// The future was seen done; the caller is the holder, and has no reference to the outcome.
    #[inline]
    pub(crate) unsafe fn take(&self) -> Option<Outcome<T>> {
        // SAFETY: done, so the outcome is the holder's.
        unsafe { (*self.outcome.get()).take() }
    }
}
