//! Waiting among the threads of one process, where a wait always ends with the mutex locked.

use std::time::{Duration, Instant};

use crate::sync::condvar::Condvar;
use crate::sync::mutex::MutexGuard;
use crate::sys::futex;

impl Condvar {
    fn wait_at_most<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        let mutex = MutexGuard::mutex(&guard);
        let waited = self.wait_asleep(guard, deadline);
        // Here nobody dies alone: the mutex is locked.
        (mutex.guard(), waited.notified)
    }

    fn wait_while_at_most<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        deadline: impl FnOnce() -> Option<Instant>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        if !condition(&mut guard) {
            return (guard, true);
        }
        let deadline = deadline();
        loop {
            let notified;
            (guard, notified) = self.wait_at_most(guard, deadline);
            if !condition(&mut guard) {
                return (guard, true);
            }
            if !notified {
                return (guard, false);
            }
        }
    }

    /// Unlocks, waits for a notification, and locks again. May return without one.
    ///
    /// # Panics
    ///
    /// If other threads wait with another mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         *ready.lock() = true;
    ///         changed.notify_one();
    ///     });
    ///     let mut guard = ready.lock();
    ///     while !*guard {
    ///         guard = changed.wait(guard);
    ///     }
    /// });
    /// ```
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_at_most(guard, None).0
    }

    /// As [`wait`](Self::wait), for `timeout` at most (locking again may take longer): false if that was over, and no
    /// notification had come.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// while changed.wait_timeout(mutex.lock(), Duration::from_millis(1)).1 {}
    /// ```
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        self.wait_at_most(guard, futex::deadline(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), until `deadline` at most.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// let (_guard, notified) = changed.wait_deadline(mutex.lock(), Instant::now());
    /// assert!(!notified);
    /// ```
    pub fn wait_deadline<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> (MutexGuard<'a, T>, bool) {
        self.wait_at_most(guard, Some(deadline))
    }

    /// Waits as long as `condition` says true of the value. Does not wait at all if it says false at once.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait), and if `condition` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condvar, Mutex};
    ///
    /// let (mutex, changed) = (Mutex::new(vec![1]), Condvar::new());
    /// let mut guard = changed.wait_while(mutex.lock(), |items| items.is_empty());
    /// assert_eq!(guard.pop(), Some(1));
    /// ```
    #[doc(alias = "wait_for")]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        self.wait_while_at_most(guard, || None, condition).0
    }

    /// As [`wait_while`](Self::wait_while), for `timeout` at most in all: false if that was over and the condition
    /// still true.
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
    /// let (mutex, changed) = (Mutex::new(0), Condvar::new());
    /// let soon = Duration::from_millis(1);
    /// let (_guard, in_time) = changed.wait_while_timeout(mutex.lock(), soon, |n| *n == 0);
    /// assert!(!in_time);
    /// ```
    pub fn wait_while_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        self.wait_while_at_most(guard, || futex::deadline(timeout), condition)
    }

    /// As [`wait_while`](Self::wait_while), until `deadline` at most: false if that was over and the condition still
    /// true.
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
    /// let (mutex, changed) = (Mutex::new(1), Condvar::new());
    /// let (_guard, in_time) = changed.wait_while_deadline(mutex.lock(), Instant::now(), |n| *n == 0);
    /// assert!(in_time);
    /// ```
    pub fn wait_while_deadline<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
        condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        self.wait_while_at_most(guard, || Some(deadline), condition)
    }
}
