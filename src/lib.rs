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
pub use mill::grain::{
    Deterministic, deterministic, par_chunks, par_chunks_mut, par_for, par_map, par_reduce, par_scan,
};
pub use mill::injector::Priority;
pub use mill::items::IntoItems;
pub use mill::join::join;
pub use mill::local::WorkerLocal;
pub use mill::pool::{BuildError, Closed, MAX_WORKERS, Mill, MillBuilder};
pub use mill::scope::{Scope, scope, scope_fifo};
pub use mill::spawn::{blocking, spawn, worker_index, yield_now};
pub use mill::stats::{MillStats, WorkerStats};
