//! Compute kernels, one file each, that any [`Engine`] can grind.
//!
//! Every kernel offers an input maker, a serial answer, and a body that is generic over the engine,
//! so that every engine grinds the same grain in the same order.

mod engine;

pub use engine::{Engine, Serial};
