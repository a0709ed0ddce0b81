//! Tasks and their futures, over pools of threads: Python's `concurrent.futures`.
//!
//! An [`Executor`] takes tasks; each gives a [`Future`]. [`ThreadPoolExecutor`] runs them on a [mill](crate::Mill),
//! [`InlineExecutor`] at once in the calling thread.
//!
//! ```
//! use gristmill::concurrent::futures::{ThreadPoolExecutor, as_completed};
//!
//! let pool = ThreadPoolExecutor::builder().max_workers(4).build()?;
//! let squares = (1..=10).map(|i| pool.submit(move || i * i)).collect::<Result<Vec<_>, _>>()?;
//! let mut sum = 0;
//! for done in as_completed(squares) {
//!     sum += done.result()?;
//! }
//! assert_eq!(sum, 385);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to rely on
//!
//! - Every task that was taken ends in one of the final states, and whoever waits for it learns that; also when its pool
//!   is shut down or breaks, when it panics, when it is cancelled, or when the future is dropped.
//! - A task may wait for other tasks, of its own pool too, which may have one worker: it runs what has not started itself,
//!   takes part in what has, or lets another thread have its place. Tasks that wait for each other in a circle get
//!   [`TaskError::Deadlock`]. What waits by other means, a `block_on` in a task for one, holds its worker, unless it does so
//!   within [`blocking`](crate::blocking).
//! - One allocation for each task: closure, state and result share it.
//! - A task runs in a copy of the [context](crate::contextvars) and under the [cancel token](crate::CancelToken) that it
//!   was submitted under.

mod builder;
mod executor;
mod inline;
mod map;
mod panics;
mod post;
mod room;
mod scope;
mod task;
mod thread_pool;

pub use crate::future::as_completed::{AsCompleted, AsCompletedTimeout, as_completed};
pub use crate::future::ended::{Ended, FutureState};
pub use crate::future::error::{
    BrokenExecutor, InvalidStateError, PanicLocation, SubmitError, TaskError, Unfinished,
};
pub use crate::future::handle::Future;
pub use crate::future::promise::Promise;
pub use crate::future::shared::SharedFuture;
pub use crate::future::wait::{DoneAndNotDone, ReturnWhen, wait};
pub use crate::future::waitable::Waitable;
pub use builder::ThreadPoolBuilder;
pub use executor::{Calls, ErasedExecutor, Executor, ExecutorBase, Runs, Shutdown, Submitter};
pub use inline::InlineExecutor;
pub use map::{Caller, MapIter};
pub use room::WhenFull;
pub use scope::PoolScope;
pub use task::Task;
pub use thread_pool::{TaskOptions, ThreadPoolExecutor};
