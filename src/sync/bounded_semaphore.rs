//! A semaphore that knows how many permits it has given out.

use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::prim::const_fn;
use crate::sync::scope::{Private, Scope, Shared};
use crate::sync::semaphore::{OverRelease, Permit, Semaphore};

/// A [`Semaphore`] that never has more permits than it began with: a release too many is an error.
///
/// What guards a limited resource is bounded: a permit that is given back twice would let one too many in.
///
/// # In shared memory
///
/// As [`Semaphore`]. All-zero memory is a bounded semaphore for nothing: write one there that was made by
/// [`shared`](Self::shared).
///
/// # Memory ordering
///
/// As [`Semaphore`].
///
/// # Examples
///
/// ```
/// use gristmill::sync::BoundedSemaphore;
///
/// let connections = BoundedSemaphore::new(2);
/// connections.acquire();
/// connections.release()?;
/// let error = connections.release().unwrap_err();
/// assert_eq!(error.to_string(), "released 1 permit(s) too many: 2 of 2 are there already");
/// assert_eq!(connections.available(), 2);
/// # Ok::<(), gristmill::sync::OverRelease>(())
/// ```
#[doc(alias = "threading.BoundedSemaphore")]
#[repr(C)]
pub struct BoundedSemaphore<S: Scope = Private> {
    semaphore: Semaphore<S>,
    bound: u32,
}

impl BoundedSemaphore {
    const_fn! {
        /// A semaphore with so many permits, which are all that there will ever be, for the threads of this process: 0
        /// to [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
        ///
        /// # Panics
        ///
        /// If there are more.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::BoundedSemaphore;
        ///
        /// static CONNECTIONS: BoundedSemaphore = BoundedSemaphore::new(5);
        /// assert_eq!(CONNECTIONS.bound(), 5);
        /// ```
        pub fn new(permits: u32) -> Self {
            Self::in_scope(permits)
        }
    }
}

impl BoundedSemaphore<Shared> {
    const_fn! {
        /// A semaphore with so many permits for all processes that map the memory which it is put into.
        ///
        /// # Panics
        ///
        /// As [`new`](BoundedSemaphore::new).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::BoundedSemaphore;
        ///
        /// let one = BoundedSemaphore::shared(1); // as a field of what a segment holds
        /// assert!(one.release().is_err());
        /// ```
        pub fn shared(permits: u32) -> Self {
            Self::in_scope(permits)
        }
    }
}

impl<S: Scope> BoundedSemaphore<S> {
    const_fn! {
        /// A semaphore with so many permits, for code that is generic over the scope. Others use
        /// [`new`](BoundedSemaphore::new) or [`shared`](BoundedSemaphore::shared).
        ///
        /// # Panics
        ///
        /// As [`new`](BoundedSemaphore::new).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{BoundedSemaphore, Scope};
        ///
        /// fn two<S: Scope>() -> BoundedSemaphore<S> {
        ///     BoundedSemaphore::in_scope(2)
        /// }
        /// # two::<gristmill::sync::Private>();
        /// ```
        pub fn in_scope(permits: u32) -> Self {
            BoundedSemaphore { semaphore: Semaphore::in_scope(permits), bound: permits }
        }
    }

    /// Takes a permit; waits until there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// let one = BoundedSemaphore::new(1);
    /// one.acquire();
    /// assert_eq!(one.available(), 0);
    /// ```
    #[inline]
    pub fn acquire(&self) {
        self.semaphore.acquire();
    }

    /// Takes a permit if there is one; says whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// assert!(BoundedSemaphore::new(1).try_acquire());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> bool {
        self.semaphore.try_acquire()
    }

    /// Takes a permit, waiting `timeout` at most for one; says whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// assert!(BoundedSemaphore::new(1).acquire_timeout(Duration::from_secs(1)));
    /// ```
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        self.semaphore.acquire_timeout(timeout)
    }

    /// Takes a permit, waiting until `deadline` at most for one; says whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// assert!(BoundedSemaphore::new(1).acquire_deadline(Instant::now()));
    /// ```
    #[inline]
    pub fn acquire_deadline(&self, deadline: Instant) -> bool {
        self.semaphore.acquire_deadline(deadline)
    }

    /// Brings a permit back, and calls one thread that waits. Any thread may do so.
    ///
    /// # Errors
    ///
    /// If all permits are there already. Nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// let one = BoundedSemaphore::new(1);
    /// one.acquire();
    /// assert!(one.release().is_ok());
    /// assert!(one.release().is_err());
    /// ```
    #[inline]
    pub fn release(&self) -> Result<(), OverRelease> {
        self.semaphore.give(1, self.bound)
    }

    /// Brings `n` permits back, and calls up to `n` threads that wait.
    ///
    /// # Errors
    ///
    /// If there would be more than it began with. Nothing has changed then: none of the `n` was brought.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// let three = BoundedSemaphore::new(3);
    /// three.acquire();
    /// let two = NonZeroU32::new(2).unwrap();
    /// assert!(three.release_n(two).is_err());
    /// assert_eq!(three.available(), 2);
    /// ```
    #[inline]
    pub fn release_n(&self, n: NonZeroU32) -> Result<(), OverRelease> {
        self.semaphore.give(n.get(), self.bound)
    }

    /// Takes a permit, waiting until there is one, and gives it back when the guard is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// let connections = BoundedSemaphore::new(5);
    /// let query = |text: &str| {
    ///     let _connection = connections.permit();
    ///     text.len()
    /// };
    /// assert_eq!(query("select 1"), 8);
    /// assert_eq!(connections.available(), 5);
    /// ```
    #[doc(alias = "with")]
    #[inline]
    pub fn permit(&self) -> Permit<'_, S> {
        self.acquire();
        Permit::new(&self.semaphore, self.bound)
    }

    /// As [`permit`](Self::permit), if there is a permit now.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// assert!(BoundedSemaphore::new(0).try_permit().is_none());
    /// ```
    #[inline]
    pub fn try_permit(&self) -> Option<Permit<'_, S>> {
        self.try_acquire().then(|| Permit::new(&self.semaphore, self.bound))
    }

    /// As [`permit`](Self::permit), waiting `timeout` at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// assert!(BoundedSemaphore::new(0).permit_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    pub fn permit_timeout(&self, timeout: Duration) -> Option<Permit<'_, S>> {
        self.acquire_timeout(timeout).then(|| Permit::new(&self.semaphore, self.bound))
    }

    /// How many permits there are; others may be about to change that.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// assert_eq!(BoundedSemaphore::new(3).available(), 3);
    /// ```
    #[inline]
    pub fn available(&self) -> u32 {
        self.semaphore.available()
    }

    /// How many permits it began with.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::BoundedSemaphore;
    ///
    /// let three = BoundedSemaphore::new(3);
    /// let _one = three.permit();
    /// assert_eq!((three.available(), three.bound()), (2, 3));
    /// ```
    #[inline]
    pub fn bound(&self) -> u32 {
        self.bound
    }
}

/// One permit.
impl<S: Scope> Default for BoundedSemaphore<S> {
    fn default() -> Self {
        BoundedSemaphore::in_scope(1)
    }
}

impl<S: Scope> fmt::Debug for BoundedSemaphore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format_args!("{}/{}", self.available(), self.bound);
        f.debug_struct("BoundedSemaphore").field("value", &value).finish()
    }
}
