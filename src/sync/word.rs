//! The places in which a lock keeps its [`State`]: four bytes, or eight that say who the owner is.
//!
//! A word is also where waiters sleep, in one of two [`Bed`]s, so that the one that is next can be called alone.

use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Instant;

use crate::prim::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::help;
use crate::sync::identity::Identity;
use crate::sync::state::State;
use crate::sys::futex;

/// Which of the two beds of a word somebody sleeps in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bed {
    /// All waiters but one. It is the bed of plain waits on futexes too, so those that a condition moves to a lock's
    /// word lie here.
    Common,
    /// The heir.
    Heir,
}

impl Bed {
    pub(crate) const fn bits(self) -> NonZeroU32 {
        match self {
            Bed::Common => futex::ANYONE,
            Bed::Heir => NonZeroU32::new(2).unwrap(),
        }
    }
}

/// A place for a [`State`].
pub(crate) trait Word: Sized + Send + Sync + 'static {
    /// Does it say who the owner is, and can an owner die while others go on?
    const MORTAL: bool;
    /// Can it say who the owner is?
    const NAMED: bool;

    /// The value of a new one.
    #[cfg(not(loom))]
    const FREE: Self;
    #[cfg(loom)]
    fn free() -> Self;

    /// The calling thread as an owner.
    fn me() -> State;

    /// The same if that has been asked for before, else what is equal to no owner.
    fn known() -> State;

    /// What a guard keeps of the name that it locked under.
    type Holder: Copy + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static;

    /// The same, of a caller that has locked as `me`.
    fn holder(me: State) -> Self::Holder;

    /// The caller's name, if it is `holder`'s; `None` if the guard was copied by a fork. See [`Identity::still`].
    fn still(holder: Self::Holder) -> Option<State>;

    /// Has this owner died?
    fn is_dead(owner: State) -> bool;

    fn load(&self, ordering: Ordering) -> State;

    /// Forgets whatever was there. For a word that nobody else uses.
    fn reset(&self);

    /// Puts `new` in the place of `old`; the state that is there if that is another.
    fn replace(&self, old: State, new: State, ordering: Ordering) -> Result<(), State>;

    /// Takes the owner out of the word, which is `me`, and leaves the flags; were there any? Only where nobody takes a lock
    /// from its owner.
    fn leave(&self, me: State, ordering: Ordering) -> bool;

    /// Sleeps while the word is as `seen`; false if the time was up. May return early for no reason.
    fn sleep(&self, seen: State, deadline: Option<Instant>, bed: Bed) -> bool;

    /// Calls up to `n` sleepers.
    fn wake(&self, n: u32, bed: Bed);

    /// Moves all who sleep on `from` to this word's common bed, if `*from == seen`; says how many, or `None` if it is
    /// not. For conditions, whose sleepers have this lock to come back to.
    fn adopt(&self, from: &AtomicU32, seen: u32) -> Option<usize>;
}

/// Four bytes that say that a lock is locked, not by whom.
#[repr(transparent)]
pub(crate) struct Plain<const SHARED: bool>(AtomicU32);

impl<const SHARED: bool> Word for Plain<SHARED> {
    const MORTAL: bool = false;
    const NAMED: bool = false;

    #[cfg(not(loom))]
    #[allow(clippy::declare_interior_mutable_const, reason = "a value to start from")]
    const FREE: Self = Plain(AtomicU32::new(0));
    #[cfg(loom)]
    fn free() -> Self {
        Plain(AtomicU32::new(0))
    }

    #[inline(always)]
    fn me() -> State {
        State::LOCKED
    }

    #[inline(always)]
    fn known() -> State {
        State::LOCKED
    }

    type Holder = ();

    #[inline(always)]
    fn holder(_: State) {}

    #[inline(always)]
    fn still((): ()) -> Option<State> {
        Some(State::LOCKED)
    }

    fn is_dead(_: State) -> bool {
        false
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    #[inline(always)]
    fn load(&self, ordering: Ordering) -> State {
        State::from_low(self.0.load(ordering))
    }

    #[inline(always)]
    fn replace(&self, old: State, new: State, ordering: Ordering) -> Result<(), State> {
        let done = self.0.compare_exchange(old.low(), new.low(), ordering, Ordering::Relaxed);
        done.map(drop).map_err(State::from_low)
    }

    #[inline(always)]
    fn leave(&self, me: State, ordering: Ordering) -> bool {
        self.0.fetch_sub(me.low(), ordering) != me.low()
    }

    fn sleep(&self, seen: State, deadline: Option<Instant>, bed: Bed) -> bool {
        help::asleep(|| futex::wait_as(&self.0, seen.low(), deadline, SHARED, bed.bits()))
    }

    fn wake(&self, n: u32, bed: Bed) {
        futex::wake_as(&self.0, n, SHARED, bed.bits());
    }

    fn adopt(&self, from: &AtomicU32, seen: u32) -> Option<usize> {
        futex::cmp_requeue(from, seen, 0, &self.0, futex::ALL, SHARED)
    }
}

/// Eight bytes that say who holds a lock.
#[repr(transparent)]
pub(crate) struct Owned<I, const SHARED: bool>(AtomicU64, PhantomData<I>);

impl<I: Identity, const SHARED: bool> Word for Owned<I, SHARED> {
    const MORTAL: bool = I::MORTAL;
    const NAMED: bool = true;

    #[cfg(not(loom))]
    #[allow(clippy::declare_interior_mutable_const, reason = "a value to start from")]
    const FREE: Self = Owned(AtomicU64::new(0), PhantomData);
    #[cfg(loom)]
    fn free() -> Self {
        Owned(AtomicU64::new(0), PhantomData)
    }

    #[inline(always)]
    fn me() -> State {
        I::me()
    }

    #[inline(always)]
    fn known() -> State {
        I::known()
    }

    type Holder = I::Holder;

    #[inline(always)]
    fn holder(me: State) -> I::Holder {
        I::holder(me)
    }

    #[inline(always)]
    fn still(holder: I::Holder) -> Option<State> {
        I::still(holder)
    }

    fn is_dead(owner: State) -> bool {
        I::is_dead(owner)
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    #[inline(always)]
    fn load(&self, ordering: Ordering) -> State {
        State::from_bits(self.0.load(ordering))
    }

    #[inline(always)]
    fn replace(&self, old: State, new: State, ordering: Ordering) -> Result<(), State> {
        self.0
            .compare_exchange(old.bits(), new.bits(), ordering, Ordering::Relaxed)
            .map(drop)
            .map_err(State::from_bits)
    }

    #[inline(always)]
    fn leave(&self, me: State, ordering: Ordering) -> bool {
        self.0.fetch_sub(me.bits(), ordering) != me.bits()
    }

    fn sleep(&self, seen: State, deadline: Option<Instant>, bed: Bed) -> bool {
        help::asleep(|| futex::wait_low(&self.0, seen.low(), deadline, SHARED, bed.bits()))
    }

    fn wake(&self, n: u32, bed: Bed) {
        futex::wake_low(&self.0, n, SHARED, bed.bits());
    }

    fn adopt(&self, from: &AtomicU32, seen: u32) -> Option<usize> {
        futex::cmp_requeue_low(from, seen, &self.0, SHARED)
    }
}
