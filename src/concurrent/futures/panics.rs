//! Panics of tasks as errors: with their message, and where they were.
//!
//! Only the panic hook is told where. So the first executor puts one in, which notes the place if the thread runs a task,
//! and then calls the one that was there before. A program that sets a hook of its own later has panics without a place.

use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::future::cycle;
use crate::future::error::{PanicLocation, TaskError};
use crate::mill::cancel;
use crate::unwind::{self, Payload};

/// Panics in tasks so far. Their number tells this task's from those before.
static PANICS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The last panic in a task on this thread: its number, and where it was.
    static LAST: Cell<Option<(u64, PanicLocation)>> = const { Cell::new(None) };
}

/// Notes from now on where tasks panic.
pub(super) fn note_places() {
    static PUT_IN: Once = Once::new();
    if std::thread::panicking() {
        // Then no hook can be put in; the next executor will.
        return;
    }
    PUT_IN.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if cycle::is_in_task() {
                let number = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
                let place = info.location().map(|location| (number, PanicLocation::new(location)));
                // In a thread that is ending nobody asks.
                let _ = LAST.try_with(|last| last.set(place));
            }
            before(info);
        }));
    });
}

/// Runs `f`, in a task, and returns its panic, or that it was cut short by its token, as an error.
#[inline]
pub(super) fn caught<T>(f: impl FnOnce() -> Result<T, TaskError>) -> Result<T, Box<TaskError>> {
    let before = PANICS.load(Ordering::Relaxed);
    match unwind::halt(f) {
        Ok(result) => result.map_err(Box::new),
        Err(payload) => Err(Box::new(error_of(payload, before))),
    }
}

#[cold]
fn error_of(payload: Payload, before: u64) -> TaskError {
    if cancel::is_unwinding(&payload) {
        unwind::drop_quietly(payload);
        return TaskError::Cancelled;
    }
    let message = message(&payload);
    unwind::drop_quietly(payload);
    let last = LAST.try_with(Cell::take).ok().flatten();
    let location = last.filter(|(number, _)| *number > before).map(|(_, location)| location);
    TaskError::Panicked { message, location }
}

/// What a panic says.
pub(super) fn message(payload: &Payload) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "it panicked with something that is no text".to_owned(),
    }
}
