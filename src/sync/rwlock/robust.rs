//! Locking in shared memory, where writers may die.

use std::time::{Duration, Instant};

use crate::sync::raw::{Limit, Outcome};
use crate::sync::recover::LockError;
use crate::sync::rwlock::RwLock;
use crate::sync::rwlock::guards::{RwLockReadGuard, RwLockWriteGuard};
use crate::sync::rwlock::protocol::Protocol;
use crate::sync::rwlock::seated::Seat;
use crate::sync::scope::Shared;

/// What is there when the lock is in shared memory: a guard, or how a writer's death gets in its way.
type Robust<'a, T, G> = Result<G, LockError<RwLockWriteGuard<'a, T, Shared>>>;

fn without_end<T: ?Sized, G>(answer: Robust<'_, T, Option<G>>) -> Robust<'_, T, G> {
    answer.map(|guard| guard.expect("a wait without an end does not time out"))
}

impl<T: ?Sized> RwLock<T, Shared> {
    #[inline]
    fn read_answer(
        &self,
        (outcome, seat): (Outcome, Seat),
    ) -> Robust<'_, T, Option<RwLockReadGuard<'_, T, Shared>>> {
        match outcome {
            Outcome::Taken => Ok(Some(self.read_guard(seat))),
            Outcome::TimedOut => Ok(None),
            Outcome::TakenFromDead => Err(LockError::OwnerDied(self.write_guard())),
            Outcome::Lost => Err(LockError::NotRecoverable),
        }
    }

    #[inline]
    fn write_answer(&self, outcome: Outcome) -> Robust<'_, T, Option<RwLockWriteGuard<'_, T, Shared>>> {
        match outcome {
            Outcome::Taken => Ok(Some(self.write_guard())),
            Outcome::TimedOut => Ok(None),
            Outcome::TakenFromDead => Err(LockError::OwnerDied(self.write_guard())),
            Outcome::Lost => Err(LockError::NotRecoverable),
        }
    }

    /// Locks for reading; waits until no writer has the lock, and none waits for it.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// let (one, other) = (lock.read().unwrap(), lock.read().unwrap());
    /// assert_eq!(*one + *other, 2);
    /// ```
    #[inline]
    pub fn read(&self) -> Robust<'_, T, RwLockReadGuard<'_, T, Shared>> {
        without_end(self.read_answer(self.raw().read(Limit::Never)))
    }

    /// Locks for reading if that can be done at once.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// let guard = lock.write().unwrap();
    /// assert!(lock.try_read().unwrap().is_none());
    /// ```
    #[inline]
    pub fn try_read(&self) -> Robust<'_, T, Option<RwLockReadGuard<'_, T, Shared>>> {
        self.read_answer(self.raw().try_read())
    }

    /// Locks for reading; `None` after `timeout`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// let guard = lock.write().unwrap();
    /// assert!(lock.read_timeout(Duration::from_millis(1)).unwrap().is_none());
    /// ```
    #[inline]
    pub fn read_timeout(&self, timeout: Duration) -> Robust<'_, T, Option<RwLockReadGuard<'_, T, Shared>>> {
        self.read_answer(self.raw().read(Limit::After(timeout)))
    }

    /// Locks for reading; `None` at `deadline`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// assert!(lock.read_deadline(Instant::now()).unwrap().is_some()); // nobody is in the way
    /// ```
    #[inline]
    pub fn read_deadline(&self, deadline: Instant) -> Robust<'_, T, Option<RwLockReadGuard<'_, T, Shared>>> {
        self.read_answer(self.raw().read(Limit::At(deadline)))
    }

    /// Locks for writing; waits until nobody else has the lock.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// *lock.write().unwrap() += 1;
    /// assert_eq!(*lock.read().unwrap(), 2);
    /// ```
    #[inline]
    pub fn write(&self) -> Robust<'_, T, RwLockWriteGuard<'_, T, Shared>> {
        without_end(self.write_answer(self.raw().write(Limit::Never)))
    }

    /// Locks for writing if that can be done at once.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// let guard = lock.read().unwrap();
    /// assert!(lock.try_write().unwrap().is_none());
    /// ```
    #[inline]
    pub fn try_write(&self) -> Robust<'_, T, Option<RwLockWriteGuard<'_, T, Shared>>> {
        self.write_answer(self.raw().try_write())
    }

    /// Locks for writing; `None` after `timeout`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// let guard = lock.read().unwrap();
    /// assert!(lock.write_timeout(Duration::from_millis(1)).unwrap().is_none());
    /// ```
    #[inline]
    pub fn write_timeout(&self, timeout: Duration) -> Robust<'_, T, Option<RwLockWriteGuard<'_, T, Shared>>> {
        self.write_answer(self.raw().write(Limit::After(timeout)))
    }

    /// Locks for writing; `None` at `deadline`.
    ///
    /// # Errors
    ///
    /// [`LockError`] if a writer died; the caller may have the lock all the same, as a writer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = gristmill::sync::RwLock::shared(1);
    /// assert!(lock.write_deadline(Instant::now()).unwrap().is_some()); // nobody is in the way
    /// ```
    #[inline]
    pub fn write_deadline(
        &self,
        deadline: Instant,
    ) -> Robust<'_, T, Option<RwLockWriteGuard<'_, T, Shared>>> {
        self.write_answer(self.raw().write(Limit::At(deadline)))
    }
}
