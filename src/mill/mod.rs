//! The mill: the work-stealing scheduler. `IDLE.md` beside this file states its protocols.

pub(crate) mod affinity;
mod blocks;
mod broadcast;
pub(crate) mod cancel;
mod deque;
pub(crate) mod grain;
mod hall;
mod idle;
pub(crate) mod injector;
pub(crate) mod items;
mod job;
pub(crate) mod join;
mod latch;
pub(crate) mod local;
#[cfg(all(test, loom))]
mod models;
mod near;
pub(crate) mod pool;
mod range;
mod roster;
pub(crate) mod scope;
mod seat;
mod shares;
pub(crate) mod sort;
pub(crate) mod spawn;
mod split;
pub(crate) mod stats;
mod timers;
mod worker;

pub use hall::Waiting;
