//! CPU-bound parallelism on one machine.
