//! `gristmill::thread` and `gristmill::threading`, fact by fact.

#[path = "../suite/mod.rs"]
mod suite;

mod forks;
mod hooks;
mod locals;
mod names;
mod objects;
mod raw;
mod runtime;
mod stage;
mod timers;
