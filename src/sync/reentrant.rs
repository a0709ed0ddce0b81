//! A lock around a value that its owner may lock again.

#![allow(unsafe_code, reason = "the value behind a lock")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::prim::const_fn;
use crate::sync::nested::{Holder, Nested};
use crate::sync::raw::{Died, Limit, Outcome};
use crate::sync::recover::LockError;
use crate::sync::scope::{Private, Scope, Shared};

/// A value that one thread at a time may use, which may lock it again while it has it.
///
/// Use it where code that holds the lock calls code that locks it too. As there may then be several guards at the same
/// time, each gives out `&T` only: what is to be changed stands in a [`Cell`](std::cell::Cell) or
/// [`RefCell`](std::cell::RefCell). Where that is not needed, a [`Mutex`](crate::sync::Mutex) is simpler. The lock's own state
/// takes 16 bytes.
///
/// As a [`Mutex`](crate::sync::Mutex), it has no poison; and `ReentrantMutex<T, Shared>` is as robust as that is, under the
/// same conditions.
///
/// # Memory ordering
///
/// The last unlocking by one thread happens before the next thread's locking.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use gristmill::sync::ReentrantMutex;
///
/// struct Tree {
///     visits: ReentrantMutex<Cell<u32>>,
/// }
/// impl Tree {
///     fn visit(&self, depth: u32) {
///         let visits = self.visits.lock(); // held while the children are visited
///         visits.set(visits.get() + 1);
///         if depth > 0 {
///             self.visit(depth - 1);
///             self.visit(depth - 1);
///         }
///     }
/// }
/// let tree = Tree { visits: ReentrantMutex::new(Cell::new(0)) };
/// tree.visit(3);
/// assert_eq!(tree.visits.lock().get(), 15);
/// ```
#[doc(alias = "threading.RLock")]
#[doc(alias = "PTHREAD_MUTEX_RECURSIVE")]
#[repr(C)]
pub struct ReentrantMutex<T: ?Sized, S: Scope = Private> {
    nested: Nested<S>,
    data: T,
}

// SAFETY: only the thread that holds the lock reaches the value, through `&T`; when another gets the lock, the value has
// moved to it: `T: Send` is enough.
unsafe impl<T: ?Sized + Send, S: Scope> Sync for ReentrantMutex<T, S> {}

/// What is there when the lock is in shared memory: a guard, or how an owner's death gets in its way.
type Robust<'a, T, G = ReentrantMutexGuard<'a, T, Shared>> =
    Result<G, LockError<ReentrantMutexGuard<'a, T, Shared>>>;

impl<T> ReentrantMutex<T> {
    const_fn! {
        /// An unlocked mutex for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// let mutex = gristmill::sync::ReentrantMutex::new(1);
        /// assert_eq!(*mutex.lock() + *mutex.lock(), 2);
        /// ```
        pub fn new(value: T) -> Self {
            Self::in_scope(value)
        }
    }
}

impl<T> ReentrantMutex<T, Shared> {
    const_fn! {
        /// An unlocked mutex for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// let mutex = gristmill::sync::ReentrantMutex::shared(1);
        /// assert_eq!(*mutex.lock().unwrap(), 1);
        /// ```
        pub fn shared(value: T) -> Self {
            Self::in_scope(value)
        }
    }
}

impl<T, S: Scope> ReentrantMutex<T, S> {
    const_fn! {
        /// An unlocked mutex, for code that is generic over the scope. Others use [`new`](ReentrantMutex::new) or
        /// [`shared`](ReentrantMutex::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Private, ReentrantMutex};
        ///
        /// assert_eq!(ReentrantMutex::<_, Private>::in_scope(1).into_inner(), 1);
        /// ```
        pub fn in_scope(value: T) -> Self {
            ReentrantMutex { nested: Nested::new(), data: value }
        }
    }

    /// The value; nobody else can use the mutex, so it is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::sync::ReentrantMutex::new("grist").into_inner(), "grist");
    /// ```
    pub fn into_inner(self) -> T {
        self.data
    }
}

impl<T: ?Sized, S: Scope> ReentrantMutex<T, S> {
    /// The value, through the only reference to the mutex, so it is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut mutex = gristmill::sync::ReentrantMutex::new(1);
    /// *mutex.get_mut() += 1;
    /// assert_eq!(*mutex.lock(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// Does any thread hold the lock, or is it promised to a waiter? It may be otherwise when you look at the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.is_locked());
    /// ```
    pub fn is_locked(&self) -> bool {
        self.nested.is_locked()
    }

    /// Does the calling thread hold the lock?
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.is_owned_by_current());
    /// ```
    pub fn is_owned_by_current(&self) -> bool {
        self.nested.is_mine()
    }

    /// The caller holds the lock, once more than it has guards.
    #[inline(always)]
    fn guard(&self) -> ReentrantMutexGuard<'_, T, S> {
        ReentrantMutexGuard { mutex: self, holder: Nested::<S>::holder(), stays: PhantomData }
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Locks; waits until no other thread has the lock.
    ///
    /// # Panics
    ///
    /// If this thread holds it 2<sup>32</sup> - 1 times.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::new(1);
    /// let outer = mutex.lock();
    /// let inner = mutex.lock();
    /// assert_eq!(*outer + *inner, 2);
    /// ```
    #[inline]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        // Nobody's death is noticed here, and the wait has no end: the lock is taken.
        let _ = self.nested.lock(Limit::Never);
        self.guard()
    }

    /// Locks if that can be done at once.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::new(1);
    /// let outer = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_some());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert!(mutex.try_lock().is_none()));
    /// });
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, T>> {
        (self.nested.try_lock() == Outcome::Taken).then(|| self.guard())
    }

    /// Locks; gives up after `timeout`.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = gristmill::sync::ReentrantMutex::new(1);
    /// assert!(mutex.lock_timeout(Duration::ZERO).is_some());
    /// ```
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> Option<ReentrantMutexGuard<'_, T>> {
        (self.nested.lock(Limit::After(timeout)) == Outcome::Taken).then(|| self.guard())
    }

    /// Locks; gives up at `deadline`.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::new(1);
    /// assert!(mutex.lock_deadline(std::time::Instant::now()).is_some());
    /// ```
    #[inline]
    pub fn lock_deadline(&self, deadline: Instant) -> Option<ReentrantMutexGuard<'_, T>> {
        (self.nested.lock(Limit::At(deadline)) == Outcome::Taken).then(|| self.guard())
    }
}

impl<T: ?Sized> ReentrantMutex<T, Shared> {
    #[inline]
    fn answer(&self, outcome: Outcome) -> Robust<'_, T, Option<ReentrantMutexGuard<'_, T, Shared>>> {
        match outcome {
            Outcome::Taken => Ok(Some(self.guard())),
            Outcome::TimedOut => Ok(None),
            Outcome::TakenFromDead => Err(LockError::OwnerDied(self.guard())),
            Outcome::Lost => Err(LockError::NotRecoverable),
        }
    }

    /// Locks; waits until no other thread has the lock.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Panics
    ///
    /// If this thread holds it 2<sup>32</sup> - 1 times.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::shared(1);
    /// let outer = mutex.lock().unwrap();
    /// let inner = mutex.lock().unwrap();
    /// assert_eq!(*outer + *inner, 2);
    /// ```
    #[inline]
    pub fn lock(&self) -> Robust<'_, T> {
        let guard = self.answer(self.nested.lock(Limit::Never))?;
        Ok(guard.expect("a wait without an end does not time out"))
    }

    /// Locks if that can be done at once.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::shared(1);
    /// assert!(mutex.try_lock().unwrap().is_some());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Robust<'_, T, Option<ReentrantMutexGuard<'_, T, Shared>>> {
        self.answer(self.nested.try_lock())
    }

    /// Locks; `None` after `timeout`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = gristmill::sync::ReentrantMutex::shared(1);
    /// assert!(mutex.lock_timeout(Duration::from_millis(1)).unwrap().is_some());
    /// ```
    #[inline]
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Robust<'_, T, Option<ReentrantMutexGuard<'_, T, Shared>>> {
        self.answer(self.nested.lock(Limit::After(timeout)))
    }

    /// Locks; `None` at `deadline`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner died; the caller may have the lock all the same.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = gristmill::sync::ReentrantMutex::shared(1);
    /// assert!(mutex.lock_deadline(std::time::Instant::now()).unwrap().is_some());
    /// ```
    #[inline]
    pub fn lock_deadline(
        &self,
        deadline: Instant,
    ) -> Robust<'_, T, Option<ReentrantMutexGuard<'_, T, Shared>>> {
        self.answer(self.nested.lock(Limit::At(deadline)))
    }
}

impl<T: Default, S: Scope> Default for ReentrantMutex<T, S> {
    fn default() -> Self {
        ReentrantMutex::in_scope(T::default())
    }
}

impl<T> From<T> for ReentrantMutex<T> {
    fn from(value: T) -> Self {
        ReentrantMutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for ReentrantMutex<T, S> {
    /// The value, or that another thread has the lock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mutex = f.debug_struct("ReentrantMutex");
        if self.nested.peek() {
            mutex.field("data", &&*self.guard()).finish()
        } else {
            mutex.field("data", &format_args!("<locked>")).finish()
        }
    }
}

/// The right to use the value in a [`ReentrantMutex`]. It ends when the last of its thread's guards is dropped.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{ReentrantMutex, ReentrantMutexGuard};
///
/// let mutex = ReentrantMutex::new(1);
/// let guard: ReentrantMutexGuard<i32> = mutex.lock();
/// assert_eq!(*guard, 1);
/// ```
#[must_use = "the mutex is unlocked as soon as this is dropped"]
pub struct ReentrantMutexGuard<'a, T: ?Sized, S: Scope = Private> {
    mutex: &'a ReentrantMutex<T, S>,
    holder: Holder<S>,
    /// Not `Send`: it is for the owner to unlock.
    stays: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives out `&T` and nothing else.
unsafe impl<T: ?Sized + Sync, S: Scope> Sync for ReentrantMutexGuard<'_, T, S> {}

impl<T: ?Sized> ReentrantMutexGuard<'_, T, Shared> {
    /// Says that what an owner that died left behind is in order. Without that, a lock that came with
    /// [`LockError::OwnerDied`] is lost when its last guard is dropped; with any other it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{LockError, ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::shared(1);
    /// std::thread::scope(|s| {
    ///     // A thread that ends with the lock is dead, too.
    ///     s.spawn(|| std::mem::forget(mutex.lock()));
    /// });
    /// let Err(LockError::OwnerDied(guard)) = mutex.lock() else { unreachable!() };
    /// ReentrantMutexGuard::mark_consistent(&guard);
    /// drop(guard);
    /// assert!(mutex.lock().is_ok());
    /// ```
    #[doc(alias = "pthread_mutex_consistent")]
    pub fn mark_consistent(guard: &Self) {
        if guard.mutex.nested.is_still(guard.holder) {
            guard.mutex.nested.mark_consistent();
        }
    }
}

impl<T: ?Sized, S: Scope> Deref for ReentrantMutexGuard<'_, T, S> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.mutex.data
    }
}

impl<T: ?Sized, S: Scope> Drop for ReentrantMutexGuard<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        // The guard stayed with the thread that locked.
        self.mutex.nested.unlock_held(self.holder, Died::Lose);
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for ReentrantMutexGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display, S: Scope> fmt::Display for ReentrantMutexGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
