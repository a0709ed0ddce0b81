//! Locks and other ways for threads, and processes, to wait for each other; on futexes.
//!
//! Each is one word or two of plain memory, makes no system call unless somebody sleeps, and works among the threads
//! of one process ([`Private`], the default) or of all that map the memory it lies in ([`Shared`]). A worker of a
//! [`Mill`](crate::Mill) that sleeps in one of them has its place taken by another thread meanwhile.
//!
//! `new` makes one for this process, `shared` one to be put into memory that processes share; `in_scope` is for code
//! that is generic over that.
//!
//! Verbs mean the same everywhere: `try_x` never sleeps, `x_timeout` gives up after a time, `x_deadline` at a moment.
//! A timeout of zero is a poll, and one too long for the clock is for ever.

mod barrier;
mod bounded_semaphore;
mod condition;
mod condvar;
pub(crate) mod doze;
mod event;
pub(crate) mod help;
pub(crate) mod identity;
mod lazy;
pub(crate) mod lock;
#[cfg(all(test, loom))]
mod models;
mod monitor;
pub(crate) mod mutex;
pub(crate) mod nested;
mod once;
mod once_cell;
pub(crate) mod parker;
pub(crate) mod raw;
pub(crate) mod recover;
pub(crate) mod reentrant;
pub(crate) mod rlock;
pub(crate) mod rwlock;
pub(crate) mod scope;
mod semaphore;
pub(crate) mod spin;
pub(crate) mod state;
#[cfg(all(test, not(loom)))]
mod tests;
pub(crate) mod word;

pub use barrier::builder::BarrierBuilder;
pub use barrier::{Barrier, BarrierPlace, BrokenBarrier};
pub use bounded_semaphore::BoundedSemaphore;
pub use condition::{Condition, ConditionLock, Depth, NotHeld};
pub use condvar::Condvar;
pub use event::Event;
pub use lazy::Lazy;
pub use lock::{Lock, LockGuard, NotLocked};
pub use monitor::Monitor;
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use once_cell::OnceCell;
pub use recover::LockError;
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rlock::{NotOwner, RLock, RLockGuard};
pub use rwlock::RwLock;
pub use rwlock::guards::{RwLockReadGuard, RwLockWriteGuard};
pub use scope::{Private, Scope, Shared};
pub use semaphore::{OverRelease, Permit, Semaphore};
