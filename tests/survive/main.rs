//! Programs that hang, abort or corrupt memory in some pool or other, or easily could in ours.

#[path = "../suite/mod.rs"]
mod suite;

mod blocks;
mod cancels;
mod coarse;
mod contexts;
mod counts;
mod depth;
mod forks;
mod greedy;
mod kernels;
mod lives;
mod locked;
mod locks;
mod mills;
mod order;
mod panics;
mod pins;
mod scopes;
mod waits;
