//! Python's package `concurrent`.

pub mod futures;
