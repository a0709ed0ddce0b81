//! A value, its lock, and those who wait for it to change.

use std::fmt;
use std::time::Duration;

use crate::prim::const_fn;
use crate::sync::condvar::Condvar;
use crate::sync::mutex::{Mutex, MutexGuard};

/// A value that threads change, and wait for: a [`Mutex`] and a [`Condvar`] in one.
///
/// It is for the common case that there is one condition to wait for, or few. [`update`](Self::update) changes the value
/// and tells all who wait; [`wait_until`](Self::wait_until) waits until the value is as it should be, and takes
/// from it what there is to take. A thread can thus neither forget to notify nor wait without looking.
///
/// # Memory ordering
///
/// As [`Mutex`].
///
/// # Examples
///
/// ```
/// use gristmill::sync::Monitor;
///
/// let bin = Monitor::new(Vec::new());
/// std::thread::scope(|s| {
///     s.spawn(|| (0..3).for_each(|n| bin.update(|sacks| sacks.push(n))));
///     let mut taken: Vec<i32> = (0..3).map(|_| bin.wait_until(|sacks| sacks.pop())).collect();
///     taken.sort();
///     assert_eq!(taken, [0, 1, 2]);
/// });
/// ```
#[doc(alias = "threading.Condition")]
#[derive(Default)]
pub struct Monitor<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Monitor<T> {
    const_fn! {
        /// A monitor with this value.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Monitor;
        ///
        /// static READY: Monitor<bool> = Monitor::new(false);
        /// READY.update(|ready| *ready = true);
        /// ```
        pub fn new(value: T) -> Self {
            Monitor { value: Mutex::new(value), changed: Condvar::new() }
        }
    }

    /// Locks the value, to look at it. Whoever changes it here tells nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// let monitor = gristmill::sync::Monitor::new(1);
    /// assert_eq!(*monitor.lock(), 1);
    /// ```
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock()
    }

    /// Changes the value, and tells all who wait, after unlocking. If `change` panics it has changed the value so far,
    /// and they are told.
    ///
    /// # Examples
    ///
    /// ```
    /// let monitor = gristmill::sync::Monitor::new(1);
    /// assert_eq!(monitor.update(|n| std::mem::replace(n, 2)), 1);
    /// ```
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        struct Tell<'a>(&'a Condvar);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                self.0.notify_all();
            }
        }
        // Dropped in this order: the lock, then the news.
        let _tell = Tell(&self.changed);
        change(&mut self.lock())
    }

    /// Waits until `take` gives something: it is called at first, and after each update. It may change the value, which
    /// tells nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// let monitor = gristmill::sync::Monitor::new(Some("grist"));
    /// assert_eq!(monitor.wait_until(Option::take), "grist");
    /// ```
    pub fn wait_until<R>(&self, mut take: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut value = self.lock();
        loop {
            if let Some(taken) = take(&mut value) {
                return taken;
            }
            value = self.changed.wait(value);
        }
    }

    /// As [`wait_until`](Self::wait_until), for `timeout` at most: then what one more call of `take` gives.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let monitor = gristmill::sync::Monitor::new(None::<u32>);
    /// assert_eq!(monitor.wait_until_timeout(Duration::from_millis(1), Option::take), None);
    /// ```
    pub fn wait_until_timeout<R>(
        &self,
        timeout: Duration,
        mut take: impl FnMut(&mut T) -> Option<R>,
    ) -> Option<R> {
        let mut taken = None;
        let looks = |value: &mut T| {
            taken = take(value);
            taken.is_none()
        };
        drop(self.changed.wait_while_timeout(self.lock(), timeout, looks));
        taken
    }

    /// The value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::sync::Monitor::new(1).into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: fmt::Debug> fmt::Debug for Monitor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("value", &self.value).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::Monitor;
    use crate::unwind::halt;

    #[test]
    fn each_update_is_seen_and_each_thing_taken_once() {
        let monitor = Monitor::new(0_u32);
        let take = |n: &mut u32| n.checked_sub(1).map(|less| *n = less);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..200).for_each(|_| monitor.wait_until(take)));
            }
            (0..400).for_each(|_| monitor.update(|n| *n += 2));
        });
        assert_eq!(monitor.wait_until_timeout(Duration::ZERO, take), None);
        assert_eq!(format!("{monitor:?}"), "Monitor { value: Mutex { data: 0 }, .. }");
    }

    #[test]
    fn an_update_that_panics_is_told() {
        let monitor = Monitor::new(false);
        std::thread::scope(|s| {
            s.spawn(|| monitor.wait_until(|done| done.then_some(())));
            let panicked = halt(|| {
                monitor.update(|done| {
                    *done = true;
                    std::panic::resume_unwind(Box::new(()));
                })
            });
            assert!(panicked.is_err());
        });
    }
}
