//! Many readers or one writer, for memory that several processes share: each reader has a seat with its name on it.
//!
//! A count of readers cannot tell who is dead. So a reader writes its name, that is its process's, on a free seat, and
//! then looks whether a writer is there; a writer takes a lock, and then looks whether all seats are free. Of the two
//! each sees the other, as both write before they read with a fence between. A reader that sees a writer leaves its seat
//! and takes the writers' lock itself; with that in hand it sits down, and unlocks. So whoever has to wait, waits for
//! that lock, which is robust and fair.
//!
//! The holder of the lock is the only one who waits for seats. It puts 1 on the *bell* and sleeps there; whoever leaves a
//! seat rings, if it finds 1. All its sleeps are short: it looks whether those on the seats live, and clears the seats
//! of the dead. A reader changes nothing, so nobody else need learn of its death.
//!
//! # Memory ordering
//!
//! Leaving a seat (Release) happens before the writer that finds it free (Acquire); between writers, and from writers to
//! readers, the lock's word is the edge.

use std::time::Instant;

use crate::prim::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::prim::atomic::{AtomicU32, AtomicU64, fence};
use crate::prim::fence_after_update;
use crate::sync::help;
use crate::sync::identity::{Identity, Process, Thread};
use crate::sync::raw::{Died, LOOKS, Limit, Outcome, RawLock, look_at};
use crate::sync::rwlock::protocol::Protocol;
use crate::sync::spin::Spin;
use crate::sync::state::State;
use crate::sync::word::Owned;
use crate::sys::futex;

/// How many may read at the same time.
pub(crate) const SEATS: usize = if cfg!(loom) { 2 } else { 30 };

#[repr(C)]
pub(crate) struct Seated {
    writer: RawLock<Owned<Process, true>>,
    bell: AtomicU32,
    spare: AtomicU32,
    seats: [AtomicU64; SEATS],
}

/// Where a reader sits, and under which name, in one piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat(State);

const _: () = assert!(SEATS <= 64, "what a `State` has room for");

/// What whoever holds the lock waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    OneSeat,
    AllSeats,
}

/// How long to wait for seats.
#[derive(Debug, Clone, Copy)]
enum Patience {
    /// One look.
    None,
    /// From now on.
    For(Limit),
    Until(Option<Instant>),
}

impl Seated {
    /// Takes a free seat, if there is one.
    #[inline]
    fn sit(&self, me: State) -> Option<Seat> {
        let first = Thread::me().low() as usize % SEATS;
        (first..SEATS).chain(0..first).find_map(|number| {
            let seat = &self.seats[number];
            // ORDERING(seat-lock): the fence stands between this and the look at the writers' word.
            let sat =
                seat.load(Relaxed) == 0 && seat.compare_exchange(0, me.bits(), Relaxed, Relaxed).is_ok();
            sat.then(|| {
                fence_after_update();
                Seat(me.seated(number))
            })
        })
    }

    /// Leaves a seat, on which the reader's name is; rings if that is waited for.
    #[inline]
    fn leave(&self, seat: Seat) {
        let (place, reader) = (&self.seats[seat.0.seat()], seat.0.owner());
        // ORDERING(seat): Release; pairs with `next_taken`. The fence stands between this and the look at the bell.
        if place.compare_exchange(reader.bits(), 0, Release, Relaxed).is_ok() {
            fence_after_update();
            if self.bell.load(Relaxed) != 0 {
                self.ring();
            }
        }
    }

    #[cold]
    fn ring(&self) {
        if self.bell.swap(0, Relaxed) != 0 {
            futex::wake(&self.bell, 1, true);
        }
    }

    /// The first seat from `from` on that is taken, and by whom.
    fn next_taken(&self, from: usize) -> Option<(usize, State)> {
        (from..SEATS).find_map(|number| {
            // ORDERING(seat): Acquire; pairs with `leave`.
            let name = self.seats[number].load(Acquire);
            (name != 0).then(|| (number, State::from_bits(name)))
        })
    }

    /// Frees the seats of the dead.
    fn bury(&self) {
        let mut from = 0;
        while let Some((number, reader)) = self.next_taken(from) {
            if Process::is_dead(reader) {
                // ORDERING(seat): what a dead reader did is over.
                let _ = self.seats[number].compare_exchange(reader.bits(), 0, Acquire, Relaxed);
            }
            from = number + 1;
        }
    }

    /// Waits until `wish` has come true; the caller holds the lock. A seat that was wished for is taken.
    #[cold]
    fn wait_for(&self, wish: Wish, me: State, patience: Patience) -> Option<Seat> {
        let granted = || match wish {
            Wish::OneSeat => self.sit(me),
            Wish::AllSeats => self.next_taken(0).is_none().then_some(Self::no_seat(me)),
        };
        let deadline = match patience {
            Patience::None => None,
            Patience::For(limit) => Some(limit.deadline()),
            Patience::Until(deadline) => Some(deadline),
        };
        let mut spin = Spin::new();
        let mut look = LOOKS[0];
        loop {
            if let Some(seat) = granted() {
                return Some(seat);
            }
            let Some(deadline) = deadline else {
                self.bury();
                return granted();
            };
            if spin.turn() {
                continue;
            }
            self.bell.store(1, Relaxed);
            // ORDERING(bell): stands between the bell and the look at the seats; pairs with the one in `leave`.
            fence(std::sync::atomic::Ordering::SeqCst);
            if let Some(seat) = granted() {
                self.bell.store(0, Relaxed);
                return Some(seat);
            }
            let until = deadline.into_iter().chain(look_at(Instant::now(), look)).min();
            let called = help::asleep(|| futex::wait(&self.bell, 1, until, true));
            if !called {
                look = (look * 2).min(LOOKS[1]);
                self.bury();
                if deadline.is_some_and(|deadline| cfg!(loom) || Instant::now() >= deadline) {
                    self.bell.store(0, Relaxed);
                    return granted();
                }
            }
            spin.reset();
        }
    }

    /// The lock was taken, or not: gets the readers out, if it was.
    fn empty(&self, outcome: Outcome, patience: Patience) -> Outcome {
        if !matches!(outcome, Outcome::Taken | Outcome::TakenFromDead) {
            return outcome;
        }
        // ORDERING(seat-lock): stands between the writers' word and the look at the seats; pairs with the one in `sit`.
        fence_after_update();
        if self.next_taken(0).is_none() || self.wait_for(Wish::AllSeats, Process::me(), patience).is_some() {
            return outcome;
        }
        self.writer.unlock(Died::Tell);
        Outcome::TimedOut
    }

    /// For one who has none.
    fn no_seat(me: State) -> Seat {
        Seat(me)
    }

    /// Sits down with the lock in hand.
    fn read_with(&self, lock: Outcome, me: State, patience: Patience) -> (Outcome, Seat) {
        if lock != Outcome::Taken {
            return (self.empty(lock, patience), Self::no_seat(me));
        }
        let seat = self.sit(me).or_else(|| self.wait_for(Wish::OneSeat, me, patience));
        self.writer.unlock(Died::Tell);
        seat.map_or((Outcome::TimedOut, Self::no_seat(me)), |seat| (Outcome::Taken, seat))
    }

    #[inline]
    fn read_fast(&self, me: State) -> Option<Seat> {
        // Not to be in the way of a writer that waits for seats.
        if self.writer.state() != State::FREE {
            return None;
        }
        let seat = self.sit(me)?;
        // ORDERING(lock): Acquire; pairs with the writers' unlocking.
        if self.writer.state_acquire() == State::FREE {
            return Some(seat);
        }
        self.leave(seat);
        None
    }

    #[cold]
    fn read_slowly(&self, me: State, limit: Limit) -> (Outcome, Seat) {
        let deadline = limit.deadline();
        let lock = self.writer.lock(deadline.map_or(Limit::Never, Limit::At));
        self.read_with(lock, me, Patience::Until(deadline))
    }

    #[cold]
    fn try_read_slowly(&self, me: State) -> (Outcome, Seat) {
        self.read_with(self.writer.try_lock(), me, Patience::None)
    }
}

impl Protocol for Seated {
    type Seat = Seat;
    type Holder = State;

    #[cfg(not(loom))]
    #[allow(clippy::declare_interior_mutable_const, reason = "a value to start from")]
    const FREE: Self = Seated {
        writer: RawLock::new(),
        bell: AtomicU32::new(0),
        spare: AtomicU32::new(0),
        seats: [const { AtomicU64::new(0) }; SEATS],
    };
    #[cfg(loom)]
    fn free() -> Self {
        Seated {
            writer: RawLock::new(),
            bell: AtomicU32::new(0),
            spare: AtomicU32::new(0),
            seats: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    #[inline]
    fn read(&self, limit: Limit) -> (Outcome, Seat) {
        let me = Process::me();
        match self.read_fast(me) {
            Some(seat) => (Outcome::Taken, seat),
            None => self.read_slowly(me, limit),
        }
    }

    #[inline]
    fn try_read(&self) -> (Outcome, Seat) {
        let me = Process::me();
        match self.read_fast(me) {
            Some(seat) => (Outcome::Taken, seat),
            None => self.try_read_slowly(me),
        }
    }

    fn peek(&self) -> Option<Seat> {
        self.read_fast(Process::me())
    }

    #[inline]
    fn write(&self, limit: Limit) -> Outcome {
        if self.writer.take_free() {
            return self.empty(Outcome::Taken, Patience::For(limit));
        }
        let deadline = limit.deadline();
        let lock = self.writer.lock(deadline.map_or(Limit::Never, Limit::At));
        self.empty(lock, Patience::Until(deadline))
    }

    #[inline]
    fn try_write(&self) -> Outcome {
        self.empty(self.writer.try_lock(), Patience::None)
    }

    #[inline]
    fn unlock_read(&self, seat: Seat) {
        // A forked child never sat there.
        if Process::still(seat.0.owner()).is_some() {
            self.leave(seat);
        }
    }

    #[inline(always)]
    fn holder() -> State {
        Process::known()
    }

    #[inline]
    fn unlock_write(&self, holder: State) {
        self.writer.unlock_held(holder, Died::Lose);
    }

    fn downgrade(&self, holder: State) -> Seat {
        let Some(me) = Process::still(holder) else {
            // A forked child has nothing that it could make a reader's.
            return Self::no_seat(holder);
        };
        let waited = || self.wait_for(Wish::OneSeat, me, Patience::Until(None));
        let seat = self.sit(me).or_else(waited).expect("a wait without an end ends with a seat");
        self.unlock_write(holder);
        seat
    }

    fn is_read(&self) -> bool {
        self.next_taken(0).is_some()
    }

    fn is_written(&self) -> bool {
        self.writer.state().is_locked()
    }

    fn mark_consistent(&self, holder: State) {
        if Process::still(holder).is_some() {
            self.writer.mark_consistent();
        }
    }
}
