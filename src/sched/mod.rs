//! Things to be done at set times. Python's `sched`, and timers by the million.
//!
//! | | [`Scheduler`] | [`TimerWheel`] |
//! |---|---|---|
//! | time | of any [`Clock`]: the system's, a simulation's, a test's | [`Instant`](std::time::Instant)s |
//! | order | time, priority, entry | time to within its resolution, entry |
//! | runs actions | one after the other, in the thread that calls [`run`](Scheduler::run) | wherever a [`Spawn`] has them run |
//! | price | grows with the logarithm of how many wait | constant |
//!
//! ```
//! use std::time::Duration;
//! use gristmill::sched::Scheduler;
//!
//! let scheduler = Scheduler::new();
//! scheduler.enter(Duration::from_millis(2), 1, |_| println!("two"));
//! scheduler.enter(Duration::from_millis(1), 1, |scheduler| {
//!     println!("one");
//!     scheduler.enter(Duration::from_millis(2), 1, |_| println!("three"));
//! });
//! scheduler.run();
//! ```
//!
//! # Differences from Python
//!
//! A `run` that waits wakes at once when another thread enters an earlier event, or cancels the last one. An action's
//! arguments are what its closure has captured, and the scheduler itself. An action does not return an error: one that
//! panics ends the `run`, as an exception does.

mod bell;
mod cells;
mod clock;
#[cfg(all(test, loom))]
mod models;
mod scheduler;
mod slots;
#[cfg(all(test, not(loom)))]
mod tests;
mod time;
mod wheel;

pub use bell::{Bell, Ringer};
pub use clock::{Clock, FnClock, ManualClock, MonotonicClock};
pub use scheduler::{Event, NoSuchEvent, Scheduler};
pub use time::Time;
pub use wheel::{Job, NoSuchTimer, Spawn, TimerId, TimerThread, TimerWheel, WheelClosed};
