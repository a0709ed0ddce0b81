//! A lock around a value.

#![allow(unsafe_code, reason = "the value behind a lock")]

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crate::prim::const_fn;
use crate::sync::raw::{Died, Limit, Outcome, RawLock};
use crate::sync::recover::LockError;
use crate::sync::scope::{Private, Reach, Scope, Shared};
use crate::sync::word::Word;

/// A value that one thread at a time may use.
///
/// Use it for what several threads change; [`RwLock`](crate::sync::RwLock) where most only look, and
/// [`Lock`](crate::sync::Lock) where there is no value, or where another thread unlocks.
///
/// Whoever comes to a free lock takes it, even if others sleep there: that is fastest. But a waiter that others came
/// before for half a millisecond is next. A thread that locks a mutex again that it holds waits for itself for ever.
/// The lock's own state takes 4 bytes, in shared memory 8.
///
/// # Panics
///
/// There is no poison: if a thread panics while it holds the lock, the lock is unlocked, and the value is as it was
/// at that moment. Hold a guard across code that may panic only if the value makes sense at every step.
///
/// # In shared memory
///
/// `Mutex<T, Shared>` works among all processes that map the memory it lies in. All-zero bytes are an unlocked mutex,
/// if they are a value of `T`. It is *robust*: when a process ends while one of its threads holds the lock, another
/// gets it within some 25 ms, with [`LockError::OwnerDied`]. Nobody needs to do anything for that: waiters sleep for
/// 20 ms at most and then look whether the owner lives. Owners are told apart by their process id and start time, so
/// an id that is in use again misleads nobody. All must be in one PID namespace (the death of an owner in another is
/// not noticed), and an owner that calls `execve` counts as alive. A guard that leaked keeps the lock, also when its
/// thread has ended: another may have got the value from it. It goes with the process.
///
/// A child that is forked while the lock is held has a copy of the guard, but not the lock, which is its parent's. To
/// drop the copy does nothing, also when the child has the lock itself by then; to use the value through it is a race.
///
/// # Memory ordering
///
/// Unlocking happens before the next locking: whoever holds the lock sees all that was done under it before.
///
/// # Examples
///
/// ```
/// use gristmill::sync::Mutex;
///
/// static TOTAL: Mutex<u64> = Mutex::new(0);
///
/// std::thread::scope(|s| {
///     for n in 1..=4 {
///         s.spawn(move || *TOTAL.lock() += n);
///     }
/// });
/// assert_eq!(*TOTAL.lock(), 10);
/// ```
#[doc(alias = "multiprocessing.Lock")]
#[doc(alias = "pthread_mutex_t")]
#[repr(C)]
pub struct Mutex<T: ?Sized, S: Scope = Private> {
    raw: RawLock<S::Guarded>,
    data: UnsafeCell<T>,
}

// SAFETY: the value goes where the mutex goes.
unsafe impl<T: ?Sized + Send, S: Scope> Send for Mutex<T, S> {}
// SAFETY: only who holds the lock reaches the value, so it is used by one thread at a time: `T: Send` is enough.
unsafe impl<T: ?Sized + Send, S: Scope> Sync for Mutex<T, S> {}

/// What is there when the lock is in shared memory: a guard, or how an owner's death gets in its way.
type Robust<'a, T, G = MutexGuard<'a, T, Shared>> = Result<G, LockError<MutexGuard<'a, T, Shared>>>;

impl<T> Mutex<T> {
    const_fn! {
        /// An unlocked mutex for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Mutex;
        ///
        /// let mutex = Mutex::new(1);
        /// *mutex.lock() += 1;
        /// assert_eq!(mutex.into_inner(), 2);
        /// ```
        pub fn new(value: T) -> Self {
            Self::in_scope(value)
        }
    }
}

impl<T> Mutex<T, Shared> {
    const_fn! {
        /// An unlocked mutex for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Mutex;
        ///
        /// let mutex = Mutex::shared(1); // as a field of what a segment holds
        /// *mutex.lock().unwrap() += 1;
        /// assert_eq!(mutex.into_inner(), 2);
        /// ```
        pub fn shared(value: T) -> Self {
            Self::in_scope(value)
        }
    }
}

impl<T, S: Scope> Mutex<T, S> {
    const_fn! {
        /// An unlocked mutex, for code that is generic over the scope. Others use [`new`](Mutex::new) or
        /// [`shared`](Mutex::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Mutex, Scope};
        ///
        /// struct Account<S: Scope> {
        ///     balance: Mutex<i64, S>,
        /// }
        /// impl<S: Scope> Account<S> {
        ///     const fn new() -> Self {
        ///         Account { balance: Mutex::in_scope(0) }
        ///     }
        /// }
        /// ```
        pub fn in_scope(value: T) -> Self {
            Mutex { raw: RawLock::new(), data: UnsafeCell::new(value) }
        }
    }

    /// The value; nobody else can use the mutex, so it is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::Mutex::new("grist");
    /// assert_eq!(mutex.into_inner(), "grist");
    /// ```
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized, S: Scope> Mutex<T, S> {
    /// The value, through the only reference to the mutex, so it is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut mutex = gristmill::sync::Mutex::new(1);
    /// *mutex.get_mut() += 1;
    /// assert_eq!(*mutex.lock(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Does somebody hold the lock, or is it promised to a waiter? It may be otherwise when you look at the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::Mutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.is_locked());
    /// drop(guard);
    /// assert!(!mutex.is_locked());
    /// ```
    pub fn is_locked(&self) -> bool {
        !self.raw.state().is_open()
    }

    /// For conditions, which unlock, and lock again.
    pub(crate) fn raw(&self) -> &RawLock<S::Guarded> {
        &self.raw
    }

    /// The caller holds the lock.
    #[inline(always)]
    pub(crate) fn guard(&self) -> MutexGuard<'_, T, S> {
        MutexGuard { mutex: self, holder: S::Guarded::holder(S::Guarded::known()), stays: PhantomData }
    }

    /// Without waiting, and without the lock of one that died.
    fn peek(&self) -> Option<MutexGuard<'_, T, S>> {
        self.raw.take_free().then(|| self.guard())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks; waits until that can be done.
    ///
    /// # Examples
    ///
    /// ```
    /// let words = gristmill::sync::Mutex::new(Vec::new());
    /// words.lock().push("grist");
    /// assert_eq!(words.lock().len(), 1);
    /// ```
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // Nobody's death is noticed here, and the wait has no end: the lock is taken.
        let _ = self.raw.lock(Limit::Never);
        self.guard()
    }

    /// Locks if that can be done at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_none());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        (self.raw.try_lock() == Outcome::Taken).then(|| self.guard())
    }

    /// Locks; gives up after `timeout`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = gristmill::sync::Mutex::new(1);
    /// let guard = mutex.lock_timeout(Duration::MAX).unwrap();
    /// assert!(mutex.lock_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        (self.raw.lock(Limit::After(timeout)) == Outcome::Taken).then(|| self.guard())
    }

    /// Locks; gives up at `deadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let mutex = gristmill::sync::Mutex::new(1);
    /// let guard = mutex.lock_deadline(Instant::now()).unwrap(); // nobody is in the way
    /// assert!(mutex.lock_deadline(Instant::now()).is_none());
    /// ```
    #[inline]
    pub fn lock_deadline(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        (self.raw.lock(Limit::At(deadline)) == Outcome::Taken).then(|| self.guard())
    }
}

impl<T: ?Sized> Mutex<T, Shared> {
    #[inline]
    fn answer(&self, outcome: Outcome) -> Robust<'_, T, Option<MutexGuard<'_, T, Shared>>> {
        match outcome {
            Outcome::Taken => Ok(Some(self.guard())),
            Outcome::TimedOut => Ok(None),
            Outcome::TakenFromDead => Err(LockError::OwnerDied(self.guard())),
            Outcome::Lost => Err(LockError::NotRecoverable),
        }
    }

    /// Locks; waits until that can be done.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{LockError, Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::shared([1, 1]); // as a field of what a segment holds
    /// let pair = match mutex.lock() {
    ///     Ok(pair) => pair,
    ///     Err(LockError::OwnerDied(mut pair)) => {
    ///         pair[1] = pair[0];
    ///         MutexGuard::mark_consistent(&pair);
    ///         pair
    ///     }
    ///     Err(error) => panic!("{error}"),
    /// };
    /// assert_eq!(pair[0], pair[1]);
    /// ```
    #[inline]
    pub fn lock(&self) -> Robust<'_, T> {
        match self.answer(self.raw.lock(Limit::Never)) {
            Ok(Some(guard)) => Ok(guard),
            Err(error) => Err(error),
            Ok(None) => unreachable!("a wait without an end does not time out"),
        }
    }

    /// Locks if that can be done at once; `None` if somebody has the lock who lives. To find that out takes a few
    /// microseconds.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::Mutex::shared(1);
    /// let guard = mutex.try_lock().unwrap().unwrap();
    /// assert!(mutex.try_lock().unwrap().is_none());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Robust<'_, T, Option<MutexGuard<'_, T, Shared>>> {
        self.answer(self.raw.try_lock())
    }

    /// Locks; `None` after `timeout`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = gristmill::sync::Mutex::shared(1);
    /// let guard = mutex.lock().unwrap();
    /// assert!(mutex.lock_timeout(Duration::from_millis(1)).unwrap().is_none());
    /// ```
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> Robust<'_, T, Option<MutexGuard<'_, T, Shared>>> {
        self.answer(self.raw.lock(Limit::After(timeout)))
    }

    /// Locks; `None` at `deadline`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let mutex = gristmill::sync::Mutex::shared(1);
    /// let guard = mutex.lock_deadline(Instant::now() + Duration::from_secs(60)).unwrap().unwrap();
    /// assert!(mutex.lock_deadline(Instant::now()).unwrap().is_none());
    /// ```
    #[inline]
    pub fn lock_deadline(&self, deadline: Instant) -> Robust<'_, T, Option<MutexGuard<'_, T, Shared>>> {
        self.answer(self.raw.lock(Limit::At(deadline)))
    }
}

impl<T: Default, S: Scope> Default for Mutex<T, S> {
    fn default() -> Self {
        Mutex::in_scope(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for Mutex<T, S> {
    /// The value, or that somebody has the lock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mutex = f.debug_struct("Mutex");
        match self.peek() {
            Some(value) => mutex.field("data", &&*value).finish(),
            None => mutex.field("data", &format_args!("<locked>")).finish(),
        }
    }
}

/// The right to use the value in a [`Mutex`]. It ends when this is dropped, on the thread that locked.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Mutex, MutexGuard};
///
/// let mutex = Mutex::new(1);
/// let mut guard: MutexGuard<i32> = mutex.lock();
/// *guard += 1;
/// ```
#[must_use = "the mutex is unlocked as soon as this is dropped"]
pub struct MutexGuard<'a, T: ?Sized, S: Scope = Private> {
    mutex: &'a Mutex<T, S>,
    holder: <S::Guarded as Word>::Holder,
    /// Not `Send`: the owner's name is its thread's.
    stays: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives out `&T` and nothing else.
unsafe impl<T: ?Sized + Sync, S: Scope> Sync for MutexGuard<'_, T, S> {}

impl<'a, T: ?Sized, S: Scope> MutexGuard<'a, T, S> {
    /// The mutex that this is a guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(std::ptr::eq(MutexGuard::mutex(&guard), &mutex));
    /// ```
    pub fn mutex(guard: &Self) -> &'a Mutex<T, S> {
        guard.mutex
    }
}

impl<T: ?Sized> MutexGuard<'_, T, Shared> {
    /// Says that what an owner that died left behind is in order. Without that, a lock that came with
    /// [`LockError::OwnerDied`] is lost when its guard is dropped; with any other it does nothing.
    ///
    /// # Examples
    ///
    /// See [`LockError`].
    #[doc(alias = "pthread_mutex_consistent")]
    pub fn mark_consistent(guard: &Self) {
        if <Shared as Reach>::Guarded::still(guard.holder).is_some() {
            guard.mutex.raw.mark_consistent();
        }
    }
}

impl<T: ?Sized, S: Scope> Deref for MutexGuard<'_, T, S> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: while this guard lives, its thread holds the lock, and only guards reach the value.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized, S: Scope> DerefMut for MutexGuard<'_, T, S> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and there is one guard, which is borrowed as mutable.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized, S: Scope> Drop for MutexGuard<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock_held(self.holder, Died::Lose);
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for MutexGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display, S: Scope> fmt::Display for MutexGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
