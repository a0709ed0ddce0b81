//! What a thread will run, and how.

use crate::thread::end::is_exit;
use crate::thread::report;
use crate::unwind::{Payload, halt};

/// What runs, with the settings that take effect on the thread itself.
pub(crate) struct Body {
    pub(crate) run: Run,
    /// In bytes; 0 for the default.
    pub(crate) stack_size: usize,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) nice: Option<i32>,
}

pub(crate) type Run = Box<dyn FnOnce(&mut Stage<'_>) + Send>;

/// Where a thread's function runs.
pub(crate) struct Stage<'a> {
    /// Told of a panic that nobody caught.
    pub(crate) uncaught: &'a mut dyn FnMut(&Payload),
}

impl Stage<'_> {
    /// Runs `f`; a panic has been told of when it comes back as a value.
    pub(crate) fn call<T>(&mut self, f: impl FnOnce() -> T) -> Result<T, Payload> {
        let result = halt(f);
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
