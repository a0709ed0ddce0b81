//! The machine as plain data: which hardware threads there are, what they share, and how many may be used.
//!
//! [`Topology`] is the map: packages, NUMA nodes, L3 caches, cores and units (hardware threads). It is read
//! from the kernel ([`Topology::detect`]), written by hand for tests and plans ([`Topology::synthetic`]), or
//! flat where nothing is known. [`CpuSet`] names units by their OS ids. [`default_threads`] says how many
//! threads are worth starting under the affinity mask and the cgroup quota, and why. What to decide from
//! these facts is the business of [`locality`](crate::locality).

mod cgroup;
mod cpuset;
#[cfg(feature = "hwloc")]
mod hwloc;
mod map;
mod synthetic;
mod sysfs;

pub use cgroup::{
    Quota, RejectedSetting, ThreadCount, Why, cpu_quota, cpu_quotas, default_threads, default_threads_in,
};
pub use cpuset::{CpuSet, CpuSetIter, ParseCpuSetError};
#[cfg(feature = "hwloc")]
pub use hwloc::HwlocError;
pub use map::{Core, L3, Node, Package, Source, Topology, Unit};
pub use synthetic::SyntheticError;
