//! Contexts.

use std::fmt;

use super::bindings::{Bindings, EnterError, Versioned};
use super::current;
use super::value::{Value, Variable};
use super::var::ContextVar;
use crate::prim::const_fn;

/// What the variables are set to for one line of work: a request, a task, a thread.
///
/// Every thread begins in an empty context of its own. [`run`](Context::run) runs a closure in another one: what is set
/// there stays in it, and the caller's is as before. A clone is a copy that goes its own way, and costs a reference
/// count, however many variables there are; so does [`copy_context`]. A context can be sent to, and read from, any
/// thread, but one thread at a time can be in it. Python's `contextvars.Context`.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{ContextVar, copy_context};
///
/// static USER: ContextVar<String> = ContextVar::new("user");
/// USER.set("ada".to_owned());
///
/// let context = copy_context();
/// let there = std::thread::spawn(move || {
///     assert_eq!(USER.get(), None); // this thread's own context is empty
///     context.run(|| {
///         assert_eq!(USER.get().as_deref(), Some("ada"));
///         USER.set("grace".to_owned());
///     })?;
///     Ok::<_, gristmill::contextvars::EnterError>(context)
/// });
/// let context = there.join().unwrap()?;
/// assert_eq!(context.get(&USER).as_deref(), Some("grace"));
/// assert_eq!(USER.get().as_deref(), Some("ada"));
/// # Ok::<(), gristmill::contextvars::EnterError>(())
/// ```
#[doc(alias = "contextvars.Context")]
pub struct Context {
    bindings: Bindings,
}

/// A copy of the context that the calling thread is in.
///
/// Costs a reference count, however many variables are set. Python's `contextvars.copy_context`.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{ContextVar, copy_context};
///
/// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
/// DEPTH.set(1);
/// let copy = copy_context();
/// DEPTH.set(2);
/// assert_eq!(copy.get(&DEPTH), Some(1));
/// ```
#[doc(alias = "contextvars.copy_context")]
#[inline]
pub fn copy_context() -> Context {
    Context { bindings: Bindings::new(current::snapshot()) }
}

impl Context {
    const_fn! {
        /// An empty context.
        ///
        /// # Examples
        ///
        /// ```
        /// use gristmill::contextvars::Context;
        ///
        /// static CONTEXT: Context = Context::new();
        /// assert!(CONTEXT.is_empty());
        /// ```
        pub fn new() -> Context {
            Context { bindings: Bindings::new(Versioned::EMPTY) }
        }
    }

    /// Runs `f` in this context and returns what it returns.
    ///
    /// Should `f` panic, the caller's context is current again all the same, and this one keeps what was set.
    ///
    /// # Errors
    ///
    /// [`EnterError::AlreadyEntered`] if a thread is in this context, be it this one further up the stack. `f` is
    /// dropped then.
    ///
    /// # Memory ordering
    ///
    /// What a thread did before it left the context is seen by the next one that enters it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// let context = Context::new();
    /// context.run(|| DEPTH.set(1))?;
    /// assert_eq!((context.run(|| DEPTH.get())?, DEPTH.get()), (Some(1), Some(0)));
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    #[doc(alias = "contextvars.Context.run")]
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, EnterError> {
        current::run(&self.bindings, f)
    }

    /// Is the calling thread in this context, if maybe not innermost?
    pub(super) fn is_mine(&self) -> bool {
        current::is_inside(&self.bindings)
    }

    fn value(&self, variable: Variable) -> Option<Value> {
        self.bindings.read(|current| current.map.get(variable.id).cloned())
    }

    /// A clone of what `variable` is set to here. Defaults do not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// let context = Context::new();
    /// assert_eq!(context.get(&DEPTH), None);
    /// context.run(|| DEPTH.set(1))?;
    /// assert_eq!(context.get(&DEPTH), Some(1));
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    #[doc(alias = "contextvars.Context.__getitem__")]
    #[doc(alias = "contextvars.Context.get")]
    pub fn get<T: Clone + Send + Sync + 'static>(&self, variable: &ContextVar<T>) -> Option<T> {
        self.with(variable, |value| value.cloned())
    }

    /// Shows `look` what `variable` is set to here. Defaults do not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, copy_context};
    ///
    /// static PATH: ContextVar<Vec<u32>> = ContextVar::new("path");
    /// PATH.set(vec![1, 2]);
    /// assert_eq!(copy_context().with(&PATH, |path| path.map(Vec::len)), Some(2));
    /// ```
    pub fn with<T: Send + Sync + 'static, R>(
        &self,
        variable: &ContextVar<T>,
        look: impl FnOnce(Option<&T>) -> R,
    ) -> R {
        let value = self.value(variable.variable());
        look(value.as_ref().and_then(Value::downcast_ref))
    }

    /// Is `variable` set here? Defaults do not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, copy_context};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    /// assert!(!copy_context().contains(&DEPTH));
    /// DEPTH.set(0);
    /// assert!(copy_context().contains(&DEPTH));
    /// ```
    #[doc(alias = "contextvars.Context.__contains__")]
    pub fn contains<T>(&self, variable: &ContextVar<T>) -> bool {
        let variable = variable.variable();
        self.bindings.read(|current| current.map.get(variable.id).is_some())
    }

    /// How many variables are set here.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// let context = Context::new();
    /// context.run(|| DEPTH.set(1))?;
    /// assert_eq!(context.len(), 1);
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    #[doc(alias = "contextvars.Context.__len__")]
    pub fn len(&self) -> usize {
        self.bindings.read(|current| current.map.len())
    }

    /// Is no variable set here?
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::Context;
    ///
    /// assert!(Context::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The variables that are set here, each with its value, as they are now and in no particular order.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// let context = Context::new();
    /// context.run(|| DEPTH.set(3))?;
    /// for (variable, value) in &context {
    ///     assert_eq!((variable.name(), value.downcast_ref()), ("depth", Some(&3_u32)));
    /// }
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    #[doc(alias = "contextvars.Context.items")]
    pub fn iter(&self) -> Iter {
        // The copy is of one moment; it is taken apart outside of the lock.
        let map = self.bindings.read(|current| current.map.clone());
        Iter(map.values().into_iter())
    }

    /// The variables that are set here, as [`iter`](Context::iter).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, ContextVar};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// let context = Context::new();
    /// context.run(|| DEPTH.set(3))?;
    /// assert!(context.keys().eq([DEPTH.variable()]));
    /// # Ok::<(), gristmill::contextvars::EnterError>(())
    /// ```
    #[doc(alias = "contextvars.Context.keys")]
    pub fn keys(&self) -> impl Iterator<Item = Variable> + use<> {
        self.iter().map(|(variable, _)| variable)
    }

    /// The values that variables are set to here, as [`iter`](Context::iter).
    ///
    /// # Examples
    ///
    /// See [`Value`].
    #[doc(alias = "contextvars.Context.values")]
    pub fn values(&self) -> impl Iterator<Item = Value> + use<> {
        self.iter().map(|(_, value)| value)
    }
}

impl Default for Context {
    fn default() -> Self {
        Context::new()
    }
}

/// A copy of what is set now, also while some thread is in the context. It goes its own way, and nobody is in it.
///
/// Costs a reference count. Python's `Context.copy`.
impl Clone for Context {
    fn clone(&self) -> Self {
        Context { bindings: Bindings::new(self.bindings.read(Versioned::clone)) }
    }
}

/// Equal are contexts in which the same variables are set to equal values. Two values are equal if they are the same
/// object, or if their variable is [`comparable`](ContextVar::comparable) and finds them so.
impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        let copy = |context: &Context| context.bindings.read(|current| current.map.clone());
        // The values' comparison runs on copies, and may change either context.
        let (one, other) = (copy(self), copy(other));
        let is_equal = |value: &Value| {
            other.get(value.0.variable().id).is_some_and(|counterpart| value.equals(counterpart))
        };
        one.is_copy_of(&other) || one.len() == other.len() && one.values().iter().all(is_equal)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context ")?;
        f.debug_set().entries(self.keys()).finish()
    }
}

impl IntoIterator for &Context {
    type Item = (Variable, Value);
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// The variables of a context at one moment; from [`Context::iter`].
///
/// # Examples
///
/// See [`Context::iter`].
#[derive(Debug, Clone)]
pub struct Iter(std::vec::IntoIter<Value>);

impl Iterator for Iter {
    type Item = (Variable, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|value| (value.0.variable(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter {}

/// What a context was at some moment, to be run in later: the smallest form of [`copy_context`], for jobs and threads.
pub(crate) struct Captured(Versioned);

/// Captures the context that the calling thread is in.
#[inline]
pub(crate) fn capture() -> Captured {
    Captured(current::snapshot())
}

impl Captured {
    /// Runs `f` in a context of its own that begins as the captured one.
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let bindings = Bindings::new(self.0);
        let Ok(result) = current::run(&bindings, f) else { unreachable!("nobody else has seen it") };
        result
    }
}

/// `f`, to be called anywhere in a copy of the context that the calling thread is in now.
///
/// Hand this to what knows nothing of contexts: `std::thread::spawn`, a callback, another library's pool.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{ContextVar, inherit};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
/// USER.set("ada");
/// let there = std::thread::spawn(inherit(|| USER.get()));
/// assert_eq!(there.join().unwrap(), Some("ada"));
/// ```
pub fn inherit<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let captured = capture();
    move || captured.run(f)
}
