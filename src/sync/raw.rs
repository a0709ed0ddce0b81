//! The protocol of a lock over a [`Word`]: take it if it is open, else spin, else sleep.
//!
//! Whoever finds the word free puts itself there, also past others that sleep: a lock that goes to a thread which runs
//! already is faster than one that waits for a thread to wake. Three rules go with that.
//!
//! **Nobody is forgotten.** Who is about to sleep sets `PARKED`, and sleeps only if the word has not changed since.
//! Who unlocks a word with `PARKED` clears it and calls one sleeper, which from then on owes the others a call: it
//! sets `PARKED` again when it takes the lock, when it lies down again, and when it gives up. So at any time somebody
//! owes a call, or nobody sleeps. There is never more than one on the way, so a crowd costs no crowd of wake-ups.
//!
//! **Nobody waits for good.** Who has been waiting for half a millisecond and is awake, while the lock is held, sets `HEIR` if
//! it is not set. From then on nobody else may take the lock: unlocking leaves `HEIR` there, so the word is not open. The
//! heir polls for a moment, which is all it takes if sections are short, and then sleeps in a bed of its own
//! (`HEIR_ASLEEP`), where the unlocker calls it. Only the heir clears `HEIR`: it takes the lock, or gives up.
//!
//! **Nobody waits for the dead** (where owners are mortal). A killed process may take with it the lock, a call that it
//! owed, or its being the heir. So there all sleeps are short; who wakes by itself looks whether the owner it last saw
//! is dead, and takes the lock from it, and takes a lock that was left for an heir that did not come. There may then
//! be two who believe that they are the heir: one takes the lock for the other, which sees the flag gone and is none.
//! The same goes for the child of a fork, where a lock that its one thread holds may be promised to a thread of the parent.
//!
//! # Memory ordering
//!
//! Unlocking (Release) happens before the taking (Acquire) that follows it. What a dead owner wrote is there too: the
//! kernel takes note of a death after the last store.

use std::time::{Duration, Instant};

use crate::prim::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::spin::Spin;
use crate::sync::state::State;
use crate::sync::word::{Bed, Word};
use crate::sys::fork;
use crate::sys::futex::{self, ALL};

/// How long others may come first.
#[cfg(not(loom))]
pub(crate) const STARVED: Duration = Duration::from_micros(500);

/// The moment from which a waiter is next, if it began to wait now.
#[cfg(not(loom))]
pub(crate) fn starved_at(now: Instant) -> Option<Instant> {
    Some(now + STARVED)
}

/// The moment at which one that goes to sleep now looks whether an owner lives.
#[cfg(not(loom))]
pub(crate) fn look_at(now: Instant, look: Duration) -> Option<Instant> {
    Some(now + look)
}

#[cfg(loom)]
pub(crate) use patience::{look_at, starved_at};

/// In models everybody starves at once and looks after owners all the time, or nobody ever does.
#[cfg(loom)]
pub(crate) mod patience {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    // All threads of a model are one of the system's.
    thread_local! { static ENDLESS: Cell<bool> = const { Cell::new(false) }; }

    #[cfg(test)]
    pub(crate) fn set_endless(endless: bool) {
        ENDLESS.set(endless);
    }

    pub(crate) fn starved_at(now: Instant) -> Option<Instant> {
        (!ENDLESS.get()).then_some(now)
    }

    pub(crate) fn look_at(now: Instant, _: Duration) -> Option<Instant> {
        starved_at(now)
    }
}

/// The shortest and the longest sleep between two looks at an owner that may have died. Fifty looks a second cost less
/// than a thousandth of a processor.
pub(crate) const LOOKS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// May the heir that a word promises the lock to be gone? Owners that are mortal, and in the child of a fork, which has
/// the words as they were and none of the other threads.
fn heirs_may_vanish<W: Word>() -> bool {
    W::MORTAL || (!cfg!(loom) && fork::generation() != 0)
}

/// What came of trying to take a lock.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken,
    /// From an owner that died.
    TakenFromDead,
    /// It is somebody else's.
    TimedOut,
    /// Nobody will have it any more.
    Lost,
}

impl Outcome {
    /// Of having put this state there.
    fn of(taken: State) -> Outcome {
        if taken.has_died() { Outcome::TakenFromDead } else { Outcome::Taken }
    }
}

/// What unlocking makes of a lock that came from an owner that died, if nobody has said since that all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Died {
    /// The next owner need not know.
    Forget,
    /// The next owner is told.
    Tell,
    /// There is no next owner.
    Lose,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    Never,
    At(Instant),
    After(Duration),
}

impl Limit {
    /// No time at all?
    pub(crate) fn is_poll(self) -> bool {
        matches!(self, Limit::After(Duration::ZERO))
    }

    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Limit::Never => None,
            Limit::At(deadline) => Some(deadline),
            Limit::After(timeout) => futex::deadline(timeout),
        }
    }
}

/// A lock without data.
#[repr(transparent)]
pub(crate) struct RawLock<W>(W);

/// One who waits.
struct Waiter {
    me: State,
    deadline: Option<Instant>,
    spin: Spin,
    /// It has slept here, or somebody put it here: it owes a call.
    owes: bool,
    /// From when on it is next; unknown until it first goes to sleep.
    starved: Option<Option<Instant>>,
    heir: bool,
    /// How long it sleeps before it looks at the owner.
    look: Duration,
}

impl<W: Word> RawLock<W> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        RawLock(W::FREE)
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        RawLock(W::free())
    }

    pub(crate) fn word(&self) -> &W {
        &self.0
    }

    /// A look that promises nothing for the moment after.
    #[inline]
    pub(crate) fn state(&self) -> State {
        self.0.load(Relaxed)
    }

    /// As [`state`](Self::state), for one who looks for the lock to be free, and then sees what its owners did.
    #[inline]
    pub(crate) fn state_acquire(&self) -> State {
        self.0.load(Acquire)
    }

    #[inline]
    pub(crate) fn take_free(&self) -> bool {
        // ORDERING(lock): Acquire; pairs with `unlock`.
        self.0.replace(State::FREE, W::me(), Acquire).is_ok()
    }

    /// Takes the lock, and waits for it as long as the limit allows.
    #[inline]
    pub(crate) fn lock(&self, limit: Limit) -> Outcome {
        if self.take_free() {
            return Outcome::Taken;
        }
        match limit {
            Limit::Never => self.wait_for_ever(),
            limit => self.wait(limit, false),
        }
    }

    /// As [`lock`](Self::lock), for a thread that was woken from this lock's word, where somebody else had put it: others
    /// may be there as well.
    pub(crate) fn lock_from_sleep(&self, limit: Limit) -> Outcome {
        self.wait(limit, true)
    }

    /// Takes the lock if that can be done at once.
    #[inline]
    pub(crate) fn try_lock(&self) -> Outcome {
        if self.take_free() { Outcome::Taken } else { self.try_again() }
    }

    #[cold]
    fn try_again(&self) -> Outcome {
        let mut state = self.state();
        loop {
            // A mortal heir may never come, and who only tries has no time to find out.
            let open = state.is_open() || (heirs_may_vanish::<W>() && !state.is_locked() && !state.is_lost());
            let new = if open {
                state.owned_by(W::me())
            } else if W::MORTAL && state.is_locked() && W::is_dead(state.owner()) {
                state.owned_by(W::me()).died().parked()
            } else {
                return if state.is_lost() { Outcome::Lost } else { Outcome::TimedOut };
            };
            // ORDERING(lock): Acquire; pairs with `unlock`.
            match self.0.replace(state, new, Acquire) {
                Ok(()) => return Outcome::of(new),
                Err(now) => state = now,
            }
        }
    }

    /// Without a limit, which the fast path would have to write down for it.
    #[cold]
    #[inline(never)]
    fn wait_for_ever(&self) -> Outcome {
        self.wait(Limit::Never, false)
    }

    #[cold]
    fn wait(&self, limit: Limit, owes: bool) -> Outcome {
        if limit.is_poll() && !owes {
            return self.try_again();
        }
        let deadline = limit.deadline();
        let spin = Spin::new();
        let mut waiter =
            Waiter { me: W::me(), deadline, spin, owes, starved: None, heir: false, look: LOOKS[0] };
        let mut state = self.state();
        loop {
            let seen = state;
            if let Some(outcome) = self.take(&mut state, &waiter) {
                return outcome;
            }
            if seen != state {
                continue;
            }
            if heirs_may_vanish::<W>() && waiter.heir && !state.has_heir() {
                waiter.heir = false;
            }
            if (waiter.heir || !state.is_parked()) && waiter.spin.turn() {
                state = self.state();
                continue;
            }
            let told = if waiter.heir { state.with_heir_asleep() } else { state.parked() };
            if told != state {
                if let Err(now) = self.0.replace(state, told, Relaxed) {
                    state = now;
                    continue;
                }
            }
            if let Some(outcome) = self.sleep(told, &mut waiter) {
                return outcome;
            }
            state = self.state();
        }
    }

    /// Takes the lock if it is open to this waiter. If it was open and another was faster, `state` is what is there now.
    #[inline]
    fn take(&self, state: &mut State, waiter: &Waiter) -> Option<Outcome> {
        if W::MORTAL && state.is_lost() {
            return Some(Outcome::Lost);
        }
        let mut new = state.owned_by(waiter.me);
        if waiter.heir {
            if state.is_locked() {
                return None;
            }
            new = new.without_heir();
        } else if !state.is_open() {
            return None;
        }
        if waiter.owes {
            new = new.parked();
        }
        // ORDERING(lock): Acquire; pairs with `unlock`.
        match self.0.replace(*state, new, Acquire) {
            Ok(()) => Some(Outcome::of(new)),
            Err(now) => {
                *state = now;
                None
            }
        }
    }

    /// Sleeps once, and does what is to be done after that.
    fn sleep(&self, seen: State, waiter: &mut Waiter) -> Option<Outcome> {
        let now = Instant::now();
        if !cfg!(loom) && waiter.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(self.give_up(waiter));
        }
        let starved = *waiter.starved.get_or_insert_with(|| starved_at(now));
        waiter.owes = true;
        let mut until = waiter.deadline;
        if heirs_may_vanish::<W>() {
            until = until.into_iter().chain(look_at(now, waiter.look)).min();
        }
        let bed = if waiter.heir { Bed::Heir } else { Bed::Common };
        let called = self.0.sleep(seen, until, bed);
        waiter.spin.reset();
        if !called {
            if heirs_may_vanish::<W>() {
                waiter.look = (waiter.look * 2).min(LOOKS[1]);
                if let Some(outcome) = self.outlive(seen, waiter) {
                    return Some(outcome);
                }
            }
            if waiter.deadline.is_some_and(|deadline| cfg!(loom) || Instant::now() >= deadline) {
                return Some(self.give_up(waiter));
            }
        }
        if !waiter.heir && starved.is_some_and(|starved| Instant::now() >= starved) {
            // Before anybody is an heir whom a forked child has not.
            #[cfg(not(loom))]
            fork::count();
            let state = self.state();
            waiter.heir = state.is_locked()
                && !state.has_heir()
                && self.0.replace(state, state.with_heir(), Relaxed).is_ok();
        }
        None
    }

    /// Takes the lock from an owner that died, or from an heir that does not come, if the word is still as `seen`.
    fn outlive(&self, seen: State, waiter: &Waiter) -> Option<Outcome> {
        let mut new = seen.owned_by(waiter.me).parked();
        if !seen.is_locked() || waiter.heir {
            new = new.without_heir();
        }
        if seen.is_locked() {
            if !W::is_dead(seen.owner()) {
                return None;
            }
            new = new.died();
        }
        // ORDERING(lock): Acquire; pairs with `unlock`.
        self.0.replace(seen, new, Acquire).is_ok().then_some(Outcome::of(new))
    }

    /// The time is up: takes the lock if that can be done at once, else leaves things as others need them.
    fn give_up(&self, waiter: &Waiter) -> Outcome {
        let mut state = self.state();
        loop {
            let seen = state;
            if let Some(outcome) = self.take(&mut state, waiter) {
                return outcome;
            }
            if seen != state {
                continue;
            }
            // What called it, if anything did, it owes the others.
            let mut left = state.parked();
            if waiter.heir {
                left = left.without_heir();
            }
            if left == state {
                return Outcome::TimedOut;
            }
            match self.0.replace(state, left, Relaxed) {
                Ok(()) => return Outcome::TimedOut,
                Err(now) => state = now,
            }
        }
    }

    /// Unlocks, if the caller holds the lock.
    #[inline]
    pub(crate) fn unlock(&self, died: Died) {
        self.unlock_as(W::me(), died);
    }

    /// As [`unlock`](Self::unlock), for a guard with this holder. A copy of one in a forked child unlocks nothing.
    #[inline]
    pub(crate) fn unlock_held(&self, holder: W::Holder, died: Died) {
        if let Some(me) = W::still(holder) {
            self.unlock_as(me, died);
        }
    }

    /// As [`unlock`](Self::unlock), by one that has its name at hand.
    #[inline]
    pub(crate) fn unlock_as(&self, me: State, died: Died) {
        if !W::NAMED {
            return self.unlock_own(me, died);
        }
        // ORDERING(lock): Release; pairs with the takings above.
        if let Err(state) = self.0.replace(me, State::FREE, Release) {
            self.unlock_seen(state, |state| state.owner() == me, died);
        }
    }

    /// As [`unlock_as`](Self::unlock_as), by one that is known to hold the lock.
    #[inline]
    pub(crate) fn unlock_own(&self, me: State, died: Died) {
        if W::MORTAL {
            return self.unlock_as(me, died);
        }
        // A little faster than to replace what is expected there.
        // ORDERING(lock): Release; pairs with the takings above.
        if self.0.leave(me, Release) {
            self.settle();
        }
    }

    /// Unlocks, whoever holds the lock; false if nobody does. The caller's name is `me`.
    #[inline]
    pub(crate) fn unlock_for_any(&self, me: State) -> bool {
        // ORDERING(lock): Release; pairs with the takings above.
        match self.0.replace(me, State::FREE, Release) {
            Ok(()) => true,
            Err(state) => self.unlock_seen(state, State::is_locked, Died::Forget),
        }
    }

    /// Calls whom an unlocking that left all flags in the word concerns. Others may have taken the lock since: then the
    /// flags that they found there are their affair.
    #[cold]
    fn settle(&self) {
        let mut state = self.state();
        while !state.is_locked() {
            if state.has_heir() {
                if state.heir_sleeps() {
                    self.0.wake(1, Bed::Heir);
                }
                return;
            }
            if !state.is_parked() {
                return;
            }
            match self.0.replace(state, state.unparked(), Relaxed) {
                Ok(()) => return self.0.wake(1, Bed::Common),
                Err(now) => state = now,
            }
        }
    }

    #[cold]
    fn unlock_seen(&self, mut state: State, may: impl Fn(State) -> bool, died: Died) -> bool {
        let lost = loop {
            if !may(state) {
                return false;
            }
            let lost = died == Died::Lose && state.has_died();
            let mut left = if state.has_heir() {
                state.owned_by(State::FREE).with_heir_awake()
            } else {
                state.owned_by(State::FREE).unparked()
            };
            if lost {
                left = State::LOST;
            } else if died == Died::Forget {
                left = left.consistent();
            }
            // ORDERING(lock): Release; pairs with the takings above.
            match self.0.replace(state, left, Release) {
                Ok(()) => break lost,
                Err(now) => state = now,
            }
        };
        if lost {
            self.0.wake(ALL, Bed::Heir);
            self.0.wake(ALL, Bed::Common);
        } else if state.has_heir() {
            if state.heir_sleeps() {
                self.0.wake(1, Bed::Heir);
            }
        } else if state.is_parked() {
            self.0.wake(1, Bed::Common);
        }
        true
    }

    /// The caller, who holds the lock, says that what a dead owner left is in order.
    pub(crate) fn mark_consistent(&self) {
        let mut state = self.state();
        while state.has_died() {
            match self.0.replace(state, state.consistent(), Relaxed) {
                Ok(()) => return,
                Err(now) => state = now,
            }
        }
    }

    /// Announces sleepers that are about to be put on this lock's word. False if it is not locked: then nobody would
    /// call them.
    pub(crate) fn expect_sleepers(&self) -> bool {
        let mut state = self.state();
        while state.is_locked() && !state.is_parked() {
            match self.0.replace(state, state.parked(), Relaxed) {
                Ok(()) => return true,
                Err(now) => state = now,
            }
        }
        state.is_locked()
    }
}
