//! Futures: results that may not be there yet, and waiting for one or many.
//!
//! From the ground up: `ended` and `error` are plain values; a `listener` is told when a future is done; `state` is the word
//! in which all of a future's protocol stands; a `cell` is what its two sides share. `handle`, `shared` and `promise` are
//! those sides. `blocking` waits for one, `wait` and `as_completed` (by `completions`) for many; `cycle` sees when that
//! would never end.
//!
//! Nothing here knows what runs the tasks. An executor embeds a cell in what it queues and says by its
//! [`Kind`](cell::Kind) how to run it; a worker that waits is helped through `sync::help`.

pub(crate) mod as_completed;
pub(crate) mod blocking;
pub(crate) mod cell;
pub(crate) mod completions;
pub(crate) mod cycle;
pub(crate) mod ended;
pub(crate) mod error;
pub(crate) mod handle;
mod listener;
#[cfg(all(test, loom))]
mod models;
pub(crate) mod promise;
pub(crate) mod shared;
mod slot;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
pub(crate) mod wait;
pub(crate) mod waitable;
