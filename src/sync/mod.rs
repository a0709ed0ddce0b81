//! Waiting and waking, on futexes.

pub(crate) mod help;
pub(crate) mod parker;
