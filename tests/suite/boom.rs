//! Panics that tests cause on purpose, and that nobody needs to read about.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Once;

/// The payload of a panic that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boom(pub(crate) u32);

static QUIET: Once = Once::new();

/// From now on a [`Boom`] is not reported; all other panics are.
pub(crate) fn quiet() {
    QUIET.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Boom>() {
                report(info);
            }
        }));
    });
}

/// Panics with `Boom(number)`.
pub(crate) fn boom(number: u32) -> ! {
    quiet();
    panic_any(Boom(number))
}

/// The number of the [`Boom`] that `f` panics with; `None` if it returns. Other panics go on.
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Option<u32> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    match payload.downcast::<Boom>() {
        Ok(boom) => Some(boom.0),
        Err(other) => std::panic::resume_unwind(other),
    }
}

/// Panics with its number when it is dropped.
pub(crate) struct Bomb(pub(crate) u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        boom(self.0);
    }
}
