//! CPU-bound parallelism on one machine.

pub mod locality;
mod sys;
pub mod topology;
