//! Waiting among several processes, where an owner of the mutex may die meanwhile.

use std::time::{Duration, Instant};

use crate::sync::condvar::Condvar;
use crate::sync::mutex::MutexGuard;
use crate::sync::raw::Outcome;
use crate::sync::recover::LockError;
use crate::sync::scope::Shared;
use crate::sys::futex;

type Guard<'a, T> = MutexGuard<'a, T, Shared>;
type Robust<'a, T, R> = Result<R, LockError<Guard<'a, T>>>;

/// These are as in one process, but that the lock may come from an owner that died, or be lost.
impl Condvar<Shared> {
    fn wait_at_most<'a, T: ?Sized>(
        &self,
        guard: Guard<'a, T>,
        deadline: Option<Instant>,
    ) -> Robust<'a, T, (Guard<'a, T>, bool)> {
        let mutex = MutexGuard::mutex(&guard);
        let waited = self.wait_asleep(guard, deadline);
        match waited.lock {
            Outcome::Taken => Ok((mutex.guard(), waited.notified)),
            Outcome::TakenFromDead => Err(LockError::OwnerDied(mutex.guard())),
            Outcome::Lost => Err(LockError::NotRecoverable),
            Outcome::TimedOut => unreachable!("a wait without an end does not time out"),
        }
    }

    fn wait_while_at_most<'a, T: ?Sized>(
        &self,
        mut guard: Guard<'a, T>,
        deadline: impl FnOnce() -> Option<Instant>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Robust<'a, T, (Guard<'a, T>, bool)> {
        if !condition(&mut guard) {
            return Ok((guard, true));
        }
        let deadline = deadline();
        loop {
            let notified;
            (guard, notified) = self.wait_at_most(guard, deadline)?;
            if !condition(&mut guard) {
                return Ok((guard, true));
            }
            if !notified {
                return Ok((guard, false));
            }
        }
    }

    /// Unlocks, waits for a notification, and locks again. May return without one.
    ///
    /// # Errors
    ///
    /// [`LockError`] if an owner of the mutex died meanwhile; the caller may have the lock all the same. (Waiting
    /// unlocks: a lock that came from one that died must be marked as consistent before.)
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (ready, changed) = (Mutex::shared(false), Condvar::shared());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         *ready.lock().unwrap() = true;
    ///         changed.notify_one();
    ///     });
    ///     let mut guard = ready.lock().unwrap();
    ///     while !*guard {
    ///         guard = changed.wait(guard).unwrap();
    ///     }
    /// });
    /// ```
    pub fn wait<'a, T: ?Sized>(&self, guard: Guard<'a, T>) -> Robust<'a, T, Guard<'a, T>> {
        Ok(self.wait_at_most(guard, None)?.0)
    }

    /// As [`wait`](Self::wait), for `timeout` at most (locking again may take longer): false if that was over, and no
    /// notification had come.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::shared(()), Condvar::shared());
    /// while changed.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(1)).unwrap().1 {}
    /// ```
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: Guard<'a, T>,
        timeout: Duration,
    ) -> Robust<'a, T, (Guard<'a, T>, bool)> {
        self.wait_at_most(guard, futex::deadline(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::shared(()), Condvar::shared());
    /// assert!(!changed.wait_deadline(mutex.lock().unwrap(), Instant::now()).unwrap().1);
    /// ```
    pub fn wait_deadline<'a, T: ?Sized>(
        &self,
        guard: Guard<'a, T>,
        deadline: Instant,
    ) -> Robust<'a, T, (Guard<'a, T>, bool)> {
        self.wait_at_most(guard, Some(deadline))
    }

    /// Waits as long as `condition` says true of the value. Does not wait at all if it says false at once.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// If `condition` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::shared(1), Condvar::shared());
    /// let guard = changed.wait_while(mutex.lock().unwrap(), |n| *n == 0).unwrap();
    /// assert_eq!(*guard, 1);
    /// ```
    #[doc(alias = "wait_for")]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: Guard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Robust<'a, T, Guard<'a, T>> {
        Ok(self.wait_while_at_most(guard, || None, condition)?.0)
    }

    /// As [`wait_while`](Self::wait_while), for `timeout` at most in all: false if that was over and the condition
    /// still true.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Self::wait_while).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::shared(0), Condvar::shared());
    /// let guard = mutex.lock().unwrap();
    /// let (_guard, in_time) = changed.wait_while_timeout(guard, Duration::ZERO, |n| *n == 0).unwrap();
    /// assert!(!in_time);
    /// ```
    pub fn wait_while_timeout<'a, T: ?Sized>(
        &self,
        guard: Guard<'a, T>,
        timeout: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Robust<'a, T, (Guard<'a, T>, bool)> {
        self.wait_while_at_most(guard, || futex::deadline(timeout), condition)
    }

    /// As [`wait_while`](Self::wait_while), until `deadline` at most: false if that was over and the condition still
    /// true.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Self::wait_while).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::shared(1), Condvar::shared());
    /// let guard = mutex.lock().unwrap();
    /// assert!(changed.wait_while_deadline(guard, Instant::now(), |n| *n == 0).unwrap().1);
    /// ```
    pub fn wait_while_deadline<'a, T: ?Sized>(
        &self,
        guard: Guard<'a, T>,
        deadline: Instant,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Robust<'a, T, (Guard<'a, T>, bool)> {
        self.wait_while_at_most(guard, || Some(deadline), condition)
    }
}
