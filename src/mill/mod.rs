//! The mill: the work-stealing scheduler. `IDLE.md` beside this file states its protocols.

mod blocks;
mod broadcast;
pub(crate) mod cancel;
pub(crate) mod configured;
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
pub(crate) mod pool;
mod range;
mod roster;
pub(crate) mod scope;
mod seat;
pub(crate) mod sort;
pub(crate) mod spawn;
mod split;
pub(crate) mod stats;
mod worker;
