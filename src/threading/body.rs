//! What a thread will run, and how.

use std::sync::Arc;

use crate::contextvars::{Captured, Context, capture, thread_inherit_context};
use crate::thread::end::is_exit;
use crate::thread::report;
use crate::threading::inherit::Inherited;
use crate::unwind::{Payload, halt};

/// What runs, with the settings that take effect on the thread itself.
pub(crate) struct Body {
    pub(crate) run: Run,
    /// In bytes; 0 for the default.
    pub(crate) stack_size: usize,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) nice: Option<i32>,
    /// What it would have from its starter, if that is not the thread which calls the system.
    pub(crate) inherited: Option<Inherited>,
    pub(crate) policy: ContextPolicy,
    /// What the policy asked for, once the thread is being started.
    pub(crate) captured: Option<Captured>,
}

/// Which [context](crate::contextvars) a thread runs in.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gristmill::contextvars::{Context, ContextVar};
/// use gristmill::threading::{ContextPolicy, Thread};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
/// USER.set("ada");
/// let seen_by = |policy| Thread::builder().context(policy).spawn(|| USER.get()).unwrap().join().unwrap();
/// assert_eq!(seen_by(ContextPolicy::Copy), Some("ada"));
/// assert_eq!(seen_by(ContextPolicy::Empty), None);
/// assert_eq!(seen_by(ContextPolicy::In(Arc::new(Context::new()))), None);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ContextPolicy {
    /// A copy of the context of whoever starts it, or an empty one, as [`thread_inherit_context`] says.
    #[default]
    Inherit,
    /// A copy of the context of whoever starts it.
    Copy,
    /// An empty context.
    Empty,
    /// This one, which keeps what the thread sets. If somebody is in it when the thread begins, the thread panics.
    In(Arc<Context>),
}

impl ContextPolicy {
    /// What there is to be taken along from the thread that starts the other.
    pub(crate) fn capture(&self) -> Option<Captured> {
        match self {
            ContextPolicy::Inherit => thread_inherit_context().then(capture),
            ContextPolicy::Copy => Some(capture()),
            ContextPolicy::Empty | ContextPolicy::In(_) => None,
        }
    }
}

pub(crate) type Run = Box<dyn FnOnce(&mut Stage<'_>) + Send>;

/// Where a thread's function runs.
pub(crate) struct Stage<'a> {
    pub(crate) policy: ContextPolicy,
    pub(crate) captured: Option<Captured>,
    /// Told of a panic that nobody caught.
    pub(crate) uncaught: &'a mut dyn FnMut(&Payload),
}

impl Stage<'_> {
    /// Runs `f`; a panic has been told of when it comes back as a value.
    pub(crate) fn call<T>(&mut self, f: impl FnOnce() -> T) -> Result<T, Payload> {
        let (policy, captured) = (std::mem::take(&mut self.policy), self.captured.take());
        let result = halt(|| match (policy, captured) {
            (ContextPolicy::In(context), _) => context.run(f).unwrap_or_else(|error| panic!("{error}")),
            (_, Some(captured)) => captured.run(f),
            // A thread of its own begins in an empty one.
            (_, None) => f(),
        });
        if let Err(payload) = &result {
            if !is_exit(payload) {
                (self.uncaught)(payload);
            }
        }
        // What panics from here on is no part of `f`, and the panic hook tells of it.
        report::hush(None);
        result
    }
}
