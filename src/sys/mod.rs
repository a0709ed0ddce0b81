//! Every call to the kernel and the C library; nothing above this floor makes one.

pub(crate) mod affinity;
#[cfg(all(test, not(loom)))]
pub(crate) mod child;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod life;
pub(crate) mod membarrier;
pub(crate) mod mempolicy;
pub(crate) mod pages;
pub(crate) mod stack;
pub(crate) mod thread;
#[cfg(not(loom))]
pub(crate) mod waitv;
