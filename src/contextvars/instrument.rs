//! Futures that run in a context.

#![allow(unsafe_code, reason = "a pinned field, dropped in its context")]

use std::borrow::Borrow;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{self, Poll};

use super::bindings::EnterError;
use super::context::{Context, copy_context};

/// A future that runs in a context: it is entered for every poll, and for the future's drop.
///
/// So what the future sets is seen by itself alone, across its `.await`s and whatever thread polls it, as with a task of
/// Python's asyncio. It works with every executor. `C` is a [`Context`], or an `Arc<Context>` or `&Context` that others
/// share.
///
/// Futures that share a context take turns: one that is polled while another thread is in the context asks to be polled
/// again.
///
/// # Panics
///
/// Polling panics if the calling thread is in the shared context already, further up the stack: it would wait for itself.
///
/// # Examples
///
/// See [`instrument`] and [`WithContext`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Instrumented<F, C: Borrow<Context> = Context> {
    /// Pinned whenever this is. Dropped by our own `drop` alone.
    future: ManuallyDrop<F>,
    context: C,
}

/// Lets `future` run in a copy of the context that the calling thread is in now.
///
/// # Examples
///
/// ```
/// use std::future::Future;
/// use gristmill::contextvars::{ContextVar, instrument};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
///
/// let mut task = USER.scope("ada", || {
///     Box::pin(instrument(async {
///         let user = USER.get();
///         USER.set("nobody"); // seen by this future alone
///         user
///     }))
/// });
/// let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Some("ada")));
/// assert_eq!(USER.get(), None);
/// ```
#[doc(alias = "asyncio.create_task")]
pub fn instrument<F: Future>(future: F) -> Instrumented<F> {
    future.with_context(copy_context())
}

/// Lets futures run in contexts.
///
/// # Examples
///
/// ```
/// use std::future::Future;
/// use std::sync::Arc;
/// use gristmill::contextvars::{Context, ContextVar, WithContext};
///
/// static STEPS: ContextVar<u32> = ContextVar::with_default("steps", 0);
/// async fn step() {
///     STEPS.set(STEPS.get().unwrap_or(0) + 1);
/// }
///
/// let shared = Arc::new(Context::new());
/// for _ in 0..3 {
///     let mut task = Box::pin(step().with_context(Arc::clone(&shared)));
///     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
///     assert!(task.as_mut().poll(&mut cx).is_ready());
/// }
/// assert_eq!(shared.get(&STEPS), Some(3));
/// ```
pub trait WithContext: Future + Sized {
    /// Lets this future run in `context`: one of its own, or one that it shares by `Arc` or reference.
    ///
    /// # Examples
    ///
    /// See [`WithContext`].
    fn with_context<C: Borrow<Context>>(self, context: C) -> Instrumented<Self, C> {
        Instrumented { future: ManuallyDrop::new(self), context }
    }

    /// Lets this future run in a copy of the context that the calling thread is in now: [`instrument`] as a method.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{ContextVar, WithContext};
    ///
    /// static USER: ContextVar<&str> = ContextVar::new("user");
    /// USER.set("ada");
    /// let task = async { USER.get() }.with_current_context();
    /// assert_eq!(task.context().get(&USER), Some("ada"));
    /// ```
    fn with_current_context(self) -> Instrumented<Self> {
        instrument(self)
    }
}

impl<F: Future> WithContext for F {}

impl<F, C: Borrow<Context>> Instrumented<F, C> {
    /// The context that the future runs in.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::contextvars::{Context, WithContext};
    ///
    /// assert!(async {}.with_context(Context::new()).context().is_empty());
    /// ```
    pub fn context(&self) -> &Context {
        self.context.borrow()
    }
}

impl<F: Future, C: Borrow<Context>> Future for Instrumented<F, C> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of it below.
        let this = unsafe { self.get_unchecked_mut() };
        let context: &Context = this.context.borrow();
        // SAFETY: `future` is pinned as `this` is: it is never moved, and dropped in place by our `drop`.
        let future = unsafe { Pin::new_unchecked(&mut *this.future) };
        match context.run(|| future.poll(cx)) {
            Ok(poll) => poll,
            Err(EnterError::AlreadyEntered) => {
                assert!(
                    !context.is_mine(),
                    "a future was polled by a thread that is in the future's context already, and would wait for itself; \
                     give the future a clone of the context"
                );
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl<F, C: Borrow<Context>> Drop for Instrumented<F, C> {
    fn drop(&mut self) {
        /// Drops the future, wherever this is dropped.
        struct Last<'a, F>(&'a mut ManuallyDrop<F>);
        impl<F> Drop for Last<'_, F> {
            fn drop(&mut self) {
                // SAFETY: made once, in the `drop` of what owns it.
                unsafe { ManuallyDrop::drop(self.0) };
            }
        }
        let last = Last(&mut self.future);
        // If somebody is in the context, `run` drops the closure, and the future goes outside of it.
        let _ = self.context.borrow().run(move || drop(last));
    }
}
