//! The mill: the work-stealing scheduler. `IDLE.md` beside this file states its protocols.

pub(crate) mod affinity;
pub(crate) mod blocks;
mod broadcast;
pub(crate) mod cancel;
pub(crate) mod configured;
mod deque;
pub(crate) mod grain;
pub(crate) mod hall;
mod idle;
pub(crate) mod injector;
pub(crate) mod items;
pub(crate) mod job;
pub(crate) mod join;
pub(crate) mod latch;
pub(crate) mod local;
#[cfg(all(test, loom))]
mod models;
mod near;
pub(crate) mod pool;
mod range;
mod roster;
pub(crate) mod scope;
pub(crate) mod seat;
mod shares;
pub(crate) mod sort;
pub(crate) mod spawn;
mod split;
mod staff;
pub(crate) mod stats;
mod timers;
mod visit;
mod withdraw;
pub(crate) mod worker;
