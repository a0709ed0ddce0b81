//! A value that is made once.

#![allow(unsafe_code, reason = "a value that is there only once a flag says so")]

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;

use crate::prim::const_fn;
use crate::sync::once::Once;
use crate::sync::scope::{Private, Scope, Shared};

/// A value that is set once, by whoever comes first, and then only looked at.
///
/// As `std::sync::OnceLock`, in both scopes. Where there is one way to make the value, [`Lazy`](crate::sync::Lazy) keeps
/// it beside it.
///
/// # In shared memory
///
/// As [`Once`]: valid in all-zero memory, and if a process is killed while it makes the value, another makes it. A value
/// there is never dropped unless the cell is, by a process that owns it.
///
/// # Memory ordering
///
/// As [`Once`].
///
/// # Examples
///
/// ```
/// use gristmill::sync::OnceCell;
///
/// static PATH: OnceCell<String> = OnceCell::new();
/// assert_eq!(PATH.get(), None);
/// assert_eq!(PATH.get_or_init(|| "/etc/mill".to_owned()), "/etc/mill");
/// assert_eq!(PATH.set("/tmp".to_owned()), Err("/tmp".to_owned()));
/// ```
#[repr(C)]
pub struct OnceCell<T, S: Scope = Private> {
    once: Once<S>,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value goes where the cell goes; and whoever may reach the cell may put one in, for another to drop.
unsafe impl<T: Send, S: Scope> Send for OnceCell<T, S> {}
// SAFETY: as above, and once it is there all see it at the same time.
unsafe impl<T: Send + Sync, S: Scope> Sync for OnceCell<T, S> {}

impl<T> OnceCell<T> {
    const_fn! {
        /// An empty cell for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::OnceCell;
        ///
        /// static CELL: OnceCell<u32> = OnceCell::new();
        /// assert!(CELL.get().is_none());
        /// ```
        pub fn new() -> Self {
            Self::in_scope()
        }
    }
}

impl<T> OnceCell<T, Shared> {
    const_fn! {
        /// An empty cell for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::OnceCell;
        ///
        /// let cell = OnceCell::shared(); // as a field of what a segment holds
        /// assert_eq!(*cell.get_or_init(|| 7), 7);
        /// ```
        pub fn shared() -> Self {
            Self::in_scope()
        }
    }
}

impl<T, S: Scope> OnceCell<T, S> {
    const_fn! {
        /// An empty cell, for code that is generic over the scope. Others use [`new`](OnceCell::new) or
        /// [`shared`](OnceCell::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{OnceCell, Scope};
        ///
        /// fn empty<S: Scope>() -> OnceCell<u32, S> {
        ///     OnceCell::in_scope()
        /// }
        /// # empty::<gristmill::sync::Private>();
        /// ```
        pub fn in_scope() -> Self {
            OnceCell { once: Once::in_scope(), value: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    /// The value, if it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(7).unwrap();
    /// assert_eq!(cell.get(), Some(&7));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: it has been written, before the flag said so, and nobody changes it as long as the cell is borrowed.
        self.once.is_completed().then(|| unsafe { self.there() })
    }

    /// # Safety
    ///
    /// The initialisation must be complete.
    #[inline]
    unsafe fn there(&self) -> &T {
        // SAFETY: who writes it does so before the initialisation is complete, and never again.
        let value = unsafe { &*self.value.get() };
        // SAFETY: complete, so it is there.
        unsafe { value.assume_init_ref() }
    }

    /// Puts the value in, if there is none.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is one.
    ///
    /// # Panics
    ///
    /// If this thread is making one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("this runs once"));
        value.map_or(Ok(()), Err)
    }

    /// The value; made by `make` if there is none. If several threads come at the same time one makes it.
    ///
    /// # Panics
    ///
    /// If `make` panics, or asks for the value of the same cell. The cell is as empty as before, then.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(*cell.get_or_init(|| 1), 1);
    /// assert_eq!(*cell.get_or_init(|| unreachable!()), 1);
    /// ```
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| {
            let made = make();
            // SAFETY: one at a time runs this, and nobody looks before it is complete.
            let place = unsafe { &mut *self.value.get() };
            place.write(made);
        });
        // SAFETY: `call_once` has returned.
        unsafe { self.there() }
    }

    /// The value, if it is there, to change.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::OnceCell;
    ///
    /// let mut cell = OnceCell::new();
    /// cell.set(1).unwrap();
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: complete, so it is there.
        Some(unsafe { self.value.get_mut().assume_init_mut() })
    }

    /// The value, if it is there; the cell is empty again.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::OnceCell;
    ///
    /// let mut cell = OnceCell::new();
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.take(), Some(1));
    /// assert_eq!(cell.get(), None);
    /// ```
    pub fn take(&mut self) -> Option<T> {
        if !self.once.is_completed() {
            return None;
        }
        self.once = Once::in_scope();
        // SAFETY: it was there, and nobody takes it again, as the flag says that it is not.
        Some(unsafe { self.value.get_mut().assume_init_read() })
    }

    /// The value, if it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// cell.set("grist").unwrap();
    /// assert_eq!(cell.into_inner(), Some("grist"));
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }
}

impl<T, S: Scope> Drop for OnceCell<T, S> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T, S: Scope> Default for OnceCell<T, S> {
    fn default() -> Self {
        OnceCell::in_scope()
    }
}

impl<T: fmt::Debug, S: Scope> fmt::Debug for OnceCell<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => f.debug_tuple("OnceCell").field(value).finish(),
            None => f.write_str("OnceCell(<empty>)"),
        }
    }
}
