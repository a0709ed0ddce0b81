//! A lock around a value that many may read or one may write.

#![allow(unsafe_code, reason = "the value behind a lock")]

pub(crate) mod counted;
pub(crate) mod guards;
pub(crate) mod protocol;
mod robust;
pub(crate) mod seated;

use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use self::guards::{RwLockReadGuard, RwLockWriteGuard};
use self::protocol::Protocol;
use crate::prim::const_fn;
use crate::sync::raw::{Limit, Outcome};
use crate::sync::scope::{Private, Reach, Scope, Shared};

/// A value that many threads may read at the same time, or one may write.
///
/// Use it for what is read often, by several at once and for longer than a few hundred nanoseconds; for shorter sections
/// a [`Mutex`](crate::sync::Mutex) is faster. A writer that waits keeps newcomers out, so it is not starved by readers; a
/// reader that has waited for half a millisecond is not starved by writers. A thread that reads must not read again: with
/// a writer waiting between, both wait for ever. The lock's own state takes 8 bytes.
///
/// As a [`Mutex`](crate::sync::Mutex), it has no poison.
///
/// # In shared memory
///
/// `RwLock<T, Shared>` works among all processes that map the memory it lies in. All-zero bytes are an unlocked lock, if
/// they are a value of `T`. It has 30 seats for readers, each with the name of the process that sits there, which takes
/// 256 bytes; a 31st waits until one is free. It is robust: if a reader's process dies, writers notice within some 25 ms
/// and go on, and nobody else needs to know. If a writer's dies, the next to lock gets
/// [`LockError::OwnerDied`](crate::sync::LockError), *as a writer*, also one that wanted to read, so that it can repair
/// the value. [`downgrade`](RwLockWriteGuard::downgrade) makes a reader of it. What [`Mutex`](crate::sync::Mutex) says
/// about PID namespaces, `execve` and guards that leak holds here too.
///
/// # Memory ordering
///
/// A writer's unlocking happens before the next locking of anybody, a reader's before the next writer's.
///
/// # Examples
///
/// ```
/// use gristmill::sync::RwLock;
///
/// static LIMITS: RwLock<[u32; 2]> = RwLock::new([0, 10]);
///
/// std::thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| {
///             let limits = LIMITS.read();
///             assert!(limits[0] < limits[1]);
///         });
///     }
///     s.spawn(|| *LIMITS.write() = [20, 30]);
/// });
/// assert_eq!(*LIMITS.read(), [20, 30]);
/// ```
#[doc(alias = "pthread_rwlock_t")]
#[repr(C)]
pub struct RwLock<T: ?Sized, S: Scope = Private> {
    raw: <S as Reach>::ReadWrite,
    data: UnsafeCell<T>,
}

// SAFETY: the value goes where the lock goes.
unsafe impl<T: ?Sized + Send, S: Scope> Send for RwLock<T, S> {}
// SAFETY: writers have the value alone (`Send`), readers share it (`Sync`).
unsafe impl<T: ?Sized + Send + Sync, S: Scope> Sync for RwLock<T, S> {}

impl<T> RwLock<T> {
    const_fn! {
        /// An unlocked lock for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// let lock = gristmill::sync::RwLock::new(1);
        /// assert_eq!(*lock.read(), 1);
        /// ```
        pub fn new(value: T) -> Self {
            Self::in_scope(value)
        }
    }
}

impl<T> RwLock<T, Shared> {
    const_fn! {
        /// An unlocked lock for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// let lock = gristmill::sync::RwLock::shared(1);
        /// assert_eq!(*lock.read().unwrap(), 1);
        /// ```
        pub fn shared(value: T) -> Self {
            Self::in_scope(value)
        }
    }
}

impl<T, S: Scope> RwLock<T, S> {
    const_fn! {
        /// An unlocked lock, for code that is generic over the scope. Others use [`new`](RwLock::new) or
        /// [`shared`](RwLock::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Private, RwLock};
        ///
        /// let lock = RwLock::<_, Private>::in_scope(1);
        /// assert_eq!(*lock.read(), 1);
        /// ```
        pub fn in_scope(value: T) -> Self {
            RwLock { raw: fresh::<S>(), data: UnsafeCell::new(value) }
        }
    }

    /// The value; nobody else can use the lock, so it is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::sync::RwLock::new("grist").into_inner(), "grist");
    /// ```
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

#[cfg(not(loom))]
const fn fresh<S: Scope>() -> S::ReadWrite {
    S::ReadWrite::FREE
}

#[cfg(loom)]
fn fresh<S: Scope>() -> S::ReadWrite {
    S::ReadWrite::free()
}

impl<T: ?Sized, S: Scope> RwLock<T, S> {
    /// The value, through the only reference to the lock, so it is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = gristmill::sync::RwLock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(*lock.read(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Does anybody hold the lock? It may be otherwise when you look at the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let guard = lock.read();
    /// assert!(lock.is_locked() && !lock.is_written());
    /// ```
    pub fn is_locked(&self) -> bool {
        self.raw.is_read() || self.raw.is_written()
    }

    /// Does a writer hold the lock? It may be otherwise when you look at the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let guard = lock.write();
    /// assert!(lock.is_written());
    /// ```
    pub fn is_written(&self) -> bool {
        self.raw.is_written()
    }

    fn raw(&self) -> &S::ReadWrite {
        &self.raw
    }

    fn value(&self) -> NonNull<T> {
        // SAFETY: the address of a field is not null.
        unsafe { NonNull::new_unchecked(self.data.get()) }
    }

    /// The caller holds the lock as a reader, in this seat.
    #[inline(always)]
    fn read_guard(&self, seat: <S::ReadWrite as Protocol>::Seat) -> RwLockReadGuard<'_, T, S> {
        // SAFETY: the lock is held, and the value lives as long as it.
        unsafe { RwLockReadGuard::new(&self.raw, self.value(), seat) }
    }

    /// The caller holds the lock as a writer.
    #[inline(always)]
    fn write_guard(&self) -> RwLockWriteGuard<'_, T, S> {
        // SAFETY: the lock is held, and the value lives as long as it.
        unsafe { RwLockWriteGuard::new(&self.raw, self.value()) }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading; waits until no writer has the lock, and none waits for it.
    ///
    /// # Panics
    ///
    /// If there are 2<sup>28</sup> - 1 readers.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let (one, other) = (lock.read(), lock.read());
    /// assert_eq!(*one + *other, 2);
    /// ```
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        // Nobody's death is noticed here, and the wait has no end: the lock is taken.
        let (_, seat) = self.raw().read(Limit::Never);
        self.read_guard(seat)
    }

    /// Locks for reading if that can be done at once.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let guard = lock.write();
    /// assert!(lock.try_read().is_none());
    /// ```
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let (outcome, seat) = self.raw().try_read();
        (outcome == Outcome::Taken).then(|| self.read_guard(seat))
    }

    /// Locks for reading; gives up after `timeout`.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let guard = lock.write();
    /// assert!(lock.read_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    pub fn read_timeout(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let (outcome, seat) = self.raw().read(Limit::After(timeout));
        (outcome == Outcome::Taken).then(|| self.read_guard(seat))
    }

    /// Locks for reading; gives up at `deadline`.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = gristmill::sync::RwLock::new(1);
    /// assert!(lock.read_deadline(Instant::now()).is_some()); // nobody is in the way
    /// ```
    #[inline]
    pub fn read_deadline(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        let (outcome, seat) = self.raw().read(Limit::At(deadline));
        (outcome == Outcome::Taken).then(|| self.read_guard(seat))
    }

    /// Locks for writing; waits until nobody else has the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::new(1);
    /// *lock.write() += 1;
    /// assert_eq!(*lock.read(), 2);
    /// ```
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        // Nobody's death is noticed here, and the wait has no end: the lock is taken.
        let _ = self.raw().write(Limit::Never);
        self.write_guard()
    }

    /// Locks for writing if that can be done at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let guard = lock.read();
    /// assert!(lock.try_write().is_none());
    /// ```
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        let outcome = self.raw().try_write();
        (outcome == Outcome::Taken).then(|| self.write_guard())
    }

    /// Locks for writing; gives up after `timeout`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gristmill::sync::RwLock::new(1);
    /// let guard = lock.read();
    /// assert!(lock.write_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    pub fn write_timeout(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        let outcome = self.raw().write(Limit::After(timeout));
        (outcome == Outcome::Taken).then(|| self.write_guard())
    }

    /// Locks for writing; gives up at `deadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = gristmill::sync::RwLock::new(1);
    /// assert!(lock.write_deadline(Instant::now()).is_some()); // nobody is in the way
    /// ```
    #[inline]
    pub fn write_deadline(&self, deadline: Instant) -> Option<RwLockWriteGuard<'_, T>> {
        let outcome = self.raw().write(Limit::At(deadline));
        (outcome == Outcome::Taken).then(|| self.write_guard())
    }
}

impl<T: Default, S: Scope> Default for RwLock<T, S> {
    fn default() -> Self {
        RwLock::in_scope(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug, S: Scope> fmt::Debug for RwLock<T, S> {
    /// The value, or that a writer has the lock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_struct("RwLock");
        match self.raw.peek() {
            Some(seat) => lock.field("data", &&*self.read_guard(seat)).finish(),
            None => lock.field("data", &format_args!("<locked>")).finish(),
        }
    }
}
