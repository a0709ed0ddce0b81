//! Contexts by the chapter's rows, and what a Rust library owes besides: panics, drops that use variables, threads.

mod futures;
mod reentrancy;
mod rows;
mod threads;
