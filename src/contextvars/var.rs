//! Variables.

#![allow(unsafe_code, reason = "a value is read as the type of the variable that it was bound by")]

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::current;
use super::token::{ResetError, Token};
use super::value::{Held, Value, Variable};

/// A variable whose value belongs to the context that the code runs in: a request's user, a depth, a locale.
///
/// Like a thread-local, it spares the functions in between from handing it on. Unlike one, its value follows the *work*:
/// a [`Context`](super::Context) can be copied, sent to another thread and entered there. Python's
/// `contextvars.ContextVar`. Make it a `static`: contexts are made of the variables that were ever set in them.
///
/// [`get`](ContextVar::get) clones the value and costs a nanosecond or two more than that; [`with`](ContextVar::with)
/// borrows it. Neither touches memory that other threads write.
///
/// Values are `Send + Sync`, since contexts go from thread to thread, and are dropped with the last context, copy or
/// token that has them. Their `Clone`, `Drop` and `PartialEq` may themselves use variables.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::ContextVar;
///
/// static USER: ContextVar<String> = ContextVar::new("user");
/// static RETRIES: ContextVar<u32> = ContextVar::with_default("retries", 3);
///
/// fn greet() -> String {
///     USER.with(|user| format!("hello, {}", user.map_or("stranger", String::as_str)))
/// }
///
/// assert_eq!(greet(), "hello, stranger");
/// let token = USER.set("ada".to_owned());
/// assert_eq!(greet(), "hello, ada");
/// USER.reset(&token)?;
/// assert_eq!(greet(), "hello, stranger");
/// assert_eq!(RETRIES.get(), Some(3));
/// # Ok::<(), gristmill::contextvars::ResetError>(())
/// ```
#[doc(alias = "contextvars.ContextVar")]
pub struct ContextVar<T> {
    name: &'static str,
    /// 0 until it is set, or its identity is asked for.
    id: AtomicU64,
    default: Default<T>,
    eq: Option<fn(&T, &T) -> bool>,
    /// Takes `T`s in and gives them out: neither a subtype nor a supertype will do.
    of: PhantomData<fn(T) -> T>,
}

enum Default<T> {
    None,
    Value(T),
    Made(fn() -> T, OnceLock<T>),
}

/// A variable has no value in the current context, and no default.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::ContextVar;
///
/// static USER: ContextVar<String> = ContextVar::new("user");
/// let error = USER.try_get().unwrap_err();
/// assert!(error.to_string().starts_with("context variable `user` has no value here"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "context variable `{name}` has no value here and no default; set it in this context, or use `get_or`"
)]
pub struct LookupError {
    name: &'static str,
}

impl<T> ContextVar<T> {
    /// A variable without a default.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static USER: ContextVar<String> = ContextVar::new("user");
    /// assert_eq!(USER.get(), None);
    /// ```
    pub const fn new(name: &'static str) -> Self {
        Self::make(name, Default::None)
    }

    /// A variable that has `value` wherever it is not set.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, copy_context};
    ///
    /// static RETRIES: ContextVar<u32> = ContextVar::with_default("retries", 3);
    /// assert_eq!(RETRIES.get(), Some(3));
    /// assert!(!copy_context().contains(&RETRIES)); // it is not set
    /// ```
    pub const fn with_default(name: &'static str, value: T) -> Self {
        Self::make(name, Default::Value(value))
    }

    /// A variable that has the value made by `make` wherever it is not set. It is made when first asked for, and kept.
    ///
    /// Should several threads ask first, each may make one; all see the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static LABELS: ContextVar<HashMap<&str, &str>> =
    ///     ContextVar::with_default_fn("labels", || HashMap::from([("service", "mill")]));
    /// assert_eq!(LABELS.with(|labels| labels.unwrap()["service"]), "mill");
    /// ```
    pub const fn with_default_fn(name: &'static str, make: fn() -> T) -> Self {
        Self::make(name, Default::Made(make, OnceLock::new()))
    }

    const fn make(name: &'static str, default: Default<T>) -> Self {
        ContextVar { name, id: AtomicU64::new(0), default, eq: None, of: PhantomData }
    }

    /// Lets [`Context`](super::Context)s be compared by what this variable is set to, and not only by whether it is set
    /// to the very same object.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth").comparable();
    /// let (one, other) = (Context::new(), Context::new());
    /// one.run(|| DEPTH.set(1))?;
    /// other.run(|| DEPTH.set(1))?;
    /// assert_eq!(one, other);
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    pub const fn comparable(mut self) -> Self
    where
        T: PartialEq,
    {
        self.eq = Some(T::eq);
        self
    }

    /// The name that it was made with.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// assert_eq!(ContextVar::<u32>::new("depth").name(), "depth");
    /// ```
    #[doc(alias = "contextvars.ContextVar.name")]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What identifies it among the variables of a context.
    ///
    /// # Examples
    ///
    /// See [`Variable`].
    pub fn variable(&self) -> Variable {
        Variable { id: self.id(), name: self.name }
    }

    fn id(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = self.id.load(Ordering::Relaxed);
        if id != 0 {
            return id;
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.id
            .compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(|first| first, |_| id)
    }
}

impl<T: Send + Sync + 'static> ContextVar<T> {
    /// A clone of the value in the current context, or else of the default.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// static USER: ContextVar<String> = ContextVar::new("user");
    /// assert_eq!((DEPTH.get(), USER.get()), (Some(0), None));
    /// DEPTH.set(1);
    /// assert_eq!(DEPTH.get(), Some(1));
    /// ```
    #[doc(alias = "contextvars.ContextVar.get")]
    #[inline]
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        self.with(|value| value.cloned())
    }

    /// A clone of the value in the current context, or else `default`, which goes before the variable's own.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// assert_eq!(DEPTH.get_or(7), 7);
    /// DEPTH.set(1);
    /// assert_eq!(DEPTH.get_or(7), 1);
    /// ```
    #[inline]
    pub fn get_or(&self, default: T) -> T
    where
        T: Clone,
    {
        self.with_set(|value| value.cloned()).unwrap_or(default)
    }

    /// A clone of the value in the current context, or else of the default, or else an error that names the variable.
    ///
    /// # Errors
    ///
    /// [`LookupError`] if there is neither.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, LookupError};
    ///
    /// static USER: ContextVar<String> = ContextVar::new("user");
    /// fn greeting() -> Result<String, LookupError> {
    ///     Ok(format!("hello, {}", USER.try_get()?))
    /// }
    /// assert!(greeting().is_err());
    /// USER.set("ada".to_owned());
    /// assert_eq!(greeting().unwrap(), "hello, ada");
    /// ```
    #[inline]
    pub fn try_get(&self) -> Result<T, LookupError>
    where
        T: Clone,
    {
        self.get().ok_or(LookupError { name: self.name })
    }

    /// Shows `look` the value in the current context, or else the default.
    ///
    /// `look` may set the variable, and enter contexts: what it is shown stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static PATH: ContextVar<Vec<String>> = ContextVar::new("path");
    /// PATH.set(vec!["usr".to_owned(), "lib".to_owned()]);
    /// assert_eq!(PATH.with(|path| path.map(|path| path.join("/"))), Some("usr/lib".to_owned()));
    /// ```
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        self.with_set(|value| look(value.or_else(|| self.default())))
    }

    #[inline]
    fn with_set<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: values are bound to this number by `set` and `reset` alone, and those are of `T`; no other variable
        // has the number. (That of a variable which was never set is 0, to which nothing is bound.)
        unsafe { current::with_value(self.id.load(Ordering::Relaxed), look) }
    }

    #[inline]
    fn default(&self) -> Option<&T> {
        match &self.default {
            Default::None => None,
            Default::Value(value) => Some(value),
            // `make` runs outside of the lock's own initialization: it may ask for this very default.
            Default::Made(make, made) => made.get().or_else(|| {
                let value = make();
                Some(made.get_or_init(|| value))
            }),
        }
    }

    /// Sets the variable to `value` in the current context. The token can bring back what was there.
    ///
    /// Copies of the context that were made before do not see it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, copy_context};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// let before = copy_context();
    /// DEPTH.set(1);
    /// assert_eq!((DEPTH.get(), before.get(&DEPTH)), (Some(1), None));
    /// ```
    #[doc(alias = "contextvars.ContextVar.set")]
    pub fn set(&self, value: T) -> Token<T> {
        let variable = self.variable();
        let value = Value(Arc::new(Held { variable, eq: self.eq, value }));
        let context = current::id();
        Token::new(variable, context, current::replace(variable.id, Some(value)))
    }

    /// Sets the variable to what it was before the `set` that `token` comes from, whatever it was set to since.
    ///
    /// # Errors
    ///
    /// If the token has been used already, comes from another variable, or was made in another context; looked for in
    /// that order. Nothing is changed then, and the token is as good as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// let token = DEPTH.set(1);
    /// DEPTH.set(2);
    /// DEPTH.reset(&token)?;
    /// assert_eq!(DEPTH.get(), None);
    /// # Ok::<(), gristmill::contextvars::ResetError>(())
    /// ```
    #[doc(alias = "contextvars.ContextVar.reset")]
    pub fn reset(&self, token: &Token<T>) -> Result<(), ResetError> {
        self.bring_back(token).map(drop)
    }

    /// As [`reset`](Self::reset); returns what the variable was bound to until now.
    pub(super) fn bring_back(&self, token: &Token<T>) -> Result<Option<Value>, ResetError> {
        let old = token.spend(self.variable(), current::id)?;
        Ok(current::replace(self.id(), old))
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_default = !matches!(self.default, Default::None);
        f.debug_struct("ContextVar")
            .field("variable", &self.variable())
            .field("has_default", &has_default)
            .finish()
    }
}
