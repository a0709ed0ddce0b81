//! Where work from outside comes in: one inbox for each NUMA node and priority.

use crate::mill::deque::{Inbox, Own};
use crate::mill::job::JobRef;

/// How urgent a spawned job is, against other spawned jobs of the same mill.
///
/// Workers look at the bands in this order whenever they are free. A job that runs is not interrupted, and a
/// job that somebody waits for in a `join`, `scope` or loop goes before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Before all else that was spawned.
    High,
    /// The usual.
    #[default]
    Normal,
    /// Only when there is nothing else to do anywhere.
    Low,
}

/// A node's inboxes, by priority.
pub(crate) struct Bands([Inbox; 3]);

impl Bands {
    pub(crate) fn new() -> Self {
        Bands([Inbox::new(), Inbox::new(), Inbox::new()])
    }

    pub(crate) fn push(&self, priority: Priority, job: JobRef) {
        self.0[priority as usize].push(job);
    }

    pub(crate) fn take(&self, priority: Priority) -> Option<JobRef> {
        let inbox = &self.0[priority as usize];
        if inbox.is_empty() { None } else { inbox.take() }
    }

    /// Takes one job of normal priority, and moves more to `into`.
    pub(crate) fn take_batch(&self, into: &Own) -> Option<JobRef> {
        let inbox = &self.0[Priority::Normal as usize];
        if inbox.is_empty() { None } else { inbox.take_batch(into) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Inbox::is_empty)
    }
}
