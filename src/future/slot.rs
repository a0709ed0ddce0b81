//! The waker of an async task that awaits a future.

#![allow(unsafe_code, reason = "a listener in a box that the future's list points to")]

use std::ptr::NonNull;
use std::task::{Context, Poll};

use crate::future::cell::Core;
use crate::future::listener::{Listener, Tell};

/// Holds the listener that wakes the task, while it is pushed. Whoever has a slot [empties](Self::empty) it before he
/// drops it.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<NonNull<Listener>>);

// SAFETY: a listener may be used from any thread.
unsafe impl Send for Slot {}
// SAFETY: nothing is done through a shared reference.
unsafe impl Sync for Slot {}

impl Slot {
    /// Is the future done? If not, the task is woken when it is.
    pub(crate) fn poll(&mut self, core: &Core, context: &Context<'_>) -> Poll<()> {
        if let Some(listener) = self.0 {
            // SAFETY: ours, and alive until it is emptied.
            let same = match unsafe { &listener.as_ref().tell } {
                Tell::Waker(waker) => waker.will_wake(context.waker()),
                _ => false,
            };
            if same && !core.is_done() {
                return Poll::Pending;
            }
            self.empty(core);
        }
        if core.is_done() {
            return Poll::Ready(());
        }
        let listener = Box::new(Listener::new(Tell::Waker(context.waker().clone())));
        // SAFETY: out of a box.
        let listener = unsafe { NonNull::new_unchecked(Box::into_raw(listener)) };
        // SAFETY: just made, and nobody frees it before it is told or removed.
        if core.word.push(unsafe { listener.as_ref() }) {
            self.0 = Some(listener);
            return Poll::Pending;
        }
        // SAFETY: nobody has seen it.
        drop(unsafe { Box::from_raw(listener.as_ptr()) });
        Poll::Ready(())
    }

    /// Takes the listener off the list of its future, which is the one it was [polled](Self::poll) for.
    pub(crate) fn empty(&mut self, core: &Core) {
        let Some(listener) = self.0.take() else { return };
        {
            // SAFETY: ours, and alive until below.
            let listener = unsafe { listener.as_ref() };
            if !core.word.remove(listener) {
                listener.await_told();
            }
        }
        // SAFETY: out of a box; it was removed or told, so nobody else looks at it any more.
        drop(unsafe { Box::from_raw(listener.as_ptr()) });
    }
}
