//! A variable's identity, and values whose type only their variable knows.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Which variable: what is the same for it everywhere, without its type.
///
/// Two are equal when they are of the same [`ContextVar`](super::ContextVar); names do not count.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::ContextVar;
///
/// static USER: ContextVar<String> = ContextVar::new("user");
/// static OTHER: ContextVar<String> = ContextVar::new("user");
/// assert_eq!(USER.variable(), USER.variable());
/// assert_ne!(USER.variable(), OTHER.variable());
/// assert_eq!(USER.variable().name(), "user");
/// ```
#[derive(Clone, Copy)]
pub struct Variable {
    pub(super) id: u64,
    pub(super) name: &'static str,
}

impl Variable {
    /// The name that the variable was made with.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::ContextVar;
    ///
    /// let depth: ContextVar<u32> = ContextVar::new("depth");
    /// assert_eq!(depth.variable().name(), "depth");
    /// ```
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl PartialEq for Variable {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Variable {}

impl std::hash::Hash for Variable {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.name, self.id)
    }
}

/// A value as a context keeps it.
pub(super) struct Held<T> {
    pub(super) variable: Variable,
    /// How two values are compared, if the variable knows.
    pub(super) eq: Option<fn(&T, &T) -> bool>,
    pub(super) value: T,
}

/// A [`Held`] without its type.
pub(super) trait Stored: Send + Sync {
    fn variable(&self) -> Variable;
    /// Where the value itself is.
    fn address(&self) -> *const ();
    fn any(&self) -> &(dyn Any + Send + Sync);
    /// Runs the values' own comparison.
    fn equals(&self, other: &dyn Stored) -> bool;
}

impl<T: Send + Sync + 'static> Stored for Held<T> {
    fn variable(&self) -> Variable {
        self.variable
    }

    fn address(&self) -> *const () {
        std::ptr::from_ref(&self.value).cast()
    }

    fn any(&self) -> &(dyn Any + Send + Sync) {
        &self.value
    }

    fn equals(&self, other: &dyn Stored) -> bool {
        let other: &dyn Any = other.any();
        match (self.eq, other.downcast_ref()) {
            (Some(eq), Some(other)) => eq(&self.value, other),
            _ => false,
        }
    }
}

/// A value of a context, shared with it, whose type is found out by asking.
///
/// [`Context::iter`](super::Context::iter) and [`Context::values`](super::Context::values) give these.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{Context, ContextVar};
///
/// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
/// let context = Context::new();
/// context.run(|| DEPTH.set(3))?;
/// let value = context.values().next().expect("there is one");
/// assert_eq!(value.downcast_ref::<u32>(), Some(&3));
/// assert_eq!(value.downcast_ref::<String>(), None);
/// # Ok::<(), gristmill::contextvars::EnterError>(())
/// ```
#[derive(Clone)]
pub struct Value(pub(super) Arc<dyn Stored>);

impl Value {
    /// The value, if it is a `T`.
    ///
    /// # Examples
    ///
    /// See [`Value`].
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        let any: &dyn Any = self.0.any();
        any.downcast_ref()
    }

    /// The value, of whatever type.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, copy_context};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::new("depth");
    /// DEPTH.set(3);
    /// assert!(copy_context().values().all(|value| value.as_any().is::<u32>()));
    /// ```
    pub fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self.0.any()
    }

    /// The same object, or equal by the values' own comparison.
    pub(super) fn equals(&self, other: &Value) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.equals(&*other.0)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value of {:?}", self.0.variable())
    }
}
