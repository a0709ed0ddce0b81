//! Permits that are counted.
//!
//! One word: how many permits there are, and one bit, *sleepers*: somebody may sleep.
//!
//! A thread that finds no permit sets the bit and sleeps as long as the word says "none, sleepers". A release adds
//! its permits and, if the bit is set, calls as many sleepers as it brought. The bit is taken away by a release that
//! found fewer sleepers than it called, and only while there are permits: nobody lies down then, and for whoever has
//! lain down before, the release that brought the first of those permits has a call on its way.
//!
//! So there may be sleepers without the bit, but only while one of them has been called and has not looked yet. Such
//! a one, when it takes a permit, sets the bit again on behalf of the others, and calls the next if permits are left
//! (they may have come while the bit was away). If it finds none it sets the bit and sleeps.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::const_fn;
use crate::sync::doze::{Woke, doze};
use crate::sync::scope::{Private, Scope, Shared, wake};
use crate::sync::spin;
use crate::sync::word::Word as LockWord;
use crate::sys::futex;

/// The word, read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u32);

/// Somebody may sleep.
const SLEEPERS: u32 = 1 << 31;

impl Word {
    const NONE_BUT_SLEEPERS: Word = Word(SLEEPERS);

    fn permits(self) -> u32 {
        self.0 & !SLEEPERS
    }

    fn sleepers(self) -> bool {
        self.0 & SLEEPERS != 0
    }

    fn with_sleepers(self) -> Word {
        Word(self.0 | SLEEPERS)
    }

    fn without_sleepers(self) -> Word {
        Word(self.permits())
    }

    /// There must be one.
    fn less_one(self) -> Word {
        Word(self.0 - 1)
    }

    /// With `n` permits more, if that is `limit` at most.
    #[inline(always)]
    fn plus(self, n: u32, limit: u32) -> Option<Word> {
        let room = n <= limit && self.permits() <= limit - n;
        // No carry into the bit: a limit is less than that.
        room.then(|| Word(self.0 + n))
    }
}

/// A number of permits: each [`acquire`](Self::acquire) takes one, or waits until there is one, and each
/// [`release`](Self::release) brings one back.
///
/// It bounds how many may do something at the same time, or counts what one side makes and the other uses up. Nobody
/// owns a permit: any thread may release. Where a release too many is a mistake that should be found, use
/// [`BoundedSemaphore`](crate::sync::BoundedSemaphore). Who gets a permit that several wait for is not specified.
///
/// # In shared memory
///
/// Valid in all-zero memory, as a semaphore without permits. A process that is killed while it waits, or while it
/// releases, keeps nobody else from the permits that there are: sleepers look for themselves every 50 ms. Permits
/// that a killed process had taken are not given back, as nobody can know what they stood for: whoever learns of the
/// death (by its pidfd, say) may release them; where only one may be inside at a time, a
/// `Mutex` says which owner died.
///
/// # Memory ordering
///
/// What happened before a release is seen by whoever takes a permit that was there because of it.
///
/// # Examples
///
/// ```
/// use gristmill::sync::Semaphore;
///
/// static LANES: Semaphore = Semaphore::new(2);
/// let first = LANES.permit();
/// let second = LANES.permit();
/// assert!(!LANES.try_acquire());
/// drop(first);
/// assert!(LANES.try_acquire()); // nobody gives this one back
/// drop(second);
/// assert_eq!(LANES.available(), 1);
/// ```
#[doc(alias = "threading.Semaphore")]
#[doc(alias = "sem_t")]
#[repr(transparent)]
pub struct Semaphore<S: Scope = Private> {
    word: AtomicU32,
    scope: PhantomData<S>,
}

impl Semaphore {
    const_fn! {
        /// A semaphore with so many permits, 0 to [`MAX_PERMITS`](Self::MAX_PERMITS), for the threads of this process.
        ///
        /// # Panics
        ///
        /// If there are more.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Semaphore;
        ///
        /// static NONE: Semaphore = Semaphore::new(0);
        /// assert!(!NONE.try_acquire());
        /// ```
        pub fn new(permits: u32) -> Self {
            Self::in_scope(permits)
        }
    }
}

impl Semaphore<Shared> {
    const_fn! {
        /// A semaphore with so many permits for all processes that map the memory which it is put into.
        ///
        /// # Panics
        ///
        /// As [`new`](Semaphore::new).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Semaphore;
        ///
        /// let one = Semaphore::shared(1); // as a field of what a segment holds
        /// assert!(one.try_acquire());
        /// ```
        pub fn shared(permits: u32) -> Self {
            Self::in_scope(permits)
        }
    }
}

impl<S: Scope> Semaphore<S> {
    /// How many permits there may be at the same time: 2<sup>31</sup> - 1, as for `sem_t`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// assert_eq!(<Semaphore>::MAX_PERMITS, i32::MAX as u32);
    /// ```
    pub const MAX_PERMITS: u32 = SLEEPERS - 1;

    const_fn! {
        /// A semaphore with so many permits, for code that is generic over the scope. Others use
        /// [`new`](Semaphore::new) or [`shared`](Semaphore::shared).
        ///
        /// # Panics
        ///
        /// As [`new`](Semaphore::new).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Scope, Semaphore};
        ///
        /// fn two<S: Scope>() -> Semaphore<S> {
        ///     Semaphore::in_scope(2)
        /// }
        /// # two::<gristmill::sync::Private>();
        /// ```
        pub fn in_scope(permits: u32) -> Self {
            assert!(permits <= Self::MAX_PERMITS, "a semaphore has at most 2^31 - 1 permits");
            Semaphore { word: AtomicU32::new(permits), scope: PhantomData }
        }
    }

    /// Takes a permit; waits until there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// let done = Semaphore::new(0);
    /// std::thread::scope(|s| {
    ///     for _ in 0..3 {
    ///         s.spawn(|| done.release());
    ///     }
    ///     for _ in 0..3 {
    ///         done.acquire(); // once for each
    ///     }
    /// });
    /// ```
    #[doc(alias = "wait")]
    #[inline]
    pub fn acquire(&self) {
        if !self.try_acquire() {
            self.acquire_asleep(None);
        }
    }

    /// Takes a permit if there is one; says whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// let one = Semaphore::new(1);
    /// assert!(one.try_acquire());
    /// assert!(!one.try_acquire());
    /// ```
    #[doc(alias = "acquire(blocking=False)")]
    #[inline]
    pub fn try_acquire(&self) -> bool {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        while word.permits() != 0 {
            // ORDERING(permit): Acquire; pairs with the exchange in `give`.
            match self.exchange_weak(word, word.less_one(), Ordering::Acquire) {
                Ok(()) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes a permit, waiting `timeout` at most for one; says whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Semaphore;
    ///
    /// let none = Semaphore::new(0);
    /// assert!(!none.acquire_timeout(Duration::from_millis(1)));
    /// none.release();
    /// assert!(none.acquire_timeout(Duration::MAX));
    /// ```
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        self.try_acquire() || !timeout.is_zero() && self.acquire_asleep(futex::deadline(timeout))
    }

    /// Takes a permit, waiting until `deadline` at most for one; says whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::Semaphore;
    ///
    /// let one = Semaphore::new(1);
    /// assert!(one.acquire_deadline(Instant::now()));
    /// assert!(!one.acquire_deadline(Instant::now()));
    /// ```
    #[inline]
    pub fn acquire_deadline(&self, deadline: Instant) -> bool {
        self.try_acquire() || self.acquire_asleep(Some(deadline))
    }

    #[cold]
    fn acquire_asleep(&self, deadline: Option<Instant>) -> bool {
        if spin::until(|| self.try_acquire()) {
            return true;
        }
        let mut slept = false;
        loop {
            let word = Word(self.word.load(Ordering::Relaxed));
            if word.permits() != 0 {
                let left = word.less_one();
                let left = if slept { left.with_sleepers() } else { left };
                // ORDERING(permit): Acquire; pairs with the exchange in `give`.
                if self.exchange_weak(word, left, Ordering::Acquire).is_ok() {
                    if slept && left.permits() != 0 {
                        wake::<S>(&self.word, 1);
                    }
                    return true;
                }
            } else if word.sleepers()
                || self.exchange_weak(word, word.with_sleepers(), Ordering::Relaxed).is_ok()
            {
                match doze::<S>(&self.word, Word::NONE_BUT_SLEEPERS.0, deadline) {
                    Woke::Called => slept = true,
                    Woke::Looks => {}
                    // Nobody called us, so we owe nothing to the others.
                    Woke::Late => return self.try_acquire(),
                }
            }
        }
    }

    /// Brings a permit, and calls one thread that waits. Any thread may do so.
    ///
    /// # Panics
    ///
    /// If there are [`MAX_PERMITS`](Self::MAX_PERMITS) already.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(0);
    /// semaphore.release();
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    #[doc(alias = "post")]
    #[inline]
    pub fn release(&self) {
        if let Err(over) = self.give(1, Self::MAX_PERMITS) {
            too_many(over)
        }
    }

    /// Brings `n` permits, and calls up to `n` threads that wait.
    ///
    /// # Panics
    ///
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS); there are as many as before, then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use gristmill::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// semaphore.release_n(NonZeroU32::new(3).unwrap());
    /// assert_eq!(semaphore.available(), 4);
    /// ```
    #[inline]
    pub fn release_n(&self, n: NonZeroU32) {
        if let Err(over) = self.give(n.get(), Self::MAX_PERMITS) {
            too_many(over)
        }
    }

    /// Brings `n` permits, unless there would be more than `limit`.
    #[inline]
    pub(crate) fn give(&self, n: u32, limit: u32) -> Result<(), OverRelease> {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        loop {
            let Some(more) = word.plus(n, limit) else {
                return Err(OverRelease { released: n, available: word.permits(), limit });
            };
            // ORDERING(permit): Release; pairs with the exchanges in `try_acquire` and `acquire_asleep`.
            match self.exchange_weak(word, more, Ordering::Release) {
                Ok(()) if more.sleepers() => {
                    self.call(n);
                    return Ok(());
                }
                Ok(()) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    #[cold]
    fn call(&self, n: u32) {
        if wake::<S>(&self.word, n) >= n as usize {
            return;
        }
        // All who slept have been called; the head of the file says why the bit may go.
        let word = Word(self.word.load(Ordering::Relaxed));
        if word.permits() != 0 && word.sleepers() {
            // If it fails, the bit costs the next release a call for nobody.
            let _ = self.word.compare_exchange(
                word.0,
                word.without_sleepers().0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    #[inline(always)]
    fn exchange_weak(&self, old: Word, new: Word, order: Ordering) -> Result<(), Word> {
        self.word.compare_exchange_weak(old.0, new.0, order, Ordering::Relaxed).map(drop).map_err(Word)
    }

    /// Takes a permit, waiting until there is one, and gives it back when the guard is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// let one = Semaphore::new(1);
    /// {
    ///     let _inside = one.permit();
    ///     assert_eq!(one.available(), 0);
    /// }
    /// assert_eq!(one.available(), 1);
    /// ```
    #[doc(alias = "with")]
    #[inline]
    pub fn permit(&self) -> Permit<'_, S> {
        self.acquire();
        Permit::new(self, Self::MAX_PERMITS)
    }

    /// As [`permit`](Self::permit), if there is a permit now.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// let one = Semaphore::new(1);
    /// let _inside = one.try_permit().unwrap();
    /// assert!(one.try_permit().is_none());
    /// ```
    #[inline]
    pub fn try_permit(&self) -> Option<Permit<'_, S>> {
        self.try_acquire().then(|| Permit::new(self, Self::MAX_PERMITS))
    }

    /// As [`permit`](Self::permit), waiting `timeout` at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Semaphore;
    ///
    /// let one = Semaphore::new(1);
    /// let _inside = one.permit_timeout(Duration::ZERO).unwrap();
    /// assert!(one.permit_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    pub fn permit_timeout(&self, timeout: Duration) -> Option<Permit<'_, S>> {
        self.acquire_timeout(timeout).then(|| Permit::new(self, Self::MAX_PERMITS))
    }

    /// How many permits there are; others may be about to change that.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Semaphore;
    ///
    /// assert_eq!(Semaphore::new(3).available(), 3);
    /// ```
    #[doc(alias = "get_value")]
    #[doc(alias = "locked")]
    #[inline]
    pub fn available(&self) -> u32 {
        Word(self.word.load(Ordering::Relaxed)).permits()
    }
}

#[cold]
fn too_many(over: OverRelease) -> ! {
    panic!("{over}")
}

/// One permit.
impl<S: Scope> Default for Semaphore<S> {
    fn default() -> Self {
        Semaphore::in_scope(1)
    }
}

impl<S: Scope> fmt::Debug for Semaphore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.available()).finish()
    }
}

/// A permit that goes back to its semaphore when this is dropped. One that goes nowhere, as somebody released too
/// much meanwhile, is not missed.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Permit, Semaphore};
///
/// let semaphore = Semaphore::new(1);
/// let permit: Permit<'_> = semaphore.permit();
/// std::mem::forget(permit); // stays taken
/// assert_eq!(semaphore.available(), 0);
/// ```
#[must_use = "the permit goes back at once unless it is kept"]
pub struct Permit<'a, S: Scope = Private> {
    semaphore: &'a Semaphore<S>,
    limit: u32,
    holder: <S::Loose as LockWord>::Holder,
}

impl<'a, S: Scope> Permit<'a, S> {
    /// For a permit that was taken.
    #[inline]
    pub(crate) fn new(semaphore: &'a Semaphore<S>, limit: u32) -> Self {
        Permit { semaphore, limit, holder: S::Loose::holder(S::Loose::me()) }
    }
}

impl<S: Scope> fmt::Debug for Permit<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("semaphore", self.semaphore).field("limit", &self.limit).finish()
    }
}

impl<S: Scope> Drop for Permit<'_, S> {
    fn drop(&mut self) {
        if S::Loose::still(self.holder).is_some() {
            let _ = self.semaphore.give(1, self.limit);
        }
    }
}

/// More permits were released than there were taken.
///
/// # Examples
///
/// ```
/// use gristmill::sync::BoundedSemaphore;
///
/// let error = BoundedSemaphore::new(3).release().unwrap_err();
/// assert_eq!(error.to_string(), "released 1 permit(s) too many: 3 of 3 are there already");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("released {} permit(s) too many: {available} of {limit} are there already", self.too_many())]
#[non_exhaustive]
pub struct OverRelease {
    /// How many were released at once.
    pub released: u32,
    /// How many there were, and still are.
    pub available: u32,
    /// How many there may be.
    pub limit: u32,
}

impl OverRelease {
    fn too_many(&self) -> u32 {
        self.released - (self.limit - self.available)
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
