//! Queues.
mod bell;
mod block;
mod pause;
mod segments;
mod simple;
pub use simple::{Bounded, Empty, SimpleQueue};
