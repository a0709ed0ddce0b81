//! A lock that its owner may take again: the word says who that is, and beside it stands how often.
//!
//! The depth is the owner's alone; others never look at it. It is an atomic only because it lies in shared memory.
//! Who takes the lock from an owner that died starts at one.

use crate::prim::atomic::AtomicU32;
use crate::prim::atomic::Ordering::Relaxed;
use crate::sync::raw::{Died, Limit, Outcome, RawLock};
use crate::sync::scope::{Reach, Scope};
use crate::sync::state::State;
use crate::sync::word::Word;

/// Who calls does not hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotMine;

/// What a guard keeps of the owner.
pub(crate) type Holder<S> = <<S as Reach>::Owned as Word>::Holder;

#[repr(C)]
pub(crate) struct Nested<S: Scope> {
    raw: RawLock<S::Owned>,
    /// How often the owner has taken it; means nothing while there is none.
    depth: AtomicU32,
}

impl<S: Scope> Nested<S> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Nested { raw: RawLock::new(), depth: AtomicU32::new(0) }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Nested { raw: RawLock::new(), depth: AtomicU32::new(0) }
    }

    /// Nobody but this thread writes its name there, or takes it away while it lives.
    #[inline(always)]
    pub(crate) fn is_mine(&self) -> bool {
        self.raw.state().owner() == S::Owned::known()
    }

    pub(crate) fn is_locked(&self) -> bool {
        !self.raw.state().is_open()
    }

    /// Did the one before die with it?
    pub(crate) fn has_died(&self) -> bool {
        self.raw.state().has_died()
    }

    pub(crate) fn mark_consistent(&self) {
        self.raw.mark_consistent();
    }

    /// How often the calling thread has taken it.
    pub(crate) fn depth(&self) -> u32 {
        if self.is_mine() { self.depth.load(Relaxed) } else { 0 }
    }

    #[inline(always)]
    fn again(&self) -> Outcome {
        let depth = self.depth.load(Relaxed).checked_add(1);
        self.depth.store(depth.expect("a thread takes a lock at most 2^32 - 1 times"), Relaxed);
        Outcome::Taken
    }

    #[inline(always)]
    fn first(&self, outcome: Outcome, depth: u32) -> Outcome {
        if matches!(outcome, Outcome::Taken | Outcome::TakenFromDead) {
            self.depth.store(depth, Relaxed);
        }
        outcome
    }

    #[inline]
    pub(crate) fn lock(&self, limit: Limit) -> Outcome {
        if self.is_mine() { self.again() } else { self.first(self.raw.lock(limit), 1) }
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Outcome {
        if self.is_mine() { self.again() } else { self.first(self.raw.try_lock(), 1) }
    }

    /// Takes it if nobody has it, or this thread has; not from one that died.
    pub(crate) fn peek(&self) -> bool {
        if self.is_mine() {
            return self.again() == Outcome::Taken;
        }
        self.raw.take_free() && self.first(Outcome::Taken, 1) == Outcome::Taken
    }

    /// What a guard keeps of the owner, who calls.
    #[inline(always)]
    pub(crate) fn holder() -> Holder<S> {
        S::Owned::holder(S::Owned::known())
    }

    /// Is the caller whom a guard was made for, and not a forked child with a copy of it?
    #[inline(always)]
    pub(crate) fn is_still(&self, holder: Holder<S>) -> bool {
        S::Owned::still(holder).is_some()
    }

    /// As [`unlock`](Self::unlock), for a guard with this holder. A copy of one in a forked child gives nothing back.
    #[inline]
    pub(crate) fn unlock_held(&self, holder: Holder<S>, died: Died) {
        if let Some(me) = S::Owned::still(holder) {
            // Somebody may have given it back by hand.
            let _ = self.unlock_as(me, died);
        }
    }

    /// Gives back what was taken once; `died` counts when that was the last.
    #[inline]
    pub(crate) fn unlock(&self, died: Died) -> Result<(), NotMine> {
        self.unlock_as(S::Owned::known(), died)
    }

    #[inline(always)]
    fn unlock_as(&self, me: State, died: Died) -> Result<(), NotMine> {
        if self.raw.state().owner() != me {
            return Err(NotMine);
        }
        match self.depth.load(Relaxed) {
            // Whoever takes it next begins to count anew; a store would hold up what unlocks.
            1 => self.raw.unlock_own(me, died),
            depth => self.depth.store(depth - 1, Relaxed),
        }
        Ok(())
    }

    /// Gives it back however often it was taken, and says how often that was.
    pub(crate) fn unlock_all(&self) -> Result<u32, NotMine> {
        if !self.is_mine() {
            return Err(NotMine);
        }
        let depth = self.depth.load(Relaxed);
        self.raw.unlock(Died::Tell);
        Ok(depth)
    }

    /// Takes it as often as [`unlock_all`](Self::unlock_all) said.
    pub(crate) fn lock_all(&self, depth: u32) -> Outcome {
        self.first(self.raw.lock(Limit::Never), depth)
    }

    /// As if nobody had ever used it.
    pub(crate) fn reset(&self) {
        self.depth.store(0, Relaxed);
        self.raw.word().reset();
    }
}
