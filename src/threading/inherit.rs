//! What a thread of the system takes over from the one that starts it: the CPUs that it may run on, and its niceness.
//!
//! Where a third thread, the timers' clock, starts a thread on behalf of another, that is to be as if the other had
//! done so itself.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::fork::Fresh;
use crate::sys::{affinity, thread};

/// What there is to take over; nothing where the system does not say.
#[derive(Debug, Clone)]
pub(crate) struct Inherited {
    cpus: Option<Arc<[usize]>>,
    nice: Option<i32>,
}

/// The mask that was seen last: most threads have the same, and there may be a million timers.
static LAST: Fresh<Mutex<Option<Arc<[usize]>>>> = Fresh::new();

fn cpus_here() -> Option<Arc<[usize]>> {
    let cpus = affinity::allowed().ok()?;
    let mut last = LAST.get().lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_deref() != Some(&cpus[..]) {
        *last = Some(cpus.into());
    }
    last.clone()
}

impl Inherited {
    /// From the calling thread.
    pub(crate) fn here() -> Inherited {
        Inherited { cpus: cpus_here(), nice: thread::nice().ok() }
    }

    /// How nice that one is; as anybody, where the system does not say.
    pub(crate) fn nice(&self) -> i32 {
        self.nice.unwrap_or_default()
    }

    /// Makes the calling thread like that one, as far as the system lets it: a CPU may have gone meanwhile, and who is
    /// nicer than that one stays so without a privilege.
    pub(crate) fn take_on(&self) {
        if let Some(cpus) = &self.cpus {
            if affinity::allowed().is_ok_and(|now| now != cpus[..]) {
                let _ = affinity::set_allowed(cpus);
            }
        }
        if let Some(nice) = self.nice {
            if thread::nice().is_ok_and(|now| now != nice) {
                let _ = thread::set_nice(nice);
            }
        }
    }
}
