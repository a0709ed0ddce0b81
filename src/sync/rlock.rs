//! A lock without a value that its owner may acquire again.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::prim::const_fn;
use crate::sync::nested::{Holder, Nested, NotMine};
use crate::sync::raw::{Died, Limit, Outcome};
use crate::sync::scope::{Private, Scope, Shared};

/// Why [`RLock::release`] did nothing: the calling thread does not hold the lock.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{NotOwner, RLock};
///
/// assert_eq!(RLock::new().release(), Err(NotOwner));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("only the thread that acquired the lock can release it, once for each time")]
pub struct NotOwner;

impl From<NotMine> for NotOwner {
    fn from(_: NotMine) -> Self {
        NotOwner
    }
}

/// A lock that belongs to the thread that acquired it, which may acquire it again.
///
/// It is free for others once it was released as often as it was acquired. Use it where code that holds the lock calls
/// code that acquires it; [`ReentrantMutex`](crate::sync::ReentrantMutex) is the same around a value.
///
/// # In shared memory
///
/// `RLock<Shared>` works among all processes that map the memory it lies in. All-zero bytes are an unlocked lock. If a
/// thread or its process ends with it, another gets it within some 25 ms, and can tell so by
/// [`owner_died`](RLock::owner_died).
///
/// # Memory ordering
///
/// The last release happens before the next thread's acquire.
///
/// # Examples
///
/// ```
/// use gristmill::sync::RLock;
///
/// static LOCK: RLock = RLock::new();
///
/// fn count_down(n: u32) -> usize {
///     let _guard = LOCK.guard();
///     if n == 0 { LOCK.recursion_count() } else { count_down(n - 1) }
/// }
/// assert_eq!(count_down(3), 4);
/// assert!(!LOCK.locked());
/// ```
#[doc(alias = "threading.RLock")]
#[doc(alias = "multiprocessing.RLock")]
#[repr(transparent)]
pub struct RLock<S: Scope = Private> {
    nested: Nested<S>,
}

impl RLock {
    const_fn! {
        /// An unlocked lock for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// assert!(!gristmill::sync::RLock::new().locked());
        /// ```
        pub fn new() -> Self {
            Self::in_scope()
        }
    }

    /// Forgets who holds the lock and who waits: for a forked child, in which those may be gone. The thread that forked
    /// still has in the child what it had.
    ///
    /// In a process where other threads use the lock this unlocks it under their hands, and forgets sleepers.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// lock.acquire();
    /// lock.reset_after_fork();
    /// assert!(!lock.locked());
    /// ```
    #[doc(alias = "_at_fork_reinit")]
    pub fn reset_after_fork(&self) {
        self.nested.reset();
    }
}

impl RLock<Shared> {
    const_fn! {
        /// An unlocked lock for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// let lock = gristmill::sync::RLock::shared();
        /// assert!(lock.try_acquire() && lock.try_acquire());
        /// ```
        pub fn shared() -> Self {
            Self::in_scope()
        }
    }

    /// Was the lock taken from a thread that ended with it? True from then on until it is free again.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::shared();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| lock.acquire());
    /// });
    /// lock.acquire();
    /// assert!(lock.owner_died());
    /// ```
    pub fn owner_died(&self) -> bool {
        self.nested.has_died()
    }
}

impl<S: Scope> RLock<S> {
    const_fn! {
        /// An unlocked lock, for code that is generic over the scope. Others use [`new`](RLock::new) or
        /// [`shared`](RLock::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Private, RLock};
        ///
        /// assert_eq!(RLock::<Private>::in_scope().recursion_count(), 0);
        /// ```
        pub fn in_scope() -> Self {
            RLock { nested: Nested::new() }
        }
    }

    /// Acquires the lock; waits until it is free, unless this thread has it.
    ///
    /// # Panics
    ///
    /// If this thread has it 2<sup>32</sup> - 1 times.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// lock.acquire();
    /// lock.acquire();
    /// assert_eq!(lock.recursion_count(), 2);
    /// ```
    #[inline]
    pub fn acquire(&self) {
        // The wait has no end, and a lock without a value is never lost: it is taken.
        let _ = self.nested.lock(Limit::Never);
    }

    /// Acquires the lock if that can be done at once; did it?
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// assert!(lock.try_acquire() && lock.try_acquire());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert!(!lock.try_acquire()));
    /// });
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> bool {
        taken(self.nested.try_lock())
    }

    /// Acquires the lock; gives up after `timeout`. Has it got it?
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gristmill::sync::RLock::new();
    /// assert!(lock.acquire_timeout(Duration::from_secs(60)));
    /// ```
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        taken(self.nested.lock(Limit::After(timeout)))
    }

    /// Acquires the lock; gives up at `deadline`. Has it got it?
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// assert!(lock.acquire_deadline(std::time::Instant::now())); // nobody is in the way
    /// ```
    #[inline]
    pub fn acquire_deadline(&self, deadline: Instant) -> bool {
        taken(self.nested.lock(Limit::At(deadline)))
    }

    /// Gives back one [`acquire`](Self::acquire) of this thread; after the last, another may have the lock.
    ///
    /// # Errors
    ///
    /// [`NotOwner`] if this thread does not hold it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{NotOwner, RLock};
    ///
    /// let lock = RLock::new();
    /// lock.acquire();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert_eq!(lock.release(), Err(NotOwner)));
    /// });
    /// assert_eq!(lock.release(), Ok(()));
    /// assert_eq!(lock.release(), Err(NotOwner));
    /// ```
    #[inline]
    pub fn release(&self) -> Result<(), NotOwner> {
        Ok(self.nested.unlock(Died::Forget)?)
    }

    /// Does any thread hold the lock, or is it promised to a waiter?
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// lock.acquire();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert!(lock.locked()));
    /// });
    /// ```
    #[doc(alias = "is_locked")]
    pub fn locked(&self) -> bool {
        self.nested.is_locked()
    }

    /// Does the calling thread hold the lock?
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// lock.acquire();
    /// assert!(lock.is_owned_by_current());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert!(!lock.is_owned_by_current()));
    /// });
    /// ```
    #[doc(alias = "_is_owned")]
    pub fn is_owned_by_current(&self) -> bool {
        self.nested.is_mine()
    }

    /// How often the calling thread has acquired the lock and not released it; 0 if another holds it.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// lock.acquire();
    /// lock.acquire();
    /// assert_eq!(lock.recursion_count(), 2);
    /// ```
    #[doc(alias = "_recursion_count")]
    pub fn recursion_count(&self) -> usize {
        self.nested.depth() as usize
    }

    /// Acquires the lock until the guard is dropped.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// let _outer = lock.guard();
    /// let _inner = lock.guard();
    /// assert_eq!(lock.recursion_count(), 2);
    /// ```
    #[doc(alias = "__enter__")]
    #[inline]
    pub fn guard(&self) -> RLockGuard<'_, S> {
        self.acquire();
        RLockGuard { lock: self, holder: Nested::<S>::holder(), stays: PhantomData }
    }

    /// Acquires the lock until the guard is dropped, if that can be done at once.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// let guard = lock.try_guard().unwrap();
    /// assert!(lock.try_guard().is_some());
    /// ```
    #[inline]
    pub fn try_guard(&self) -> Option<RLockGuard<'_, S>> {
        self.try_acquire().then(|| RLockGuard {
            lock: self,
            holder: Nested::<S>::holder(),
            stays: PhantomData,
        })
    }

    /// Runs `f` with the lock acquired; released also if `f` panics.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire), and with what `f` panics with.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RLock::new();
    /// assert_eq!(lock.with(|| lock.with(|| lock.recursion_count())), 2);
    /// ```
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        let _guard = self.guard();
        f()
    }

    /// Releases the lock however often this thread has acquired it. [`acquire_restore`](Self::acquire_restore) wants to
    /// know how often that was.
    ///
    /// # Errors
    ///
    /// [`NotOwner`] if this thread does not hold it.
    pub(crate) fn release_save(&self) -> Result<Saved, NotOwner> {
        Ok(Saved(self.nested.unlock_all()?))
    }

    /// Acquires the lock as often as [`release_save`](Self::release_save) released it.
    pub(crate) fn acquire_restore(&self, saved: Saved) {
        // The wait has no end, and a lock without a value is never lost: it is taken.
        let _ = self.nested.lock_all(saved.0);
    }
}

/// How often a lock was acquired.
#[must_use = "to acquire the lock again as often"]
#[derive(Debug)]
pub(crate) struct Saved(u32);

fn taken(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Taken | Outcome::TakenFromDead)
}

impl<S: Scope> Default for RLock<S> {
    fn default() -> Self {
        RLock::in_scope()
    }
}

impl<S: Scope> fmt::Debug for RLock<S> {
    /// Whether it is locked, by this thread or another, and how often by this one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = match (self.locked(), self.is_owned_by_current()) {
            (_, true) => "this thread",
            (true, false) => "another thread",
            (false, false) => "nobody",
        };
        let mut lock = f.debug_struct("RLock");
        lock.field("owner", &format_args!("{owner}")).field("count", &self.recursion_count());
        lock.field("at", &std::ptr::from_ref(self)).finish()
    }
}

/// Releases an [`RLock`] once when it is dropped.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{RLock, RLockGuard};
///
/// let lock = RLock::new();
/// let guard: RLockGuard = lock.guard();
/// drop(guard);
/// assert!(!lock.locked());
/// ```
#[must_use = "the lock is released as soon as this is dropped"]
pub struct RLockGuard<'a, S: Scope = Private> {
    lock: &'a RLock<S>,
    holder: Holder<S>,
    /// Not `Send`: it is for the owner to release.
    stays: PhantomData<*const ()>,
}

impl<S: Scope> fmt::Debug for RLockGuard<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RLockGuard").field(self.lock).finish()
    }
}

impl<S: Scope> Drop for RLockGuard<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // This thread may have released it by hand.
        self.lock.nested.unlock_held(self.holder, Died::Forget);
    }
}
