//! The scheduler by the chapter's rows, and the wheel against a heap.

mod scheduler;
mod wheel;
