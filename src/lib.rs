//! CPU-bound parallelism on one Linux machine: a work-stealing scheduler that knows the machine it runs on.
//!
//! Code says what *may* run at the same time; a [`Mill`] of worker threads decides what does. Where nobody is
//! idle, saying so costs a few plain instructions, so it can be said at every branch of a recursion. There
//! are three ways to use it.
//!
//! # 1. Call a function
//!
//! [`join`], [`scope`] and the `par_` loops borrow what they work on and return when it is done. They need no
//! setup: outside of any mill they use the [default one](Mill::global), which has a worker for each hardware
//! thread that the affinity mask and the cgroup quota leave us (or as many as `GRISTMILL_NUM_THREADS` says).
//!
//! ```
//! fn sum(numbers: &[u64]) -> u64 {
//!     if numbers.len() <= 1_000 {
//!         return numbers.iter().sum();
//!     }
//!     let (left, right) = numbers.split_at(numbers.len() / 2);
//!     let (left, right) = gristmill::join(|| sum(left), || sum(right)); // maybe at the same time
//!     left + right
//! }
//! let numbers: Vec<u64> = (0..10_000).collect();
//! assert_eq!(sum(&numbers), 49_995_000);
//! ```
//!
//! A [`scope`] holds any number of jobs, which may spawn more; all are over when it returns:
//!
//! ```
//! let (text, mut lines, mut words) = ("to grind\nor not", 0, 0);
//! gristmill::scope(|s| {
//!     s.spawn(|_| lines = text.lines().count());
//!     s.spawn(|_| words = text.split_whitespace().count());
//! });
//! assert_eq!((lines, words), (2, 4));
//! ```
//!
//! Loops go over ranges, slices, vectors and arrays. There is no grain to choose: a loop is split when
//! somebody asks for work, and not before.
//!
//! ```
//! let mut heights = vec![0_u32; 1_000];
//! gristmill::par_for(&mut heights, |height| *height += 1);
//! gristmill::par_chunks_mut(&mut heights, 100, |number, chunk| chunk.fill(number as u32));
//!
//! let squares = gristmill::par_map(0..1_000_u64, |n| n * n);
//! let sum = gristmill::par_reduce(&squares, || 0, |sum, n| sum + n, |a, b| a + b);
//! assert_eq!(sum, 332_833_500);
//!
//! let totals = gristmill::par_scan(&heights, || 0, |total, height| total + height, |a, b| a + b);
//! assert_eq!((totals[99], totals[199], totals[999]), (0, 100, 4_500));
//! ```
//!
//! | | returns | see also |
//! |---|---|---|
//! | [`par_for`] | nothing; runs for each item | [`par_chunks`], [`par_chunks_mut`] |
//! | [`par_map`] | a vector, in order | |
//! | [`par_reduce`] | one value | [`deterministic`], for the same bits on any number of workers |
//! | [`par_scan`] | running totals | |
//!
//! [`WorkerLocal`] gives each worker a value of its own: a scratch buffer, a generator.
//!
//! # 2. Spawn, and go on
//!
//! [`spawn`] hands in a job that nobody waits for; it owns what it works on.
//!
//! ```
//! let (send, receive) = std::sync::mpsc::channel();
//! for n in 1..=3 {
//!     let send = send.clone();
//!     gristmill::spawn(move || send.send(n * n).unwrap());
//! }
//! drop(send);
//! assert_eq!(receive.iter().sum::<i32>(), 14);
//! ```
//!
//! A job that waits for something other than work (a disk, a server, a channel) says so with [`blocking`],
//! and another thread takes its place until it is back:
//!
//! ```
//! let (send, receive) = std::sync::mpsc::channel();
//! let mill = gristmill::Mill::builder().workers(1).build()?;
//! let answer = mill.install(move || {
//!     gristmill::spawn(move || send.send(42).unwrap());
//!     gristmill::blocking(|| receive.recv().unwrap())
//! });
//! assert_eq!(answer, 42);
//! # Ok::<(), gristmill::BuildError>(())
//! ```
//!
//! # 3. Build a mill of your own
//!
//! With its own number of workers, name, stacks, and places on the machine; [`Mill::install`] makes
//! everything in it use that mill. [`Mill::stats`] shows what its workers have done, [`Mill::resize`] changes
//! how many there are, and [`MillBuilder::build_global`] sets up the default mill.
//!
//! ```
//! use gristmill::{Mill, locality, topology::Topology};
//!
//! let machine = Topology::detect();
//! let mill = Mill::builder()
//!     .name("solver")
//!     .places(locality::places(&machine, 2)) // pins a worker to each
//!     .topology(machine)
//!     .build()?;
//! let (a, b) = mill.install(|| gristmill::join(|| 6 * 7, || "grist".len()));
//! assert_eq!((a, b), (42, 5));
//! # Ok::<(), gristmill::BuildError>(())
//! ```
//!
//! On a machine with several NUMA nodes, [`Mill::node_vec`] divides an array among them, [`Mill::spawn_near`] sends a job to
//! the node of its data, [`MillBuilder::memory`] says where workers take memory from, and [`Affinity`] gives the parts of an
//! array to the same workers in every loop. `NUMA.md` beside the sources says how, and what was measured.
//!
//! # Cancelling
//!
//! Work that runs under a [`CancelToken`] stops where it would split, on every worker, once the token is
//! cancelled or its deadline is over:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use gristmill::{CancelToken, Cancelled};
//!
//! let token = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(5));
//! let result = token.run(|| gristmill::par_for(0..u32::MAX, |n| drop(std::hint::black_box(n))));
//! assert_eq!(result, Err(Cancelled));
//! ```
//!
//! # Threads, locks, queues and the like
//!
//! What Python's chapter on concurrent execution has for one process, in modules of their own. All of it knows the
//! mill: a worker that sleeps in a lock, a queue or a timer gives its place to another thread meanwhile.
//!
//! | module | Python's | what |
//! |---|---|---|
//! | [`sync`] | the locks of `threading` and `multiprocessing` | mutexes, conditions, semaphores, events, barriers: for the threads of a process, or in memory that several processes map |
//! | [`threading`], [`thread`] | `threading`, `_thread` | threads with names, a list of them, hooks, values that each thread has its own of, timers, an orderly end |
//! | [`queue`] | `queue` | first in first out, last in first out, by priority; bounded or not; shut down and waited for |
//! | [`sched`] | `sched` | events at set times, and timers by the million |
//! | [`contextvars`] | `contextvars` | values that follow work rather than threads |
//!
//! `CHAPTER.md` beside the sources maps every function of those modules to its place here.
//!
//! # What to rely on
//!
//! - A panic goes to whoever waits for the work, once none of it runs any more. That of a spawned job goes to
//!   the mill's [handler](MillBuilder::panic_handler). None aborts the process.
//! - A thread that waits runs only parts of what it waits for ([`Waiting::Subtree`]), so a lock may be held
//!   across a `join` or a loop. While it sleeps, another thread has its place.
//! - Idle workers sleep, and burn nothing.
//! - What happened before a call is seen by the work it starts, and what that did is seen after the call.
//!
//! [`config`] describes pools in a file or in the environment, [`topology`] is the machine as plain data, [`locality`] what
//! is decided from both. [`queue`] has queues between
//! threads, on which a worker may wait without keeping its place from others. [`contextvars`] are variables that
//! follow a line of work from thread to thread, and [`sched`] does things at set times.

#[cfg(doctest)]
mod compile_fail;
mod future;
mod mill;
mod prim;
mod rng;
mod sys;
mod unwind;

pub mod concurrent;
pub mod config;
pub mod contextvars;
pub mod locality;
pub mod queue;
pub mod sched;
pub mod sync;
pub mod thread;
pub mod threading;
pub mod topology;

pub use config::{Config, Waiting};
pub use mill::affinity::Affinity;
pub use mill::builder::MillBuilder;
pub use mill::cancel::{CancelToken, Cancelled, checkpoint};
pub use mill::configured::PoolError;
pub use mill::error::{BuildError, Closed, MAX_WORKERS};
pub use mill::grain::{
    Deterministic, deterministic, par_chunks, par_chunks_mut, par_for, par_map, par_reduce, par_scan,
};
pub use mill::injector::Priority;
pub use mill::items::IntoItems;
pub use mill::join::join;
pub use mill::local::WorkerLocal;
pub use mill::pool::Mill;
pub use mill::scope::{Scope, scope, scope_fifo};
pub use mill::sort::{
    par_sort, par_sort_by, par_sort_by_key, par_sort_unstable, par_sort_unstable_by, par_sort_unstable_by_key,
};
pub use mill::spawn::{blocking, spawn, worker_index, yield_now};
pub use mill::stats::{MillStats, WorkerStats};

/// The examples in the pages beside `src`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../NUMA.md")]
struct Pages;
