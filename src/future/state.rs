//! The state of a future, in one word.
//!
//! # The word
//!
//! | bits | what |
//! |---|---|
//! | 0..3 | the *phase* |
//! | `RUNNER` | the runner's side (an executor's queue and workers, or a promise) holds the cell |
//! | `HOLDER` | the future holds the cell |
//! | `LOCKED` | somebody changes the list |
//! | the rest | the *list* of listeners: who is to be told when the future is done; newest first |
//!
//! Listeners lie at multiples of [`ALIGN`], so the address of the first and all the flags share the word.
//!
//! # Phases
//!
//! ```text
//! PENDING ----> RUNNING ----> RETURNED | RAISED        (both are Python's FINISHED)
//!    |             `--------> NOTIFIED                 (its work was cut short by a cancel token)
//!    |----> RETURNED | RAISED                          (a promise that nobody started)
//!    `----> CANCELLED ------> NOTIFIED                 (the runner has seen it: Python's CANCELLED_AND_NOTIFIED)
//! ```
//!
//! No other moves. The first four ends are *done*, and a future is done once.
//!
//! # Who may touch what when
//!
//! - The *work* (a task's closure, its context) belongs to whoever moves the word out of PENDING: a runner by
//!   [`claim`](Word::claim), a canceller by [`cancel`](Word::cancel). Exactly one of them succeeds.
//! - The *outcome* belongs to whoever claimed, until [`finish`](Word::finish). From then on it belongs to the holder; to
//!   the runner, if the holder had let go before.
//! - The *list* is changed by [`push`](Word::push) and [`remove`](Word::remove), which lock the word unless the list is
//!   empty, and taken as a whole by whoever makes the future done. Done words have no list: it is too late to push, and
//!   who wants to remove finds that his listener is in the hands of whoever took it, and waits until that one has [told
//!   it](super::listener).
//! - The *cell* is freed by whoever of the two sides lets go last. A side lets go by taking its flag away; it does not
//!   touch the cell after that. `finish` and [`discard`](Word::discard) let go by the same exchange, so a task that nobody
//!   listens to costs two read-modify-writes on its word in its whole life, and its future none.
//!
//! # Races
//!
//! *Cancel against start*: both are an exchange from PENDING. *Result against registration*: a push exchanges the word
//! that it has seen not done, so either the finisher finds the listener on the list, or the push fails. *Drop of either
//! side*: whoever takes its flag away sees in the same exchange whether the other has gone; one of them sees it.
//! *Removal against result*: the remover holds the lock, and who finishes waits for it; or it finds the word done. The lock
//! is held for a few plain stores; who finds it taken spins and then yields.
//!
//! `models.rs` checks all of these.

#![allow(unsafe_code, reason = "listeners that are told by the pointer they were pushed with")]

use std::fmt;
use std::ptr;

use crate::future::ended::{Ended, FutureState};
use crate::future::listener::{ALIGN, Listener};
use crate::prim::atomic::{AtomicPtr, Ordering};
use crate::prim::{spin_loop, yield_now};

const PENDING: usize = 0;
const RUNNING: usize = 1;
const RETURNED: usize = 2;
const RAISED: usize = 3;
const CANCELLED: usize = 4;
const NOTIFIED: usize = 5;
const PHASE: usize = 7;

const RUNNER: usize = 8;
const HOLDER: usize = 16;
const LOCKED: usize = 32;
const FLAGS: usize = ALIGN - 1;

/// What the word said at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(*mut Listener);

impl Snapshot {
    fn bits(self) -> usize {
        self.0.addr()
    }

    fn phase(self) -> usize {
        self.bits() & PHASE
    }

    fn with_phase(self, phase: usize) -> Self {
        Snapshot(self.0.map_addr(|bits| bits & !PHASE | phase))
    }

    fn with(self, flag: usize) -> Self {
        Snapshot(self.0.map_addr(|bits| bits | flag))
    }

    fn without(self, flag: usize) -> Self {
        Snapshot(self.0.map_addr(|bits| bits & !flag))
    }

    fn list(self) -> *mut Listener {
        self.0.map_addr(|bits| bits & !FLAGS)
    }

    fn with_list(self, list: *mut Listener) -> Self {
        Snapshot(list.map_addr(|address| address | self.bits() & FLAGS))
    }

    fn is_locked(self) -> bool {
        self.bits() & LOCKED != 0
    }

    /// Has the runner's side let go?
    pub(crate) fn is_runner_gone(self) -> bool {
        self.bits() & RUNNER == 0
    }

    fn is_holder_gone(self) -> bool {
        self.bits() & HOLDER == 0
    }

    pub(crate) fn is_pending(self) -> bool {
        self.phase() == PENDING
    }

    /// Has it ended, in whichever way?
    pub(crate) fn is_done(self) -> bool {
        self.phase() >= RETURNED
    }

    pub(crate) fn state(self) -> FutureState {
        match self.phase() {
            PENDING => FutureState::Pending,
            RUNNING => FutureState::Running,
            CANCELLED => FutureState::Cancelled,
            NOTIFIED => FutureState::CancelledAndNotified,
            _ => FutureState::Finished,
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(self) -> Option<Ended> {
        match self.phase() {
            RETURNED => Some(Ended::Returned),
            RAISED => Some(Ended::Raised),
            CANCELLED | NOTIFIED => Some(Ended::Cancelled),
            _ => None,
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("state", &self.state())
            .field("runner", &!self.is_runner_gone())
            .field("holder", &!self.is_holder_gone())
            .field("listened_to", &!self.list().is_null())
            .finish()
    }
}

/// What a future that became done leaves to whoever made it so.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Who is to be told, newest first; may be null.
    pub(crate) list: *mut Listener,
    /// The caller has let go, and was the last: it frees the cell.
    pub(crate) last: bool,
    /// The caller has let go.
    pub(crate) let_go: bool,
}

/// The word; see the module.
///
/// # Memory ordering
///
/// What happened before `finish` is seen by whoever sees the future done. What either side did before it let go is seen
/// by whoever frees the cell.
#[derive(Debug)]
pub(crate) struct Word(AtomicPtr<Listener>);

impl Word {
    /// Pending, held by both sides.
    pub(crate) fn new() -> Self {
        Word(AtomicPtr::new(ptr::null_mut::<Listener>().map_addr(|_| PENDING | RUNNER | HOLDER)))
    }

    #[inline]
    pub(crate) fn load(&self) -> Snapshot {
        // ORDERING(future-done): Acquire; pairs with the exchange in `finish`.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Every exchange but those on the list: Release for `future-done` and `future-gone`, Acquire for the other ends.
    #[inline]
    fn swap(&self, now: Snapshot, new: Snapshot) -> Result<(), Snapshot> {
        let swapped = self.0.compare_exchange_weak(now.0, new.0, Ordering::AcqRel, Ordering::Acquire);
        swapped.map(drop).map_err(Snapshot)
    }

    /// Takes the work, to run it; false if it was taken or the future is done.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        let mut now = self.load();
        while now.is_pending() {
            match self.swap(now, now.with_phase(RUNNING)) {
                Ok(()) => return true,
                Err(changed) => now = changed,
            }
        }
        false
    }

    /// Takes the work, to drop it. `Ok` with the listeners if it was there.
    pub(crate) fn cancel(&self) -> Result<*mut Listener, Snapshot> {
        let mut now = self.unlocked(self.load());
        while now.is_pending() {
            // ORDERING(future-list): Acquire; pairs with the exchanges in `push` and `unlock`.
            match self.swap(now, now.with_list(ptr::null_mut()).with_phase(CANCELLED)) {
                Ok(()) => return Ok(now.list()),
                Err(changed) => now = self.unlocked(changed),
            }
        }
        Err(now)
    }

    /// The outcome is there, or, if `ended` says cancelled, there will be none. By whoever claimed, or, if nobody did, by a
    /// promise; then it may fail, if the future was cancelled. With `let_go` the runner's side lets go of the cell, unless
    /// there are listeners, who may have to be told about it.
    #[inline]
    pub(crate) fn finish(&self, ended: Ended, let_go: bool) -> Result<Finished, Snapshot> {
        let phase = match ended {
            Ended::Returned => RETURNED,
            Ended::Raised => RAISED,
            Ended::Cancelled => NOTIFIED,
        };
        let mut now = self.unlocked(self.load());
        while !now.is_done() {
            let list = now.list();
            let let_go = let_go && list.is_null();
            let new = now.with_list(ptr::null_mut()).with_phase(phase);
            // ORDERING(future-done): Release publishes the outcome; pairs with `load`.
            match self.swap(now, if let_go { new.without(RUNNER) } else { new }) {
                Ok(()) => return Ok(Finished { list, let_go, last: let_go && now.is_holder_gone() }),
                Err(changed) => now = self.unlocked(changed),
            }
        }
        Err(now)
    }

    /// The runner has come by and finds that the future was cancelled; false if it was not, or knew already.
    pub(crate) fn notify(&self) -> bool {
        let mut now = self.load();
        while now.phase() == CANCELLED {
            match self.swap(now, now.with_phase(NOTIFIED)) {
                Ok(()) => return true,
                Err(changed) => now = changed,
            }
        }
        false
    }

    /// The runner's side lets go of a task that it could not [claim](Self::claim): it was cancelled, or is run by another.
    /// True if it was the last.
    pub(crate) fn discard(&self) -> bool {
        let mut now = self.load();
        loop {
            let phase = if now.phase() == CANCELLED { NOTIFIED } else { now.phase() };
            // ORDERING(future-gone): AcqRel; the last one sees all that the other did.
            match self.swap(now, now.with_phase(phase).without(RUNNER)) {
                Ok(()) => return now.is_holder_gone(),
                Err(changed) => now = changed,
            }
        }
    }

    /// The future lets go; true if it was the last.
    #[inline]
    pub(crate) fn release_holder(&self) -> bool {
        let mut now = self.load();
        loop {
            if now.is_runner_gone() {
                // ORDERING(future-gone): the Acquire of the load sees all that the runner did. Nobody else is left.
                return true;
            }
            match self.swap(now, now.without(HOLDER)) {
                Ok(()) => return false,
                Err(changed) => now = changed,
            }
        }
    }

    // The list.

    /// Waits until nobody changes the list.
    #[inline]
    fn unlocked(&self, now: Snapshot) -> Snapshot {
        if now.is_locked() { self.await_unlocked() } else { now }
    }

    #[cold]
    fn await_unlocked(&self) -> Snapshot {
        let mut round = 0;
        loop {
            let now = self.load();
            if !now.is_locked() {
                return now;
            }
            // Whoever holds it does a handful of instructions; if it was preempted in them, let it run.
            if round < 64 && !cfg!(loom) {
                spin_loop()
            } else {
                yield_now()
            }
            round += 1;
        }
    }

    /// From now on `listener` is told when the future is done; false if it is done already.
    ///
    /// A listener that was pushed stays where it is until it is told or [removed](Self::remove).
    pub(crate) fn push(&self, listener: &Listener) -> bool {
        // SAFETY: borrowed.
        unsafe { self.push_at(ptr::from_ref(listener).cast_mut()) }
    }

    /// As [`push`](Self::push). Whoever is told gets `node`, a pointer to the listener by which more may be done than by a
    /// reference to it: to free it, or to reach what it is a part of.
    ///
    /// # Safety
    ///
    /// `node` is a listener, alive until it has been told or this says false.
    pub(crate) unsafe fn push_at(&self, node: *mut Listener) -> bool {
        let mut now = self.load();
        loop {
            now = self.unlocked(now);
            if now.is_done() {
                return false;
            }
            let first = now.list();
            // SAFETY: alive, as it has not been pushed. Once it is, it may go at any moment.
            unsafe { &*node }.link(first);
            if first.is_null() {
                // ORDERING(future-list): Release; pairs with whoever takes or locks the list.
                match self.swap(now, now.with_list(node)) {
                    Ok(()) => return true,
                    Err(changed) => now = changed,
                }
            } else {
                match self.swap(now, now.with(LOCKED)) {
                    Ok(()) => {
                        Listener::precede(first, node);
                        self.unlock(node);
                        return true;
                    }
                    Err(changed) => now = changed,
                }
            }
        }
    }

    /// Takes a pushed listener off the list; false if the future is done, and whoever made it so has the listener, or has
    /// told it.
    pub(crate) fn remove(&self, listener: &Listener) -> bool {
        let mut now = self.load();
        loop {
            now = self.unlocked(now);
            if now.is_done() {
                return false;
            }
            match self.swap(now, now.with(LOCKED)) {
                Ok(()) => break,
                Err(changed) => now = changed,
            }
        }
        let first = now.list();
        let next = listener.unlink();
        self.unlock(if ptr::eq(first, listener) { next } else { first });
        true
    }

    /// Lets the list go, which begins with `first` now. Meanwhile others may have claimed, or let go.
    fn unlock(&self, first: *mut Listener) {
        let mut now = self.load();
        // ORDERING(future-list): Release; pairs with whoever takes or locks the list.
        while let Err(changed) = self.swap(now, now.with_list(first).without(LOCKED)) {
            now = changed;
        }
    }
}
