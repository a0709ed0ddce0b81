//! The right to read or to write, as long as it lasts.

#![allow(unsafe_code, reason = "the value behind a lock")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::sync::rwlock::protocol::Protocol;
use crate::sync::scope::{Private, Reach, Scope, Shared};

type Seat<S> = <<S as Reach>::ReadWrite as Protocol>::Seat;
type Holder<S> = <<S as Reach>::ReadWrite as Protocol>::Holder;

/// The right to read the value in an [`RwLock`](crate::sync::RwLock). It ends when this is dropped, on the thread that
/// locked.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{RwLock, RwLockReadGuard};
///
/// let lock = RwLock::new(1);
/// let guard: RwLockReadGuard<i32> = lock.read();
/// assert_eq!(*guard, 1);
/// ```
#[must_use = "the lock is unlocked as soon as this is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized, S: Scope = Private> {
    raw: &'a S::ReadWrite,
    /// Not a reference: that would have to be good to the end of `drop`, after which a writer may have the value.
    value: NonNull<T>,
    seat: Seat<S>,
}

/// The right to write the value in an [`RwLock`](crate::sync::RwLock). It ends when this is dropped, on the thread that
/// locked.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{RwLock, RwLockWriteGuard};
///
/// let lock = RwLock::new(1);
/// let mut guard: RwLockWriteGuard<i32> = lock.write();
/// *guard += 1;
/// ```
#[must_use = "the lock is unlocked as soon as this is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized, S: Scope = Private> {
    raw: &'a S::ReadWrite,
    value: NonNull<T>,
    holder: Holder<S>,
    borrows: PhantomData<&'a mut T>,
}

// SAFETY: shared, it gives out `&T` and nothing else. (It is not `Send`: readers have names.)
unsafe impl<T: ?Sized + Sync, S: Scope> Sync for RwLockReadGuard<'_, T, S> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync, S: Scope> Sync for RwLockWriteGuard<'_, T, S> {}

impl<'a, T: ?Sized, S: Scope> RwLockReadGuard<'a, T, S> {
    /// # Safety
    ///
    /// The calling thread holds the lock as a reader, in this seat, and nobody else will give that back; `value` is what
    /// it guards, and lives for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new(raw: &'a S::ReadWrite, value: NonNull<T>, seat: Seat<S>) -> Self {
        RwLockReadGuard { raw, value, seat }
    }
}

impl<'a, T: ?Sized, S: Scope> RwLockWriteGuard<'a, T, S> {
    /// # Safety
    ///
    /// The calling thread holds the lock as a writer, and nobody else will give that back; `value` is what it guards, and
    /// lives for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new(raw: &'a S::ReadWrite, value: NonNull<T>) -> Self {
        RwLockWriteGuard { raw, value, holder: S::ReadWrite::holder(), borrows: PhantomData }
    }

    /// Makes a reader of this writer: others may read with it, and no writer comes between.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write();
    /// *writer += 1;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!(*reader + *lock.read(), 4);
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T, S> {
        let guard = ManuallyDrop::new(guard);
        let seat = guard.raw.downgrade(guard.holder);
        // SAFETY: the lock was the guard's, which is forgotten, and is held as a reader's now.
        unsafe { RwLockReadGuard::new(guard.raw, guard.value, seat) }
    }
}

impl<T: ?Sized> RwLockWriteGuard<'_, T, Shared> {
    /// Says that what a writer that died left behind is in order. Without that, a lock that came with
    /// [`LockError::OwnerDied`](crate::sync::LockError::OwnerDied) is lost when its guard is dropped or downgraded; with any
    /// other it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{LockError, RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::shared([1, 1]); // as a field of what a segment holds
    /// let pair = match lock.read() {
    ///     Ok(pair) => pair,
    ///     Err(LockError::OwnerDied(mut pair)) => {
    ///         pair[1] = pair[0];
    ///         RwLockWriteGuard::mark_consistent(&pair);
    ///         RwLockWriteGuard::downgrade(pair)
    ///     }
    ///     Err(error) => panic!("{error}"),
    /// };
    /// assert_eq!(*pair, *lock.read().unwrap());
    /// ```
    #[doc(alias = "pthread_mutex_consistent")]
    pub fn mark_consistent(guard: &Self) {
        guard.raw.mark_consistent(guard.holder);
    }
}

impl<T: ?Sized, S: Scope> Deref for RwLockReadGuard<'_, T, S> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: while this guard lives, nobody writes.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized, S: Scope> Deref for RwLockWriteGuard<'_, T, S> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: while this guard lives, nobody else reaches the value.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized, S: Scope> DerefMut for RwLockWriteGuard<'_, T, S> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed as mutable.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized, S: Scope> Drop for RwLockReadGuard<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        self.raw.unlock_read(self.seat);
    }
}

impl<T: ?Sized, S: Scope> Drop for RwLockWriteGuard<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        self.raw.unlock_write(self.holder);
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for RwLockReadGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for RwLockWriteGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display, S: Scope> fmt::Display for RwLockReadGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display, S: Scope> fmt::Display for RwLockWriteGuard<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
