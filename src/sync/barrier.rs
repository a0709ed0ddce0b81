//! Where threads wait for each other.
//!
//! `state.rs` has the word that all is decided in: each arrival, the end of each round and each break is one
//! exchange of it, so there is nothing between two steps of anybody in which he may die or stay. (Before it a round that
//! broke long ago may be written down, which it stays.) Those who wait sleep
//! on a second word, the *bell*: its low bit says that somebody may sleep there. Whoever ends a round changes the
//! state, then, if that bit is set, the bell (which takes the bit away), and wakes all; whoever lies down sets the
//! bit, then looks at the state again. Each writes one word before it reads the other, with a fence between; one of
//! them sees the other.

pub(crate) mod builder;
mod place;
mod state;

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::prim::fence_after_update;
use crate::sync::doze::{Woke, doze};
use crate::sync::scope::{Private, Scope, wake_all};
use crate::sync::spin;
use crate::sys::futex;
use crate::unwind;

pub use place::{BarrierPlace, BrokenBarrier};
use state::{Broke, Phase, State};

/// What the last to arrive runs.
type Action = Box<dyn Fn() + Send + Sync>;

/// In the bell: somebody may sleep.
const SLEEPERS: u32 = 1;

/// A place where a fixed number of threads, its *parties*, wait for each other: [`wait`](Self::wait) returns when all
/// have called it. Then it begins anew.
///
/// A barrier can *break*: when somebody's waiting time is over, when the action panics, or by [`abort`](Self::abort).
/// All who wait then, and all who come later, get [`BrokenBarrier`] instead of waiting for somebody who will not
/// come; until [`reset`](Self::reset).
///
/// Between two rounds nobody is kept waiting: the first thread of the next round may arrive while the last one of
/// this has not woken yet.
///
/// # In shared memory
///
/// Initialise the memory with [`shared`](Self::shared) or a [builder](crate::sync::BarrierBuilder::new); all-zero memory is none, as
/// it would have no parties. An action is for [`Private`] barriers only. Every step is one exchange of one word, so a process
/// that is killed in the middle of a call has either arrived or not:
///
/// - Killed after it arrived (asleep in `wait`, or waking the others), it is counted, the round passes without it, and
///   the others find out within 50 ms, if not at once.
/// - Killed before it arrived, it will be missed, and nothing here can tell that from being late. The others get
///   [`BrokenBarrier`] when the first of their timeouts is over: give barriers in shared memory a
///   [default timeout](crate::sync::BarrierBuilder::timeout). Or whoever learns of the death (by its pidfd, say) calls
///   [`abort`](Self::abort), and they get it at once.
///
/// # Memory ordering
///
/// What any party did before it arrived is seen by all after they passed, and so is what the action did.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use gristmill::sync::Barrier;
///
/// let (barrier, ready) = (Barrier::new(3), AtomicU32::new(0));
/// std::thread::scope(|s| {
///     for _ in 0..3 {
///         s.spawn(|| {
///             ready.fetch_add(1, Relaxed);
///             let place = barrier.wait().unwrap();
///             assert_eq!(ready.load(Relaxed), 3);
///             if place.is_leader() {
///                 println!("all are here; number {} says so", place.index());
///             }
///         });
///     }
/// });
/// ```
#[doc(alias = "threading.Barrier")]
#[repr(C)]
pub struct Barrier<S: Scope = Private> {
    state: AtomicU64,
    bell: AtomicU32,
    parties: u32,
    /// The last of the broken rounds that the state remembers no more.
    forgotten: AtomicU64,
    /// Nanoseconds; `u64::MAX` is for ever.
    timeout: u64,
    /// Boxed twice, as then `None` is all zero in every process.
    action: Option<Box<Action>>,
    scope: PhantomData<S>,
}

impl<S: Scope> Barrier<S> {
    /// How many parties there may be at most: 262,143.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// assert_eq!(<Barrier>::MAX_PARTIES, (1 << 18) - 1);
    /// ```
    pub const MAX_PARTIES: u32 = state::MAX_PARTIES;

    /// Arrives, and waits until all have: for the default timeout at most, if there is one.
    ///
    /// The last to arrive does not wait. It runs the action, if there is one, before the others go.
    ///
    /// # Errors
    ///
    /// If the barrier is broken, or breaks while this waits: also by this, when its time is up.
    ///
    /// # Panics
    ///
    /// If the action panics, in the thread that ran it; for the others the barrier is broken then.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// let pair = Barrier::new(2);
    /// let (a, b) = std::thread::scope(|s| {
    ///     let other = s.spawn(|| pair.wait().unwrap().index());
    ///     (pair.wait().unwrap().index(), other.join().unwrap())
    /// });
    /// assert_eq!(a + b, 1);
    /// ```
    pub fn wait(&self) -> Result<BarrierPlace, BrokenBarrier> {
        self.wait_at_most(|| match self.timeout {
            u64::MAX => None,
            nanos => futex::deadline(Duration::from_nanos(nanos)),
        })
    }

    /// As [`wait`](Self::wait), for `timeout` at most, whatever the default. A timeout of zero passes only as the
    /// last to arrive, and breaks the barrier otherwise.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Barrier;
    ///
    /// let pair = Barrier::new(2);
    /// assert!(pair.wait_timeout(Duration::from_millis(1)).is_err());
    /// assert!(pair.is_broken());
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierPlace, BrokenBarrier> {
        self.wait_at_most(|| futex::deadline(timeout))
    }

    /// As [`wait`](Self::wait), until `deadline` at most, whatever the default.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::Barrier;
    ///
    /// assert!(Barrier::new(2).wait_deadline(Instant::now()).is_err());
    /// assert!(Barrier::new(1).wait_deadline(Instant::now()).is_ok());
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<BarrierPlace, BrokenBarrier> {
        self.wait_at_most(|| Some(deadline))
    }

    /// The clock is read only by those who do wait.
    fn wait_at_most(
        &self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<BarrierPlace, BrokenBarrier> {
        loop {
            let before = self.look();
            match before.phase() {
                Phase::Broken => return Err(BrokenBarrier),
                // The round is full already.
                Phase::Acting => self.sleep_until(None, |now| now != before).map_or((), drop),
                Phase::Filling => {
                    let joined = before.joined();
                    let place = BarrierPlace::new(before.arrived(), self.parties);
                    if !place.is_leader() {
                        if self.exchange(before, joined) {
                            return self.wait_for_end(joined, deadline()).map(|()| place);
                        }
                    } else if let Some(action) = &self.action {
                        if self.exchange(before, joined.acting()) {
                            return self.act(joined, action).map(|()| place);
                        }
                    } else if self.end(before, joined.passed()) {
                        self.ring();
                        return Ok(place);
                    }
                }
            }
        }
    }

    /// Runs the action of `round`, which is full.
    fn act(&self, round: State, action: &Action) -> Result<(), BrokenBarrier> {
        let acted = unwind::halt(action);
        let end = if acted.is_ok() { State::passed } else { State::broken };
        // Somebody may have given the round up meanwhile, the action itself for one.
        let passed = self.change(|now| now.is_in_round_of(round).then(|| end(now))) && acted.is_ok();
        match acted {
            Err(payload) => unwind::resume(payload),
            Ok(()) if passed => Ok(()),
            Ok(()) => Err(BrokenBarrier),
        }
    }

    /// Waits until the round in which we are, of which `mine` is a state, ends; breaks it when time is up.
    fn wait_for_end(&self, mine: State, mut deadline: Option<Instant>) -> Result<(), BrokenBarrier> {
        loop {
            if let Some(now) = self.sleep_until(deadline, |now| !now.is_in_round_of(mine)) {
                return if self.has_passed(now, mine) { Ok(()) } else { Err(BrokenBarrier) };
            }
            // Once all have arrived nobody is late; what is waited for is the action.
            deadline = None;
            self.change(|now| {
                (now.is_in_round_of(mine) && now.phase() == Phase::Filling).then(|| now.broken())
            });
        }
    }

    /// Did the round of `mine` pass? It is over by now.
    fn has_passed(&self, now: State, mine: State) -> bool {
        // ORDERING(barrier): whoever forgot a round wrote that down before the exchange that `now` came by.
        now.has_passed(mine)
            .unwrap_or_else(|| !Broke::from_bits(self.forgotten.load(Ordering::Relaxed)).is_since(mine, now))
    }

    /// Sleeps until `over` holds of the state, and returns that; `None` if the time is up.
    fn sleep_until(&self, deadline: Option<Instant>, over: impl Fn(State) -> bool) -> Option<State> {
        let look = || Some(self.look()).filter(|&now| over(now));
        let mut found = None;
        if spin::until(|| {
            found = look();
            found.is_some()
        }) {
            return found;
        }
        loop {
            let bell = self.bell.fetch_or(SLEEPERS, Ordering::Relaxed) | SLEEPERS;
            // ORDERING(bell): SeqCst; pairs with the fence in `ring`.
            fence_after_update();
            if let Some(now) = look() {
                return Some(now);
            }
            if doze::<S>(&self.bell, bell, deadline) == Woke::Late {
                return look();
            }
        }
    }

    #[inline]
    fn look(&self) -> State {
        // ORDERING(barrier): Acquire; pairs with the exchanges of all who arrived, and of whoever ended the round.
        State(self.state.load(Ordering::Acquire))
    }

    /// As [`exchange`](Self::exchange), to the next round, or to the same one when it is to be used again.
    #[inline]
    fn end(&self, old: State, new: State) -> bool {
        if old.is_about_to_forget() {
            self.write_down(old);
        }
        self.exchange(old, new)
    }

    /// All who come here from the same round write the same. One that comes too late changes nothing.
    #[cold]
    fn write_down(&self, now: State) {
        let broke = now.oldest();
        // ORDERING(barrier): Relaxed; the exchange of the state comes after it.
        let _ = self.forgotten.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            (!Broke::from_bits(last).is_later(broke)).then(|| broke.bits())
        });
    }

    #[inline]
    fn exchange(&self, old: State, new: State) -> bool {
        // ORDERING(barrier): AcqRel; each arrival passes on what those before it have done, to `look`.
        self.state.compare_exchange_weak(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Changes the state to `end` of it, and wakes all who wait; unless `end` says that there is nothing to change.
    fn change(&self, end: impl Fn(State) -> Option<State>) -> bool {
        loop {
            let now = self.look();
            let Some(next) = end(now) else { return false };
            if self.end(now, next) {
                self.ring();
                return true;
            }
        }
    }

    /// Wakes all, after the state has changed.
    fn ring(&self) {
        // ORDERING(bell): SeqCst; pairs with the fence in `sleep_until`.
        fence_after_update();
        let rung = self.bell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bell| {
            (bell & SLEEPERS != 0).then(|| bell.wrapping_add(SLEEPERS))
        });
        if rung.is_ok() {
            wake_all::<S>(&self.bell);
        }
    }

    /// Breaks the barrier: all who wait, and all who come, get [`BrokenBarrier`] until a [`reset`](Self::reset).
    ///
    /// Who has passed has passed, even if it has not woken yet. A round whose action runs has not.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// let pair = Barrier::new(2);
    /// std::thread::scope(|s| {
    ///     let waiter = s.spawn(|| pair.wait());
    ///     pair.abort(); // we are not going to come
    ///     assert!(waiter.join().unwrap().is_err());
    /// });
    /// assert!(pair.wait().is_err());
    /// ```
    pub fn abort(&self) {
        self.change(|now| (now.phase() != Phase::Broken).then(|| now.broken()));
    }

    /// Begins anew: all who wait get [`BrokenBarrier`], and who comes from now on waits for all parties. Also mends a
    /// barrier that is broken.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// let one = Barrier::new(1);
    /// one.abort();
    /// assert!(one.wait().is_err());
    /// one.reset();
    /// assert!(one.wait().is_ok());
    /// ```
    pub fn reset(&self) {
        self.change(|now| match now.phase() {
            Phase::Broken => Some(now.healed()),
            Phase::Filling if now.arrived() == 0 => None,
            Phase::Filling | Phase::Acting => Some(now.given_up()),
        });
    }

    /// Is it broken?
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// assert!(!barrier.is_broken());
    /// barrier.abort();
    /// assert!(barrier.is_broken());
    /// ```
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.look().phase() == Phase::Broken
    }

    /// How many must arrive.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// assert_eq!(Barrier::new(2).parties(), 2);
    /// ```
    pub fn parties(&self) -> u32 {
        self.parties
    }

    /// How many have arrived and wait for the others; they may be more in a moment, or none.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// assert_eq!(Barrier::new(2).n_waiting(), 0);
    /// ```
    pub fn n_waiting(&self) -> u32 {
        self.look().arrived()
    }
}

/// A panic in the action breaks the barrier, which is all that it leaves behind.
impl<S: Scope> UnwindSafe for Barrier<S> {}
/// As above.
impl<S: Scope> RefUnwindSafe for Barrier<S> {}

impl<S: Scope> fmt::Debug for Barrier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("n_waiting", &self.n_waiting())
            .field("broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
