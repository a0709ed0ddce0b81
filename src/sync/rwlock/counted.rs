//! Many readers or one writer, in two words: for threads of one process.
//!
//! One word counts the readers and has these flags:
//!
//! | flag | means |
//! |---|---|
//! | `WRITER` | a writer has the lock |
//! | `NEXT` | whoever holds the gate waits for its turn: newcomers stay out |
//! | `NEXT_ASLEEP` | and it sleeps |
//! | `PARKED` | readers may sleep |
//!
//! A reader that finds neither `WRITER` nor `NEXT` counts itself; a writer that finds zero sets `WRITER`. That is all, as
//! long as nobody is in anybody's way.
//!
//! **Writers** that find something else queue at the *gate*, which is a plain lock. Whoever holds it sets `NEXT`, so that
//! no reader and no other writer comes in; when the last of those inside has left, it takes the lock and opens the
//! gate. It sleeps in a bed of its own, where the last one out calls it.
//!
//! **Readers** wait for the flags to go. Whoever takes the flags away, and leaves a lock that readers may have, calls them
//! all. If writers follow each other closely, there is never such a moment: a reader that has slept for half a
//! millisecond goes to the gate as well. There the lock's own fairness gives it its turn, and no writer can come between.
//! When it enters, it lets all other readers in.
//!
//! A wake of readers is a wake of all, so a reader that gives up owes nobody anything. One that gives up with the gate
//! takes its flags away first, and calls the readers that stayed out because of them.

use std::time::Instant;

use crate::prim::atomic::AtomicU32;
use crate::prim::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::help;
use crate::sync::raw::{Died, Limit, Outcome, RawLock, starved_at};
use crate::sync::rwlock::protocol::Protocol;
use crate::sync::spin::Spin;
use crate::sync::word::{Bed, Plain};
use crate::sys::futex;

/// What the word holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State(u32);

const NEXT: u32 = 1 << 28;
const WRITER: u32 = 1 << 29;
const NEXT_ASLEEP: u32 = 1 << 30;
const PARKED: u32 = 1 << 31;
const READERS: u32 = NEXT - 1;

impl State {
    const FREE: State = State(0);
    const WRITTEN: State = State(WRITER);

    fn readers(self) -> u32 {
        self.0 & READERS
    }

    fn has_writer(self) -> bool {
        self.0 & WRITER != 0
    }

    fn has_next(self) -> bool {
        self.0 & NEXT != 0
    }

    fn next_sleeps(self) -> bool {
        self.0 & NEXT_ASLEEP != 0
    }

    fn is_parked(self) -> bool {
        self.0 & PARKED != 0
    }

    /// May whoever comes read? The flags are above the count, and the two that are not looked at are never set without
    /// one of the others.
    #[inline(always)]
    fn is_readable(self) -> bool {
        self.0 < READERS
    }

    fn parked(self) -> State {
        State(self.0 | PARKED)
    }

    fn unparked(self) -> State {
        State(self.0 & !PARKED)
    }

    fn with_next(self) -> State {
        State(self.0 | NEXT)
    }

    fn without_next(self) -> State {
        State(self.0 & !(NEXT | NEXT_ASLEEP))
    }

    fn with_next_asleep(self) -> State {
        State(self.0 | NEXT_ASLEEP)
    }

    fn with_next_awake(self) -> State {
        State(self.0 & !NEXT_ASLEEP)
    }

    /// May whoever holds the gate have its turn?
    fn is_open_for(self, turn: Turn) -> bool {
        !self.has_writer() && if turn == Turn::Read { !self.is_full() } else { self.readers() == 0 }
    }

    /// There is room.
    #[inline(always)]
    fn with_reader(self) -> State {
        State(self.0 + 1)
    }

    fn is_full(self) -> bool {
        self.readers() == READERS
    }

    fn with_writer(self) -> State {
        State(self.0 | WRITER)
    }

    fn without_writer(self) -> State {
        State(self.0 & !WRITER)
    }
}

/// What whoever holds the gate waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Read,
    Write,
}

#[repr(C)]
pub(crate) struct Counted {
    gate: RawLock<Plain<false>>,
    word: AtomicU32,
}

impl Counted {
    #[inline]
    fn state(&self) -> State {
        State(self.word.load(Relaxed))
    }

    /// Puts `new` in the place of `old`; the state that is there if that is another.
    #[inline]
    fn replace(&self, old: State, new: State, ordering: crate::prim::atomic::Ordering) -> Result<(), State> {
        self.word.compare_exchange(old.0, new.0, ordering, Relaxed).map(drop).map_err(State)
    }

    fn sleep(&self, seen: State, deadline: Option<Instant>, bed: Bed) -> bool {
        help::asleep(|| futex::wait_as(&self.word, seen.0, deadline, false, bed.bits()))
    }

    fn wake_readers(&self) {
        futex::wake_as(&self.word, futex::ALL, false, Bed::Common.bits());
    }

    /// There is one at most.
    fn wake_next(&self) {
        futex::wake_as(&self.word, 1, false, Bed::Heir.bits());
    }

    #[cold]
    fn read_slowly(&self, limit: Limit) -> Outcome {
        if limit.is_poll() {
            return self.try_read().0;
        }
        let deadline = limit.deadline();
        let mut spin = Spin::new();
        let mut starved = None;
        let mut state = self.state();
        loop {
            if state.is_readable() {
                // ORDERING(rwlock): Acquire; pairs with the writers' unlocking.
                match self.replace(state, state.with_reader(), Acquire) {
                    Ok(()) => return Outcome::Taken,
                    Err(now) => state = now,
                }
                continue;
            }
            assert!(!state.is_full(), "at most 2^28 - 1 readers at the same time");
            if !state.is_parked() && spin.turn() {
                state = self.state();
                continue;
            }
            let told = state.parked();
            if told != state {
                if let Err(now) = self.replace(state, told, Relaxed) {
                    state = now;
                    continue;
                }
            }
            let starved = *starved.get_or_insert_with(|| starved_at(Instant::now()));
            let called = self.sleep(told, starved.into_iter().chain(deadline).min(), Bed::Common);
            spin.reset();
            state = self.state();
            if called || state.is_readable() {
                continue;
            }
            if deadline.is_none_or(|deadline| starved.is_some_and(|starved| starved < deadline)) {
                return self.through_the_gate(deadline, Turn::Read);
            }
            return Outcome::TimedOut;
        }
    }

    #[cold]
    fn write_slowly(&self, limit: Limit) -> Outcome {
        if limit.is_poll() {
            return Outcome::TimedOut;
        }
        let mut spin = Spin::new();
        // Who holds the gate must not be hurried; others may as well poll for a moment.
        while spin.turn() {
            let state = self.state();
            if state.has_next() || state.is_parked() {
                break;
            }
            // ORDERING(rwlock): Acquire; pairs with everybody's unlocking.
            if state == State::FREE && self.replace(State::FREE, State::WRITTEN, Acquire).is_ok() {
                return Outcome::Taken;
            }
        }
        self.through_the_gate(limit.deadline(), Turn::Write)
    }

    fn through_the_gate(&self, deadline: Option<Instant>, turn: Turn) -> Outcome {
        if self.gate.lock(deadline.map_or(Limit::Never, Limit::At)) != Outcome::Taken {
            return Outcome::TimedOut;
        }
        struct Gate<'a>(&'a RawLock<Plain<false>>);
        impl Drop for Gate<'_> {
            fn drop(&mut self) {
                self.0.unlock(Died::Forget);
            }
        }
        let _gate = Gate(&self.gate);
        self.take_turn(deadline, turn)
    }

    /// The caller holds the gate.
    fn take_turn(&self, deadline: Option<Instant>, turn: Turn) -> Outcome {
        let mut spin = Spin::new();
        let mut state = self.state();
        loop {
            if state.is_open_for(turn) {
                // Who stayed out because of us may come in with a reader, and has to wait for a writer.
                let (new, call) = match turn {
                    Turn::Read => (state.without_next().unparked().with_reader(), state.is_parked()),
                    Turn::Write => (state.without_next().with_writer(), false),
                };
                // ORDERING(rwlock): Acquire; pairs with everybody's unlocking.
                match self.replace(state, new, Acquire) {
                    Ok(()) => {
                        if call {
                            self.wake_readers();
                        }
                        return Outcome::Taken;
                    }
                    Err(now) => state = now,
                }
                continue;
            }
            let spins = spin.turn();
            let told = if spins { state.with_next() } else { state.with_next().with_next_asleep() };
            if told != state {
                if let Err(now) = self.replace(state, told, Relaxed) {
                    state = now;
                    continue;
                }
            }
            if !spins {
                let called = self.sleep(told, deadline, Bed::Heir);
                spin.reset();
                if !called {
                    return self.give_up(turn);
                }
            }
            state = self.state();
        }
    }

    /// The time of whoever holds the gate is up: takes the lock if that can be done at once.
    fn give_up(&self, turn: Turn) -> Outcome {
        let mut state = self.state();
        loop {
            let open = state.is_open_for(turn);
            let readable = !state.has_writer();
            let mut new = state.without_next();
            if readable {
                new = new.unparked();
            }
            new = match turn {
                Turn::Read if open => new.with_reader(),
                Turn::Write if open => state.without_next().with_writer(),
                _ => new,
            };
            // ORDERING(rwlock): Acquire; pairs with everybody's unlocking.
            match self.replace(state, new, Acquire) {
                Ok(()) => {
                    if state.is_parked() && !new.is_parked() {
                        self.wake_readers();
                    }
                    return if open { Outcome::Taken } else { Outcome::TimedOut };
                }
                Err(now) => state = now,
            }
        }
    }

    #[cold]
    fn reader_left(&self) {
        let mut state = self.state();
        // Somebody else may have called it meanwhile, or it is up by itself.
        let matters = |state: State| state.readers() == 0 || state.readers() == READERS - 1;
        while state.next_sleeps() && !state.has_writer() && matters(state) {
            match self.replace(state, state.with_next_awake(), Relaxed) {
                Ok(()) => return self.wake_next(),
                Err(now) => state = now,
            }
        }
    }

    /// The writer leaves the word as `left` says, and calls whom that concerns.
    #[cold]
    fn leave_write(&self, left: impl Fn(State) -> State) {
        let mut state = self.state();
        let new = loop {
            let mut new = left(state).with_next_awake();
            if !new.has_next() {
                new = new.unparked();
            }
            // ORDERING(rwlock): Release; pairs with everybody's locking.
            match self.replace(state, new, Release) {
                Ok(()) => break new,
                Err(now) => state = now,
            }
        };
        if state.next_sleeps() {
            self.wake_next();
        }
        if state.is_parked() && !new.is_parked() {
            self.wake_readers();
        }
    }
}

impl Protocol for Counted {
    type Seat = ();
    type Holder = ();

    #[cfg(not(loom))]
    #[allow(clippy::declare_interior_mutable_const, reason = "a value to start from")]
    const FREE: Self = Counted { gate: RawLock::new(), word: AtomicU32::new(0) };
    #[cfg(loom)]
    fn free() -> Self {
        Counted { gate: RawLock::new(), word: AtomicU32::new(0) }
    }

    #[inline]
    fn read(&self, limit: Limit) -> (Outcome, ()) {
        let state = self.state();
        // ORDERING(rwlock): Acquire; pairs with the writers' unlocking.
        let read = state.is_readable() && self.replace(state, state.with_reader(), Acquire).is_ok();
        (if read { Outcome::Taken } else { self.read_slowly(limit) }, ())
    }

    #[inline]
    fn try_read(&self) -> (Outcome, ()) {
        let mut state = self.state();
        while state.is_readable() {
            // ORDERING(rwlock): Acquire; pairs with the writers' unlocking.
            match self.replace(state, state.with_reader(), Acquire) {
                Ok(()) => return (Outcome::Taken, ()),
                Err(now) => state = now,
            }
        }
        (Outcome::TimedOut, ())
    }

    fn peek(&self) -> Option<()> {
        (self.try_read().0 == Outcome::Taken).then_some(())
    }

    #[inline]
    fn write(&self, limit: Limit) -> Outcome {
        // ORDERING(rwlock): Acquire; pairs with everybody's unlocking.
        let written = self.replace(State::FREE, State::WRITTEN, Acquire).is_ok();
        if written { Outcome::Taken } else { self.write_slowly(limit) }
    }

    #[inline]
    fn try_write(&self) -> Outcome {
        // ORDERING(rwlock): Acquire; pairs with everybody's unlocking.
        let written = self.replace(State::FREE, State::WRITTEN, Acquire).is_ok();
        if written { Outcome::Taken } else { Outcome::TimedOut }
    }

    #[inline]
    fn unlock_read(&self, (): ()) {
        // ORDERING(rwlock): Release; pairs with the writers' locking.
        let before = State(self.word.fetch_sub(1, Release));
        if before.next_sleeps() {
            self.reader_left();
        }
    }

    #[inline(always)]
    fn holder() {}

    #[inline]
    fn unlock_write(&self, (): ()) {
        // ORDERING(rwlock): Release; pairs with everybody's locking.
        if self.replace(State::WRITTEN, State::FREE, Release).is_err() {
            self.leave_write(State::without_writer);
        }
    }

    fn downgrade(&self, (): ()) {
        self.leave_write(|state| state.without_writer().with_reader());
    }

    fn is_read(&self) -> bool {
        self.state().readers() != 0
    }

    fn is_written(&self) -> bool {
        self.state().has_writer()
    }

    fn mark_consistent(&self, (): ()) {}
}
