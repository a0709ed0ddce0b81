//! Waiting until the value behind a mutex has changed.
//!
//! Sleepers lie on the word *turn*, which every notification counts up. A waiter reads it while it holds the mutex,
//! unlocks, and sleeps as long as it is the same. So a notification that comes after it has unlocked finds it asleep,
//! or keeps it from falling asleep. Each waiter is counted in the word *crowd* from before it unlocks until it has
//! the mutex again. A thread that notifies has had the mutex since, if it has anything to tell, so it sees who was
//! counted: for nobody it does nothing at all. And nobody enters the kernel unless a waiter has said there that it
//! goes to sleep (`ASLEEP`, which goes when the last waiter does): waiters poll a little first.
//!
//! **A crowd is called one by one.** All at once they would only meet again at the mutex. `notify_all` counts the turn
//! up, leaves a mark (`ALL`) in the crowd, and calls one. The first waiter that has the mutex again takes the mark
//! away and moves all who still sleep to the word of the mutex, as if they had come to lock it: then each unlocking
//! calls the next. Whoever unlocks the mutex after that wakes them by the mutex's rules, of which one matters here:
//! who was called from the word of a lock owes the other sleepers a call until it has the lock. A waiter cannot tell
//! from which word it was called, so it minds that rule whenever somebody has been moved since it lay down (`moves`
//! says so), and it never lies down again after a call. It may thus return for no reason; it may do so anyway.
//!
//! There is such a first waiter: `notify_all` has called it, or if nobody was asleep, all who were counted are on their
//! way back, since the turn has changed.

use std::fmt;
use std::marker::PhantomData;
use std::time::Instant;

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{const_fn, fence_after_update};
use crate::sync::doze::{Woke, doze};
use crate::sync::mutex::MutexGuard;
use crate::sync::raw::{Limit, Outcome, RawLock};
use crate::sync::scope::{Private, Scope, Shared, wake, wake_all};
use crate::sync::spin;
use crate::sync::word::Word;

/// The word that counts waiters, read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Crowd(u32);

/// Somebody may sleep.
const ASLEEP: u32 = 1 << 31;
/// All who sleep are to be called.
const ALL: u32 = 1 << 30;

impl Crowd {
    fn waiters(self) -> u32 {
        self.0 & !(ASLEEP | ALL)
    }

    fn may_sleep(self) -> bool {
        self.0 & ASLEEP != 0
    }

    /// Whoever leaves this is to move the others.
    fn is_called(self) -> bool {
        self.0 & (ALL | ASLEEP) == ALL | ASLEEP && self.waiters() > 1
    }

    fn called(self) -> Crowd {
        Crowd(self.0 | ALL)
    }

    /// One left, and has taken the mark away. (In shared memory the count may be wrong on the high side, as some died.)
    fn left(self) -> Crowd {
        match self.waiters() {
            0 | 1 => Crowd(0),
            _ => Crowd((self.0 - 1) & !ALL),
        }
    }
}

/// What became of a wait.
struct Waited {
    lock: Outcome,
    /// Not just the end of its time.
    notified: bool,
}

/// Lets threads wait until another changes what a [`Mutex`](crate::sync::Mutex) guards.
///
/// A thread that holds the mutex and finds the value not as it needs it calls [`wait`](Self::wait), which unlocks,
/// sleeps until it is notified, and locks again. It then looks again: it may have been somebody else's turn, or it may
/// have woken for no reason. [`wait_while`](Self::wait_while) does that. A thread that changes the value notifies: one
/// waiter, if any of them could go on and one is enough, else all. It is best to notify just after unlocking.
///
/// Notifying when nobody waits costs one load; it is not remembered. [`notify_all`](Self::notify_all) wakes waiters one
/// after the other, each when the one before it unlocks. [`Monitor`](crate::sync::Monitor) is a mutex and this in one,
/// and [`Condition`](crate::sync::Condition) is for locks without a value.
///
/// # In shared memory
///
/// Valid in all-zero memory. The mutex is robust, so waiting can end with a [`LockError`](crate::sync::LockError) as locking can. A process
/// that is killed while it waits, or just after it was notified, keeps nobody waiting: within 50 ms of a notification
/// all waiters have noticed that there was one, and return if they were not moved to the mutex. (So there, more than one
/// may return for a `notify_one`.) Nor does one that is killed while it notifies: either it has or not. Each process
/// that is killed while it waits leaves one behind in the count of waiters, which costs notifications for nobody a call
/// to the kernel.
///
/// # Memory ordering
///
/// The mutex orders what is done under it. Notifying orders nothing.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Condvar, Mutex};
///
/// let (sacks, changed) = (Mutex::new(0), Condvar::new());
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         for _ in 0..3 {
///             *sacks.lock() += 1;
///             changed.notify_one();
///         }
///     });
///     let mut taken = 0;
///     while taken < 3 {
///         let mut sacks = changed.wait_while(sacks.lock(), |sacks| *sacks == 0);
///         taken += std::mem::take(&mut *sacks);
///     }
/// });
/// ```
#[doc(alias = "multiprocessing.Condition")]
#[doc(alias = "pthread_cond_t")]
#[repr(C)]
pub struct Condvar<S: Scope = Private> {
    turn: AtomicU32,
    crowd: AtomicU32,
    moves: AtomicU32,
    /// A part of the address of the mutex that the last waiter came with; in one process only.
    mutex: AtomicU32,
    scope: PhantomData<S>,
}

impl Condvar {
    const_fn! {
        /// A condition variable for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Condvar;
        ///
        /// static CHANGED: Condvar = Condvar::new();
        /// CHANGED.notify_all(); // nobody is there
        /// ```
        pub fn new() -> Self {
            Self::in_scope()
        }
    }
}

impl Condvar<Shared> {
    const_fn! {
        /// A condition variable for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Condvar, Mutex, Shared};
        ///
        /// struct Bin {
        ///     sacks: Mutex<u32, Shared>,
        ///     changed: Condvar<Shared>,
        /// }
        /// let bin = Bin { sacks: Mutex::shared(1), changed: Condvar::shared() };
        /// let sacks = bin.changed.wait_while(bin.sacks.lock().unwrap(), |sacks| *sacks == 0).unwrap();
        /// assert_eq!(*sacks, 1);
        /// ```
        pub fn shared() -> Self {
            Self::in_scope()
        }
    }
}

impl<S: Scope> Condvar<S> {
    const_fn! {
        /// A condition variable, for code that is generic over the scope. Others use [`new`](Condvar::new) or
        /// [`shared`](Condvar::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Condvar, Scope};
        ///
        /// fn fresh<S: Scope>() -> Condvar<S> {
        ///     Condvar::in_scope()
        /// }
        /// # fresh::<gristmill::sync::Private>();
        /// ```
        pub fn in_scope() -> Self {
            Condvar {
                turn: AtomicU32::new(0),
                crowd: AtomicU32::new(0),
                moves: AtomicU32::new(0),
                mutex: AtomicU32::new(0),
                scope: PhantomData,
            }
        }
    }

    /// Calls one waiter, if there is any.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| drop(changed.wait_while(ready.lock(), |ready| !*ready)));
    ///     *ready.lock() = true;
    ///     changed.notify_one();
    /// });
    /// ```
    #[doc(alias = "signal")]
    #[doc(alias = "pthread_cond_signal")]
    #[inline]
    pub fn notify_one(&self) {
        if self.crowd().waiters() != 0 {
            self.call(1);
        }
    }

    /// Calls up to `n` waiters, all at the same time if they are fewer than all.
    ///
    /// # Examples
    ///
    /// ```
    /// let changed = gristmill::sync::Condvar::new();
    /// changed.notify_n(3); // nobody is there
    /// ```
    #[doc(alias = "notify")]
    #[inline]
    pub fn notify_n(&self, n: usize) {
        let waiters = self.crowd().waiters() as usize;
        match n {
            0 => {}
            n if n == 1 || n < waiters => self.call(n as u32),
            _ => self.notify_all(),
        }
    }

    /// Calls all waiters. They come one after the other, each as the one before it unlocks the mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (open, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|s| {
    ///     for _ in 0..3 {
    ///         s.spawn(|| drop(changed.wait_while(open.lock(), |open| !*open)));
    ///     }
    ///     *open.lock() = true;
    ///     changed.notify_all();
    /// });
    /// ```
    #[doc(alias = "broadcast")]
    #[doc(alias = "pthread_cond_broadcast")]
    #[inline]
    pub fn notify_all(&self) {
        match self.crowd().waiters() {
            0 => {}
            1 => self.call(1),
            _ => self.call_all(),
        }
    }

    fn crowd(&self) -> Crowd {
        Crowd(self.crowd.load(Ordering::Relaxed))
    }

    #[cold]
    fn call(&self, n: u32) {
        self.next_turn();
        if self.crowd().may_sleep() {
            wake::<S>(&self.turn, n);
        }
    }

    #[cold]
    fn call_all(&self) {
        // The mark comes after the turn: who takes it away moves those who slept through the turn, and nobody who was
        // counted before can fall asleep after that.
        self.next_turn();
        // If the last has left meanwhile there is nobody to take the mark away, and it must not be there.
        // ORDERING(condvar-all): Release; pairs with the update in `take_leave`.
        let marked = self.crowd.fetch_update(Ordering::Release, Ordering::Relaxed, |crowd| {
            (Crowd(crowd).waiters() != 0).then(|| Crowd(crowd).called().0)
        });
        if marked.is_ok_and(|before| Crowd(before).may_sleep()) {
            wake::<S>(&self.turn, 1);
        }
    }

    /// Counts the turn up. Whoever the crowd does not show as asleep after that will not be.
    fn next_turn(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        // ORDERING(condvar-asleep): SeqCst; pairs with the fence in `sleep`.
        fence_after_update();
    }

    fn has_turned(&self, turn: u32) -> bool {
        self.turn.load(Ordering::Relaxed) != turn
    }

    /// Unlocks, waits, and tries to lock again.
    fn wait_asleep<T: ?Sized>(&self, guard: MutexGuard<'_, T, S>, deadline: Option<Instant>) -> Waited {
        let raw = MutexGuard::mutex(&guard).raw();
        let before = Crowd(self.crowd.fetch_add(1, Ordering::Relaxed));
        let leaving = Leaving { condvar: self, raw };
        self.check_mutex(before, std::ptr::from_ref(raw.word()).cast());
        let (turn, moves) = (self.turn.load(Ordering::Relaxed), self.moves.load(Ordering::Relaxed));
        drop(guard);
        let woke = self.sleep(turn, deadline);
        // Who was called may have been called from the word of the mutex if anybody was moved there.
        let owes = woke == Woke::Called && self.moves.load(Ordering::Relaxed) != moves;
        let lock = if owes { raw.lock_from_sleep(Limit::Never) } else { raw.lock(Limit::Never) };
        let notified = woke != Woke::Late || self.has_turned(turn);
        leaving.leave(lock != Outcome::Lost);
        Waited { lock, notified }
    }

    /// A crowd whose members sleep on one word and lock several mutexes could not be moved to one of them.
    fn check_mutex(&self, before: Crowd, address: *const ()) {
        if S::SHARED {
            return;
        }
        let here = (address.addr() >> 2) as u32;
        let last = self.mutex.load(Ordering::Relaxed);
        assert!(
            before.waiters() == 0 || last == here,
            "a condition variable is for one mutex at a time, and threads wait on this one with another"
        );
        if last != here {
            self.mutex.store(here, Ordering::Relaxed);
        }
    }

    /// Sleeps until it is called, or the turn is another, or the time is up.
    fn sleep(&self, turn: u32, deadline: Option<Instant>) -> Woke {
        if spin::until(|| self.has_turned(turn)) {
            return Woke::Looks;
        }
        self.crowd.fetch_or(ASLEEP, Ordering::Relaxed);
        // ORDERING(condvar-asleep): SeqCst; pairs with the fence in `next_turn`.
        fence_after_update();
        loop {
            if self.has_turned(turn) {
                return Woke::Looks;
            }
            match doze::<S>(&self.turn, turn, deadline) {
                Woke::Looks => {}
                woke => return woke,
            }
        }
    }
}

/// A waiter that has been counted.
struct Leaving<'a, S: Scope> {
    condvar: &'a Condvar<S>,
    raw: &'a RawLock<S::Guarded>,
}

impl<S: Scope> Leaving<'_, S> {
    /// With the mutex, or with the knowledge that nobody will have it any more.
    fn leave(self, locked: bool) {
        self.take_leave(locked);
        std::mem::forget(self);
    }

    fn take_leave(&self, locked: bool) {
        let condvar = self.condvar;
        // ORDERING(condvar-all): Acquire; pairs with the update in `call_all`.
        let left = condvar
            .crowd
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |crowd| Some(Crowd(crowd).left().0));
        if left.is_ok_and(|before| Crowd(before).is_called()) {
            self.pass_on(locked);
        }
    }

    /// Moves all who sleep to the word of the mutex, which we hold.
    #[cold]
    fn pass_on(&self, locked: bool) {
        let condvar = self.condvar;
        if !locked {
            wake_all::<S>(&condvar.turn);
            return;
        }
        condvar.moves.fetch_add(1, Ordering::Relaxed);
        loop {
            let turn = condvar.turn.load(Ordering::Relaxed);
            match self.raw.word().adopt(&condvar.turn, turn) {
                None => {}
                Some(0) => return,
                Some(_) => {
                    // We hold the lock, so nobody has unlocked it since they are there.
                    let held = self.raw.expect_sleepers();
                    debug_assert!(held);
                    return;
                }
            }
        }
    }
}

impl<S: Scope> Drop for Leaving<'_, S> {
    /// Something panicked before the mutex was there again.
    fn drop(&mut self) {
        self.take_leave(false);
    }
}

impl<S: Scope> Default for Condvar<S> {
    fn default() -> Self {
        Condvar::in_scope()
    }
}

impl<S: Scope> fmt::Debug for Condvar<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiters", &self.crowd().waiters()).finish()
    }
}

#[cfg(all(test, loom))]
mod models;
mod private;
mod shared;
#[cfg(all(test, not(loom)))]
mod tests;
