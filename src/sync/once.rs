//! Something that is done once.
//!
//! The word of a lock that knows its owner: free, while it is to be done; with an owner, while that one does it; and
//! `LOST`, as nobody will own it any more, when it has been done. Whoever comes while somebody does it sleeps, and is
//! woken, with all others, when that ends one way or the other.

use std::fmt;
use std::time::Instant;

use crate::prim::atomic::Ordering;
use crate::prim::const_fn;
use crate::sync::doze::LOOK;
use crate::sync::scope::{Private, Scope, Shared};
use crate::sync::spin;
use crate::sync::state::State;
use crate::sync::word::{Bed, Word};
use crate::sys::futex;

/// Runs an initialisation once, whoever comes first.
///
/// Others who come meanwhile wait for it; later [`call_once`](Self::call_once) costs a load. For a value that is made
/// on first use see [`OnceCell`](crate::sync::OnceCell) and [`Lazy`](crate::sync::Lazy).
///
/// If the initialisation panics, the panic goes to the caller that ran it, and the next one to come, or one of those
/// who wait, runs its own: there is no poison. One that calls for itself, which could only wait for ever, panics.
///
/// # In shared memory
///
/// Valid in all-zero memory. If a process is killed within the initialisation, the next one to come runs its own, and
/// whoever waits finds out within 50 ms. What the dead one had begun is there, half done: write so that beginning anew
/// is right.
///
/// # Memory ordering
///
/// What the initialisation did is seen by whoever finds it done.
///
/// # Examples
///
/// ```
/// use gristmill::sync::Once;
///
/// static GREETED: Once = Once::new();
/// for name in ["Ada", "Grace"] {
///     GREETED.call_once(|| println!("hello, {name}")); // one of them
/// }
/// assert!(GREETED.is_completed());
/// ```
#[doc(alias = "pthread_once")]
#[repr(transparent)]
pub struct Once<S: Scope = Private> {
    word: S::Owned,
}

const DONE: State = State::LOST;

impl Once {
    const_fn! {
        /// Nothing has been done yet; for the threads of this process.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Once;
        ///
        /// static ONCE: Once = Once::new();
        /// assert!(!ONCE.is_completed());
        /// ```
        pub fn new() -> Self {
            Self::in_scope()
        }
    }
}

impl Once<Shared> {
    const_fn! {
        /// Nothing has been done yet; for all processes that map the memory which it is put into.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::Once;
        ///
        /// let once = Once::shared(); // as a field of what a segment holds
        /// once.call_once(|| ());
        /// ```
        pub fn shared() -> Self {
            Self::in_scope()
        }
    }
}

impl<S: Scope> Once<S> {
    const_fn! {
        /// Nothing has been done yet; for code that is generic over the scope. Others use [`new`](Once::new) or
        /// [`shared`](Once::shared).
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::sync::{Once, Scope};
        ///
        /// fn fresh<S: Scope>() -> Once<S> {
        ///     Once::in_scope()
        /// }
        /// # fresh::<gristmill::sync::Private>();
        /// ```
        pub fn in_scope() -> Self {
            Once { word: free::<S>() }
        }
    }

    /// Has it been done?
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Once;
    ///
    /// let once = Once::new();
    /// assert!(!once.is_completed());
    /// once.call_once(|| ());
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    pub fn is_completed(&self) -> bool {
        // ORDERING(once): Acquire; pairs with the exchange in `Doing::drop`.
        self.word.load(Ordering::Acquire) == DONE
    }

    /// Runs `f`, unless it has been done; returns when it has, by whomever.
    ///
    /// # Panics
    ///
    /// If `f` panics, or calls this for the same `Once`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Once;
    ///
    /// let (once, mut runs) = (Once::new(), 0);
    /// once.call_once(|| runs += 1);
    /// once.call_once(|| unreachable!());
    /// assert_eq!(runs, 1);
    /// ```
    #[inline]
    pub fn call_once(&self, f: impl FnOnce()) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.call(&mut || {
                if let Some(f) = f.take() {
                    f();
                }
            });
        }
    }

    #[cold]
    fn call(&self, f: &mut dyn FnMut()) {
        if self.begin() {
            let mut doing = Doing { once: self, end: State::FREE };
            f();
            doing.end = DONE;
        }
    }

    /// Becomes the one who does it; false if it has been done.
    fn begin(&self) -> bool {
        let me = S::Owned::me();
        let in_turn = || {
            // ORDERING(once): Acquire; pairs with the exchange in `Doing::drop`.
            let state = self.word.load(Ordering::Acquire);
            state == DONE || !state.is_locked()
        };
        loop {
            spin::until(in_turn);
            let state = self.word.load(Ordering::Acquire);
            if state == DONE {
                return false;
            }
            assert!(
                state.owner() != me,
                "an initialisation runs once, and this one calls for itself: break the circle"
            );
            if !state.is_locked() || S::Owned::MORTAL && S::Owned::is_dead(state.owner()) {
                // ORDERING(once): Acquire; what was begun before, and not completed, is seen.
                if self.word.replace(state, state.owned_by(me), Ordering::Acquire).is_ok() {
                    return true;
                }
                continue;
            }
            let told = state.parked();
            if told == state || self.word.replace(state, told, Ordering::Relaxed).is_ok() {
                let look = if S::Owned::MORTAL { futex::deadline(LOOK) } else { None::<Instant> };
                self.word.sleep(told, look, Bed::Common);
            }
        }
    }
}

#[cfg(not(loom))]
const fn free<S: Scope>() -> S::Owned {
    S::Owned::FREE
}

#[cfg(loom)]
fn free<S: Scope>() -> S::Owned {
    S::Owned::free()
}

/// It is being done, by this thread.
struct Doing<'a, S: Scope> {
    once: &'a Once<S>,
    end: State,
}

impl<S: Scope> Drop for Doing<'_, S> {
    fn drop(&mut self) {
        let word = &self.once.word;
        let mut state = word.load(Ordering::Relaxed);
        // ORDERING(once): Release; pairs with the loads in `is_completed` and `begin`.
        while let Err(now) = word.replace(state, self.end, Ordering::Release) {
            state = now;
        }
        if state.is_parked() {
            word.wake(futex::ALL, Bed::Common);
        }
    }
}

impl<S: Scope> Default for Once<S> {
    fn default() -> Self {
        Once::in_scope()
    }
}

impl<S: Scope> fmt::Debug for Once<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("completed", &self.is_completed()).finish()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
