//! A value that makes itself on first use.

use std::fmt;
use std::ops::Deref;

use crate::prim::const_fn;
use crate::sync::once_cell::OnceCell;

/// A value that is made when somebody first looks at it.
///
/// As `std::sync::LazyLock`, but that a panic while it is made leaves no poison: the next look makes it.
///
/// # Memory ordering
///
/// What was done to make it is seen by all who look.
///
/// # Examples
///
/// ```
/// use gristmill::sync::Lazy;
///
/// static WORDS: Lazy<Vec<&str>> = Lazy::new(|| "to grind or not".split(' ').collect());
/// assert_eq!(WORDS.len(), 4);
/// ```
pub struct Lazy<T, F = fn() -> T> {
    cell: OnceCell<T>,
    make: F,
}

impl<T, F: Fn() -> T> Lazy<T, F> {
    const_fn! {
        /// A value that `make` will make.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Lazy;
        ///
        /// let base = 6;
        /// let answer = Lazy::new(|| base * 7);
        /// assert_eq!(*answer, 42);
        /// ```
        pub fn new(make: F) -> Self {
            Lazy { cell: OnceCell::new(), make }
        }
    }

    /// The value, made if it is not there.
    ///
    /// # Panics
    ///
    /// If making it panics, or asks for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Lazy;
    ///
    /// let answer = Lazy::new(|| 42);
    /// assert_eq!(Lazy::force(&answer), &42);
    /// ```
    #[inline]
    pub fn force(this: &Self) -> &T {
        this.cell.get_or_init(&this.make)
    }

    /// The value, if it has been made.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Lazy;
    ///
    /// let answer = Lazy::new(|| 42);
    /// assert_eq!(Lazy::get(&answer), None);
    /// ```
    pub fn get(this: &Self) -> Option<&T> {
        this.cell.get()
    }
}

impl<T, F: Fn() -> T> Deref for Lazy<T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        Lazy::force(self)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for Lazy<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cell.get() {
            Some(value) => f.debug_tuple("Lazy").field(value).finish(),
            None => f.write_str("Lazy(<not made>)"),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::Lazy;
    use crate::unwind::halt;

    #[test]
    fn it_is_made_once_and_again_after_a_panic() {
        let (made, failing) = (AtomicU32::new(0), AtomicU32::new(2));
        let lazy = Lazy::new(|| {
            if failing.fetch_sub(1, Relaxed) > 0 {
                std::panic::resume_unwind(Box::new(()));
            }
            made.fetch_add(1, Relaxed) + 1
        });
        assert_eq!(format!("{lazy:?}"), "Lazy(<not made>)");
        for _ in 0..2 {
            assert!(halt(|| *lazy).is_err());
        }
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| assert_eq!(*lazy, 1));
            }
        });
        assert_eq!((Lazy::get(&lazy), format!("{lazy:?}").as_str()), (Some(&1), "Lazy(1)"));
    }
}
