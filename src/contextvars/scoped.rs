//! A variable that is set for the length of a block.

use super::token::{ResetError, Token};
use super::var::ContextVar;
use crate::unwind::drop_quietly;

/// Resets its variable when it is dropped; from [`ContextVar::set_scoped`].
///
/// Python's `with var.set(value):`. The variable gets back what it had before that `set`, whatever it was set to since.
/// A guard that is held in a future across an `.await` belongs to the context that the future is polled in: let the
/// future have one of its own ([`instrument`](super::instrument())).
///
/// Where the reset cannot be done, dropping the guard leaves the variable alone; [`exit`](Scoped::exit) says why.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{ContextVar, ResetError};
///
/// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
/// let outer = DEPTH.set_scoped(1);
/// let inner = DEPTH.set_scoped(2);
/// DEPTH.set(3);
/// drop(inner);
/// assert_eq!(DEPTH.get(), Some(1));
///
/// DEPTH.reset(outer.token())?; // by hand: then there is nothing left to do at the end
/// assert!(matches!(outer.exit(), Err(ResetError::AlreadyUsed { .. })));
/// # Ok::<(), ResetError>(())
/// ```
#[derive(Debug)]
#[must_use = "the variable is reset when this is dropped"]
#[doc(alias = "contextvars.Token.__enter__")]
pub struct Scoped<'a, T: Send + Sync + 'static> {
    variable: &'a ContextVar<T>,
    /// Taken by whoever ends it early.
    token: Option<Token<T>>,
}

impl<T: Send + Sync + 'static> Scoped<'_, T> {
    /// The token of the `set` that began this.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, Token};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// assert_eq!(DEPTH.set_scoped(1).token().old_value(), Token::MISSING);
    /// ```
    pub fn token(&self) -> &Token<T> {
        let Some(token) = &self.token else { unreachable!("only what consumes the guard takes it") };
        token
    }

    /// Resets the variable now, and says whether that could be done.
    ///
    /// # Errors
    ///
    /// As [`ContextVar::reset`]: the token was used meanwhile, or this is another context.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar, ResetError};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// assert_eq!(DEPTH.set_scoped(1).exit(), Ok(()));
    ///
    /// let guard = DEPTH.set_scoped(1);
    /// let elsewhere = Context::new().run(|| guard.exit())?;
    /// assert!(matches!(elsewhere, Err(ResetError::DifferentContext { .. })));
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    pub fn exit(mut self) -> Result<(), ResetError> {
        match self.token.take() {
            Some(token) => self.variable.reset(&token),
            None => Ok(()),
        }
    }

    /// Lets the variable stay as it is, and returns the token.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// let token = DEPTH.set_scoped(1).disarm();
    /// assert_eq!(DEPTH.get(), Some(1));
    /// DEPTH.reset(&token)?;
    /// # Ok::<(), gristmill::contextvars::ResetError>(())
    /// ```
    pub fn disarm(mut self) -> Token<T> {
        let Some(token) = self.token.take() else { unreachable!("only what consumes the guard takes it") };
        token
    }
}

impl<T: Send + Sync + 'static> Drop for Scoped<'_, T> {
    fn drop(&mut self) {
        // The thread may be unwinding, and values may panic as they are dropped.
        if let Some(token) = self.token.take() {
            drop_quietly(self.variable.bring_back(&token));
            drop_quietly(token);
        }
    }
}

impl<T: Send + Sync + 'static> ContextVar<T> {
    /// Sets the variable to `value` until the guard is dropped, by whatever way the block is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// {
    ///     let _depth = DEPTH.set_scoped(1);
    ///     assert_eq!(DEPTH.get(), Some(1));
    /// }
    /// assert_eq!(DEPTH.get(), Some(0));
    /// ```
    pub fn set_scoped(&self, value: T) -> Scoped<'_, T> {
        Scoped { variable: self, token: Some(self.set(value)) }
    }

    /// Runs `f` with the variable set to `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// assert_eq!(DEPTH.scope(1, || DEPTH.get()), Some(1));
    /// assert_eq!(DEPTH.get(), Some(0));
    /// ```
    pub fn scope<R>(&self, value: T, f: impl FnOnce() -> R) -> R {
        let _scoped = self.set_scoped(value);
        f()
    }
}
