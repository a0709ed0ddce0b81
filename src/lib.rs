//! CPU-bound parallelism on one machine.

mod mill;
mod prim;
mod rng;
mod sync;
mod sys;
mod unwind;

pub mod locality;
pub mod topology;

pub use mill::Waiting;
pub use mill::cancel::{CancelToken, Cancelled, checkpoint};
pub use mill::injector::Priority;
pub use mill::join::join;
pub use mill::pool::{BuildError, Closed, MAX_WORKERS, Mill, MillBuilder};
pub use mill::scope::{Scope, scope, scope_fifo};
pub use mill::sort::{
    par_sort, par_sort_by, par_sort_by_key, par_sort_unstable, par_sort_unstable_by, par_sort_unstable_by_key,
};
pub use mill::spawn::{blocking, spawn, worker_index, yield_now};
pub use mill::stats::{MillStats, WorkerStats};
