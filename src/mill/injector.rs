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
pub(crate) struct Bands {
    inboxes: [Inbox; 3],
    /// A sleeper of the node was called on behalf of its inbox.
    called: grace::Called,
}

impl Bands {
    pub(crate) fn new() -> Self {
        Bands { inboxes: [Inbox::new(), Inbox::new(), Inbox::new()], called: grace::Called::new() }
    }

    /// A sleeper of this node was called to look in here.
    pub(crate) fn note_call(&self) {
        self.called.note();
    }

    /// Is a sleeper of this node, which was called, still on its way?
    pub(crate) fn awaits_its_own(&self) -> bool {
        self.called.is_fresh()
    }

    pub(crate) fn push(&self, priority: Priority, job: JobRef) {
        self.inboxes[priority as usize].push(job);
    }

    pub(crate) fn take(&self, priority: Priority) -> Option<JobRef> {
        let inbox = &self.inboxes[priority as usize];
        if inbox.is_empty() { None } else { inbox.take() }
    }

    /// Takes one job of normal priority, and moves more to `into`.
    pub(crate) fn take_batch(&self, into: &Own) -> Option<JobRef> {
        let inbox = &self.inboxes[Priority::Normal as usize];
        if inbox.is_empty() { None } else { inbox.take_batch(into) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inboxes.iter().all(Inbox::is_empty)
    }
}

#[cfg(not(loom))]
mod grace {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    /// So long others leave a node's inbox to a sleeper of that node that was called: about twice what it takes to come.
    const GRACE: Duration = Duration::from_micros(200);

    /// When a sleeper was called, in nanoseconds since `born`; 0 for never.
    pub(super) struct Called {
        at: AtomicU64,
        born: Instant,
    }

    impl Called {
        pub(super) fn new() -> Self {
            Called { at: AtomicU64::new(0), born: Instant::now() }
        }

        pub(super) fn note(&self) {
            self.at.store(self.now(), Ordering::Relaxed);
        }

        pub(super) fn is_fresh(&self) -> bool {
            let at = self.at.load(Ordering::Relaxed);
            at > 0 && self.now().saturating_sub(at) < GRACE.as_nanos() as u64
        }

        fn now(&self) -> u64 {
            u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
        }
    }
}

/// Models have no clock: there the grace is over once somebody has asked.
#[cfg(loom)]
mod grace {
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) struct Called(AtomicBool);

    impl Called {
        pub(super) fn new() -> Self {
            Called(AtomicBool::new(false))
        }

        pub(super) fn note(&self) {
            self.0.store(true, Ordering::Relaxed);
        }

        pub(super) fn is_fresh(&self) -> bool {
            self.0.swap(false, Ordering::Relaxed)
        }
    }
}
