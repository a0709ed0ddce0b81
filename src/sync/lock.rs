//! A lock without a value.

use std::fmt;
use std::time::{Duration, Instant};

use crate::prim::const_fn;
use crate::sync::raw::{Limit, Outcome, RawLock};
use crate::sync::scope::{Private, Scope, Shared};
use crate::sync::word::Word;

/// Why [`Lock::release`] did nothing: nobody holds the lock.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Lock, NotLocked};
///
/// assert_eq!(Lock::new().release(), Err(NotLocked));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("cannot release a lock that nobody holds: release it once for each time it was acquired")]
pub struct NotLocked;

/// A lock that is acquired and released by hand, and that any thread may release.
///
/// Use it where the thread that releases is not the one that acquired, or where what is protected is not one value;
/// otherwise a [`Mutex`](crate::sync::Mutex) is safer. It is not reentrant: a thread that acquires it twice waits for
/// another to release it. [`RLock`](crate::sync::RLock) is, and belongs to a thread.
///
/// Which waiter comes next is not specified, but a waiter that others came before for half a millisecond is next. Its
/// state takes 4 bytes, in shared memory 8. A signal that arrives meanwhile does not end a wait, nor prolong one with
/// a time limit.
///
/// # In shared memory
///
/// `Lock<Shared>` works among all processes that map the memory it lies in, and any of them may release it. All-zero
/// bytes are an unlocked lock. It belongs to the *process* that acquired it: if that ends before somebody
/// released the lock, another gets it within some 25 ms, and can tell so by [`owner_died`](Lock::owner_died).
///
/// # Memory ordering
///
/// A release happens before the next acquire.
///
/// # Examples
///
/// One thread acquires, another releases:
///
/// ```
/// use gristmill::sync::Lock;
///
/// static TURN: Lock = Lock::new();
///
/// TURN.acquire();
/// std::thread::spawn(|| TURN.release()).join().unwrap()?;
/// assert!(TURN.try_acquire());
/// # Ok::<(), gristmill::sync::NotLocked>(())
/// ```
#[doc(alias = "threading.Lock")]
#[doc(alias = "_thread.LockType")]
#[doc(alias = "multiprocessing.Lock")]
#[repr(transparent)]
pub struct Lock<S: Scope = Private> {
    raw: RawLock<S::Loose>,
}

impl Lock {
    const_fn! {
        /// An unlocked lock for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// assert!(!gristmill::sync::Lock::new().locked());
        /// ```
        #[doc(alias = "_thread.allocate_lock")]
        pub fn new() -> Self {
            Self::in_scope()
        }
    }

    /// Forgets who holds the lock and who waits: for a forked child, in which those may be gone.
    ///
    /// In a process where other threads use the lock this unlocks it under their hands, and forgets sleepers.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// lock.acquire();
    /// // .. in a child that was forked meanwhile:
    /// lock.reset_after_fork();
    /// assert!(!lock.locked());
    /// ```
    #[doc(alias = "_at_fork_reinit")]
    pub fn reset_after_fork(&self) {
        self.raw.word().reset();
    }
}

impl Lock<Shared> {
    const_fn! {
        /// An unlocked lock for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// let lock = gristmill::sync::Lock::shared();
        /// assert!(lock.try_acquire());
        /// ```
        pub fn shared() -> Self {
            Self::in_scope()
        }
    }

    /// Was the lock taken from a process that ended before it was released? True from then on until it is released.
    ///
    /// Whoever acquires a lock in shared memory that protects something should ask this, and put in order what the
    /// dead one may have left half done.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::shared();
    /// lock.acquire();
    /// assert!(!lock.owner_died());
    /// ```
    pub fn owner_died(&self) -> bool {
        self.raw.state().has_died()
    }
}

impl<S: Scope> Lock<S> {
    const_fn! {
        /// An unlocked lock, for code that is generic over the scope. Others use [`new`](Lock::new) or
        /// [`shared`](Lock::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Lock, Scope};
        ///
        /// fn fresh<S: Scope>() -> Lock<S> {
        ///     Lock::in_scope()
        /// }
        /// assert!(!fresh::<gristmill::sync::Shared>().locked());
        /// ```
        pub fn in_scope() -> Self {
            Lock { raw: RawLock::new() }
        }
    }

    /// Acquires the lock; waits until somebody has released it.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// lock.acquire();
    /// assert!(lock.locked());
    /// ```
    #[inline]
    pub fn acquire(&self) {
        // The wait has no end, and a lock without a value is never lost: it is taken.
        let _ = self.raw.lock(Limit::Never);
    }

    /// Acquires the lock if that can be done at once; did it?
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// assert!(lock.try_acquire());
    /// assert!(!lock.try_acquire());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> bool {
        taken(self.raw.try_lock())
    }

    /// Acquires the lock; gives up after `timeout`. Has it got it?
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gristmill::sync::Lock::new();
    /// assert!(lock.acquire_timeout(Duration::ZERO));
    /// assert!(!lock.acquire_timeout(Duration::from_millis(1)));
    /// ```
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        taken(self.raw.lock(Limit::After(timeout)))
    }

    /// Acquires the lock; gives up at `deadline`. Has it got it?
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let lock = gristmill::sync::Lock::new();
    /// assert!(lock.acquire_deadline(Instant::now() + Duration::from_secs(60)));
    /// assert!(!lock.acquire_deadline(Instant::now()));
    /// ```
    #[inline]
    pub fn acquire_deadline(&self, deadline: Instant) -> bool {
        taken(self.raw.lock(Limit::At(deadline)))
    }

    /// Releases the lock, whoever acquired it; if others wait, one of them gets on.
    ///
    /// # Errors
    ///
    /// [`NotLocked`] if nobody holds it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Lock, NotLocked};
    ///
    /// let lock = Lock::new();
    /// lock.acquire();
    /// assert_eq!(lock.release(), Ok(()));
    /// assert_eq!(lock.release(), Err(NotLocked));
    /// ```
    #[inline]
    pub fn release(&self) -> Result<(), NotLocked> {
        if self.raw.unlock_for_any(S::Loose::me()) { Ok(()) } else { Err(NotLocked) }
    }

    /// Does somebody hold the lock, or is it promised to a waiter? It may be otherwise when you look at the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// lock.acquire();
    /// assert!(lock.locked());
    /// ```
    #[doc(alias = "is_locked")]
    pub fn locked(&self) -> bool {
        !self.raw.state().is_open()
    }

    /// Acquires the lock until the guard is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// {
    ///     let _guard = lock.guard();
    ///     assert!(lock.locked());
    /// }
    /// assert!(!lock.locked());
    /// ```
    #[doc(alias = "__enter__")]
    #[inline]
    pub fn guard(&self) -> LockGuard<'_, S> {
        self.acquire();
        LockGuard { lock: self, holder: S::Loose::holder(S::Loose::known()) }
    }

    /// Acquires the lock until the guard is dropped, if that can be done at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// let guard = lock.try_guard().unwrap();
    /// assert!(lock.try_guard().is_none());
    /// ```
    #[inline]
    pub fn try_guard(&self) -> Option<LockGuard<'_, S>> {
        self.try_acquire().then(|| LockGuard { lock: self, holder: S::Loose::holder(S::Loose::known()) })
    }

    /// Runs `f` with the lock acquired; released also if `f` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::Lock::new();
    /// assert!(lock.with(|| lock.locked()));
    /// assert!(!lock.locked());
    /// ```
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        let _guard = self.guard();
        f()
    }
}

fn taken(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Taken | Outcome::TakenFromDead)
}

impl<S: Scope> Default for Lock<S> {
    fn default() -> Self {
        Lock::in_scope()
    }
}

impl<S: Scope> fmt::Debug for Lock<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = std::ptr::from_ref(self);
        f.debug_struct("Lock").field("locked", &self.locked()).field("at", &at).finish()
    }
}

/// Releases a [`Lock`] when it is dropped, on whatever thread.
///
/// If somebody released the lock by hand before that, the guard releases it again, or does nothing if nobody has
/// acquired it since.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Lock, LockGuard};
///
/// let lock = Lock::new();
/// let guard: LockGuard = lock.guard();
/// drop(guard);
/// assert!(!lock.locked());
/// ```
#[must_use = "the lock is released as soon as this is dropped"]
pub struct LockGuard<'a, S: Scope = Private> {
    lock: &'a Lock<S>,
    holder: <S::Loose as Word>::Holder,
}

impl<S: Scope> fmt::Debug for LockGuard<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockGuard").field(self.lock).finish()
    }
}

impl<S: Scope> Drop for LockGuard<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(me) = S::Loose::still(self.holder) {
            // Somebody may have released it by hand.
            let _ = self.lock.raw.unlock_for_any(me);
        }
    }
}
