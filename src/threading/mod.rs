//! Threads that have names, are listed, and come to an orderly end.
//!
//! This is the module of Python's chapter that most programs begin with. [`Thread`] is a thread, [`spawn`] starts one
//! that gives a value back, [`Local`] is a value of which each thread has its own, [`Timer`] a function that runs
//! later, [`Runtime`] what waits for threads before the process ends. [`Lock`], [`Condition`] and the like are those
//! of [`sync`](crate::sync), which has more of them.
//!
//! ```
//! use gristmill::threading::{Thread, ThreadError, enumerate};
//!
//! fn grind(sack: u32) {
//!     println!("grinding sack {sack}");
//! }
//!
//! let threads: Vec<Thread> = (0..4).map(|sack| Thread::new(move || grind(sack))).collect();
//! for thread in &threads {
//!     thread.start()?;
//! }
//! println!("{:?}", enumerate());
//! for thread in &threads {
//!     thread.join()?;
//! }
//! # Ok::<(), ThreadError>(())
//! ```
//!
//! # No lock over everything
//!
//! In Python one thread runs at a time, unless it was built otherwise, and threads are for waiting in. Here they all
//! run. Work for all CPUs is better given to a mill, by [`join`](crate::join), [`scope`](crate::scope()) and the
//! `par_` loops: it has as many threads as there are CPUs, and keeps them busy. A thread of one's own is for what
//! waits, or must run whatever else there is to do.
//!
//! A worker of a mill that waits here (joins a thread, waits for a timer) has its place taken by another meanwhile.
//!
//! # Panics
//!
//! A panic ends its thread, no other, and not the process. It is told of once: where it happens, by the process's
//! panic hook, or, while one is set, by the [`excepthook`](set_excepthook). [`Thread::join`] returns as if nothing
//! was; [`JoinHandle::join`] returns the panic.
//!
//! # Forks
//!
//! A forked child has the thread that forked, which is its main thread from then on. All other threads count as ended
//! there, and timers that were started before as over; new ones can be started.
//!
//! One lock is the standard library's own, around the begin and the end of each thread, and nobody else can hold it during a
//! fork. So a child that was forked just while another thread began or ended may find that it can start none: the new thread
//! waits for ever. Fork when no threads come and go, or have the child call `exec`.

mod body;
mod builder;
mod clock;
mod current;
mod error;
mod excepthook;
mod inherit;
mod local;
mod naming;
mod object;
mod registry;
mod runtime;
mod slots;
mod spawned;
mod start;
mod timer;
mod trace;

#[cfg(all(test, loom))]
mod models;

pub use body::ContextPolicy;
pub use builder::{Runnable, ThreadBuilder, spawn};
pub use current::current_thread;
pub use error::ThreadError;
pub use excepthook::{ExceptHook, ExceptHookArgs, default_excepthook, excepthook, set_excepthook};
pub use local::{Local, LocalError};
pub use object::Thread;
pub use registry::{active_count, enumerate, main_thread};
pub use runtime::{Runtime, register_atexit, shutdown};
pub use spawned::{JoinFailure, JoinHandle};
pub use timer::{CancelOnDrop, Timer, TimerBuilder};
pub use trace::{
    EventKind, ProfileEvent, ProfileHook, TraceEvent, TraceHook, profile_hook, set_profile,
    set_profile_all_threads, set_trace, set_trace_all_threads, trace_hook,
};

pub use crate::sync::{
    Barrier, BoundedSemaphore, BrokenBarrier, Condition, Event, Lock, NotHeld, NotLocked, NotOwner,
    OverRelease, RLock, Semaphore,
};
pub use crate::thread::{
    Ident, JoinError, ShuttingDown, StackSizeError, StartError, TIMEOUT_MAX, get_ident, get_native_id,
    set_stack_size, stack_size,
};
