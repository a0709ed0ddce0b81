//! Values that are counted: nothing leaks, nothing is dropped or run twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts [`Chit`]s.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    ran: AtomicU64,
    dropped: AtomicU64,
}

/// One counted value, for a job to capture or to return. The box makes a second drop a double free, which
/// sanitizers and often the allocator notice.
#[derive(Debug)]
pub(crate) struct Chit(Box<Ledger>);

impl Ledger {
    pub(crate) fn chit(&self) -> Chit {
        self.0.made.fetch_add(1, Ordering::Relaxed);
        Chit(Box::new(self.clone()))
    }

    pub(crate) fn made(&self) -> u64 {
        self.0.made.load(Ordering::SeqCst)
    }

    pub(crate) fn ran(&self) -> u64 {
        self.0.ran.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::SeqCst)
    }

    /// Each chit was dropped once, and `ran` of them were run.
    #[track_caller]
    pub(crate) fn settled(&self, ran: u64) {
        assert_eq!((self.dropped(), self.ran()), (self.made(), ran), "dropped and ran, of those made");
    }
}

impl Chit {
    pub(crate) fn run(self) {
        self.0.0.ran.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Chit {
    fn drop(&mut self) {
        self.0.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}
