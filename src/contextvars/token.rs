//! What `set` gives back, and `reset` takes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::value::{Value, Variable};

/// Remembers what a variable was bound to before a [`set`](super::ContextVar::set), so that
/// [`reset`](super::ContextVar::reset) can bring it back.
///
/// Python's `contextvars.Token`; for its use in a `with` statement see [`Scoped`](super::Scoped). A token may be kept,
/// sent and looked at after it was used; it holds the old value for as long as it lives.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{ContextVar, Token};
///
/// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
/// let first = DEPTH.set(1);
/// let second = DEPTH.set(2);
/// assert_eq!(first.old_value(), Token::MISSING);
/// assert_eq!(second.old_value(), Some(&1));
///
/// DEPTH.reset(&second)?;
/// assert!(second.is_used() && !first.is_used());
/// assert_eq!(DEPTH.get(), Some(1));
/// # Ok::<(), gristmill::contextvars::ResetError>(())
/// ```
#[doc(alias = "contextvars.Token")]
pub struct Token<T> {
    variable: Variable,
    /// Of the context that the variable was set in.
    context: u64,
    old: Option<Value>,
    used: AtomicBool,
    of: std::marker::PhantomData<fn() -> T>,
}

/// Why a variable was not reset. It is as it was before.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{Context, ContextVar, ResetError};
///
/// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
/// static WIDTH: ContextVar<u32> = ContextVar::new("width");
/// let token = DEPTH.set(1);
/// assert!(matches!(WIDTH.reset(&token), Err(ResetError::DifferentVariable { .. })));
/// let elsewhere = Context::new().run(|| DEPTH.reset(&token))?;
/// assert!(matches!(elsewhere, Err(ResetError::DifferentContext { .. })));
/// assert_eq!(DEPTH.reset(&token), Ok(()));
/// assert!(matches!(DEPTH.reset(&token), Err(ResetError::AlreadyUsed { .. })));
/// # Ok::<(), gristmill::contextvars::EnterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The token has brought its value back already.
    #[error("this token of `{name}` has been used already; each `set` gives one that can be used once")]
    AlreadyUsed {
        /// The variable's name.
        name: &'static str,
    },
    /// The token comes from another variable.
    #[error("a token of `{token}` cannot reset `{name}`; use one that came from `{name}`'s own `set`")]
    DifferentVariable {
        /// The variable's name.
        name: &'static str,
        /// The name of the token's variable.
        token: &'static str,
    },
    /// The token comes from a `set` in another context.
    #[error("this token of `{name}` was made in another context; reset it in the context that it was set in")]
    DifferentContext {
        /// The variable's name.
        name: &'static str,
    },
}

impl<T: 'static> Token<T> {
    /// What [`old_value`](Token::old_value) says when the variable was not set before.
    ///
    /// # Examples
    ///
    /// See [`Token`].
    #[doc(alias = "contextvars.Token.MISSING")]
    pub const MISSING: Option<&'static T> = None;

    pub(super) fn new(variable: Variable, context: u64, old: Option<Value>) -> Self {
        Token { variable, context, old, used: AtomicBool::new(false), of: std::marker::PhantomData }
    }

    /// Which variable this is of.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// assert_eq!(DEPTH.set(1).variable(), DEPTH.variable());
    /// ```
    #[doc(alias = "contextvars.Token.var")]
    pub fn variable(&self) -> Variable {
        self.variable
    }

    /// What the variable was set to in that context before, or [`MISSING`](Token::MISSING). A default is no such value.
    ///
    /// # Examples
    ///
    /// See [`Token`].
    #[doc(alias = "contextvars.Token.old_value")]
    pub fn old_value(&self) -> Option<&T> {
        self.old.as_ref()?.downcast_ref()
    }

    /// Has it been used for a reset?
    ///
    /// # Examples
    ///
    /// See [`Token`].
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Uses the token up for `variable`, in the context of this number, and returns what to bring back.
    pub(super) fn spend(
        &self,
        variable: Variable,
        context: impl FnOnce() -> u64,
    ) -> Result<Option<Value>, ResetError> {
        let name = variable.name;
        if self.is_used() {
            return Err(ResetError::AlreadyUsed { name });
        }
        if self.variable != variable {
            return Err(ResetError::DifferentVariable { name, token: self.variable.name });
        }
        if self.context != context() {
            return Err(ResetError::DifferentContext { name });
        }
        // Only the thread that is in the token's context comes here, so nobody does so at the same time.
        self.used.store(true, Ordering::Relaxed);
        Ok(self.old.clone())
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = if self.used.load(Ordering::Relaxed) { "used " } else { "" };
        write!(f, "<{used}Token of {:?}>", self.variable)
    }
}
