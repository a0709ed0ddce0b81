//! CPython's own queues, context variables and scheduler, by a script in an interpreter found on this machine.

use std::time::Duration;

use super::contest::Contestant;
use crate::compare::python;

const SCRIPT: &str = include_str!("rooms.py");

/// CPython doing `what`, one of the functions of the script; `None` if there is no CPython.
pub(super) fn contestant(what: &'static str, threads: usize) -> Option<Contestant> {
    let python = python::find().ok()?;
    Some(Contestant::new("cpython", threads, move || {
        let said = python.script(SCRIPT, what, Duration::from_secs(60));
        vec![said.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN)]
    }))
}
