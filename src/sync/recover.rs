//! What the next owner of a lock learns when an owner died.

use std::fmt;

/// Why a lock in shared memory was not simply locked: an owner of it died.
///
/// A process that is killed, or ends, while it holds a lock in shared memory leaves what the lock guards as it was at
/// that moment, maybe half changed. (Of a `ReentrantMutex`, which gives nothing out to change, a thread that ends is
/// enough.) The next one to lock gets [`OwnerDied`](Self::OwnerDied) with a guard: it has the
/// lock, is to look at the value, repair it and say so by `mark_consistent`. If it drops the guard without that, the
/// value is given up: everybody gets [`NotRecoverable`](Self::NotRecoverable) from then on.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{LockError, Mutex, MutexGuard};
///
/// let mutex = Mutex::shared([1, 1]);
/// let pair = match mutex.lock() {
///     Ok(pair) => pair,
///     Err(LockError::OwnerDied(mut pair)) => {
///         pair[1] = pair[0]; // whatever makes it whole again
///         MutexGuard::mark_consistent(&pair);
///         pair
///     }
///     Err(LockError::NotRecoverable) => panic!("start over with a new segment"),
/// };
/// assert_eq!(*pair, [1, 1]);
/// ```
#[doc(alias = "EOWNERDEAD")]
#[doc(alias = "ENOTRECOVERABLE")]
pub enum LockError<G> {
    /// The caller has the lock, and the owner before died with it.
    OwnerDied(G),
    /// An owner died, and the one after it did not say that what the lock guards is in order.
    NotRecoverable,
}

impl<G> LockError<G> {
    /// The guard, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::LockError;
    ///
    /// assert_eq!(LockError::OwnerDied("guard").into_guard(), Some("guard"));
    /// assert_eq!(LockError::<()>::NotRecoverable.into_guard(), None);
    /// ```
    pub fn into_guard(self) -> Option<G> {
        match self {
            LockError::OwnerDied(guard) => Some(guard),
            LockError::NotRecoverable => None,
        }
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockError::OwnerDied(_) => "OwnerDied(..)",
            LockError::NotRecoverable => "NotRecoverable",
        })
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockError::OwnerDied(_) => {
                "the lock is held, but its owner before died with it: repair what it guards, then call \
                 `mark_consistent`"
            }
            LockError::NotRecoverable => {
                "an owner of the lock died and what it guards was not marked consistent: nobody can lock it any \
                 more, make a new one"
            }
        })
    }
}

impl<G> std::error::Error for LockError<G> {}

#[cfg(test)]
mod tests {
    use super::LockError;

    #[test]
    fn errors_say_what_to_do() {
        let died = LockError::OwnerDied(8);
        assert_eq!(format!("{died:?}"), "OwnerDied(..)");
        assert!(died.to_string().ends_with("`mark_consistent`"));
        assert_eq!(died.into_guard(), Some(8));
        let lost: LockError<i32> = LockError::NotRecoverable;
        assert_eq!(format!("{lost:?}"), "NotRecoverable");
        assert!(lost.to_string().ends_with("make a new one"));
        assert!(lost.into_guard().is_none());
    }
}
