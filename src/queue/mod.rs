//! Queues.
mod bell;
mod block;
mod pause;
mod segments;
mod simple;
pub use simple::{Empty, SimpleQueue, Bounded};
