//! The protocols of the mill under loom: every interleaving, and every value that a weak memory may show.
//!
//! `ci/loom.sh` runs them. Each drives the code that the mill runs; what stands in for something else is what
//! `cfg(loom)` swaps (`prim`, the parker, the public part's deque, the roster).

#![allow(unsafe_code, reason = "drives the unsafe parts of the mill")]

mod deque;
mod hall;
mod idle;
mod latch;
mod range;

use std::sync::OnceLock;

use loom::cell::UnsafeCell;

use crate::mill::job::{Header, JobRef};
use crate::prim::models::check;

/// A job that must run once.
#[repr(C)]
struct Once {
    header: Header,
    runs: UnsafeCell<u32>,
}

impl Once {
    fn new() -> Self {
        Once { header: Header::new(Self::run), runs: UnsafeCell::new(0) }
    }

    fn job(&self) -> JobRef {
        JobRef::new(std::ptr::from_ref(self).cast())
    }

    unsafe fn run(header: *const Header) {
        // SAFETY: the first field of a `Once`, which lives as long as its model.
        let once = unsafe { &*header.cast::<Once>() };
        // SAFETY: whoever runs a job has it alone; that is what loom checks here.
        once.runs.with_mut(|runs| unsafe { *runs += 1 });
    }

    /// Whoever may have run it has ended; that is checked as well.
    fn ran(&self) -> bool {
        // SAFETY: nobody runs it now.
        let runs = self.runs.with(|runs| unsafe { *runs });
        assert!(runs <= 1, "a job runs once");
        runs == 1
    }

    fn assert_ran(&self) {
        assert!(self.ran(), "a job is not lost");
    }
}

// SAFETY: `runs` is what loom watches; a header is made to be shared.
unsafe impl Sync for Once {}
// SAFETY: as above.
unsafe impl Send for Once {}

/// Two nodes with a core each.
fn nodes() -> crate::topology::Topology {
    static NODES: OnceLock<crate::topology::Topology> = OnceLock::new();
    NODES.get_or_init(|| crate::topology::Topology::synthetic("node:2 core:1").unwrap()).clone()
}

fn topology() -> crate::topology::Topology {
    static TOPOLOGY: OnceLock<crate::topology::Topology> = OnceLock::new();
    TOPOLOGY.get_or_init(|| crate::topology::Topology::synthetic("core:2").unwrap()).clone()
}
