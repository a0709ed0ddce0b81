//! CPU-bound parallelism on one machine.

mod sys;
pub mod topology;
