//! Panics as values: caught where a job ends, carried to whoever waits, never let out of a `drop`.

#![allow(unsafe_code, reason = "taking a value out of its `ManuallyDrop` once")]

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// Runs `f` and returns its panic as a value.
///
/// Unwind safety is the caller's promise: the panic is either handed on to whoever waits for the result,
/// as if it had happened there, or nothing that `f` touched is looked at again.
pub(crate) fn halt<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(f))
}

/// Continues a panic that [`halt`] caught, without running the panic hook again.
pub(crate) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}

/// Drops `value`; a panic in its `drop` has been reported by the panic hook and goes no further.
pub(crate) fn drop_quietly<T>(value: T) {
    if let Err(payload) = halt(|| drop(value)) {
        // The payload's own drop could panic as well: leak it rather than start over.
        std::mem::forget(payload);
    }
}

/// A value that an unwinding panic passes by: its `drop` may panic without aborting the process.
pub(crate) struct Held<T>(ManuallyDrop<T>);

impl<T> Held<T> {
    #[inline(always)]
    pub(crate) fn new(value: T) -> Self {
        Held(ManuallyDrop::new(value))
    }

    #[inline(always)]
    pub(crate) fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the value is taken exactly once.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        // SAFETY: `into_inner` forgets `self`, so nobody has taken the value, and nobody sees it again.
        drop_quietly(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }

    #[test]
    fn a_panic_comes_back_as_its_payload() {
        let payload = halt(|| -> () { resume(Box::new(7_u32)) }).unwrap_err();
        assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
    }

    #[test]
    fn a_held_bomb_does_not_abort_an_unwinding_thread() {
        let payload = halt(|| {
            let _held = Held::new(Bomb);
            resume(Box::new("first"));
        })
        .unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"first"));
    }

    #[test]
    fn a_payload_that_panics_in_its_drop_is_dropped_quietly() {
        struct Outer(#[allow(dead_code, reason = "dropped with its owner")] Bomb);
        let payload: Payload = Box::new(Outer(Bomb));
        drop_quietly(payload);
    }
}
