//! Why a mill cannot be had, or takes no work.

use std::io;

use crate::locality::MemoryError;
use crate::topology::CpuSet;

/// The most workers that a mill can have, and the most spare threads beside them.
pub const MAX_WORKERS: usize = 8_192;

/// The mill has been shut down: it takes no new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mill has been shut down and takes no new work; build another one")]
pub struct Closed;

/// Why a mill could not be built or resized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A number of threads that no mill can have.
    #[error("{what} = {asked} is out of range: it must be between {least} and {MAX_WORKERS}")]
    #[non_exhaustive]
    OutOfRange {
        /// The setting.
        what: &'static str,
        /// What it was set to.
        asked: usize,
        /// The least it may be.
        least: usize,
    },
    /// The system started some threads but not all. Those that were started have ended.
    #[error(
        "thread {number} of {wanted} could not be started: {source} (limits: `ulimit -u`, the pids cgroup)"
    )]
    #[non_exhaustive]
    Thread {
        /// Which thread, from 0.
        number: usize,
        /// How many there were to be.
        wanted: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A worker could not be moved to its place.
    #[error("worker {worker} cannot sit on CPU {cpus}: {source}")]
    #[non_exhaustive]
    Pin {
        /// Which worker, from 0.
        worker: usize,
        /// The CPUs of its place.
        cpus: CpuSet,
        /// What the kernel said.
        source: io::Error,
    },
    /// Workers could not take up their memory policy.
    #[error("workers cannot take memory as they should: {source}")]
    #[non_exhaustive]
    Memory {
        /// Why.
        source: MemoryError,
    },
    /// The default mill is in use or was configured before.
    #[error("the default mill exists already: configure it before its first use")]
    GlobalExists,
}

pub(crate) fn in_range(what: &'static str, asked: usize, least: usize) -> Result<(), BuildError> {
    if (least..=MAX_WORKERS).contains(&asked) {
        Ok(())
    } else {
        Err(BuildError::OutOfRange { what, asked, least })
    }
}
