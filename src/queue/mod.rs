//! Queues between threads: first in first out, last in first out, smallest first.
//!
//! | | order | bound, tasks, end | lock |
//! |---|---|---|---|
//! | [`SimpleQueue`] | first in, first out | no | no |
//! | [`Queue`] | first in, first out | yes | no |
//! | [`LifoQueue`] | last in, first out | yes | yes |
//! | [`PriorityQueue`] | smallest first | yes | yes |
//! | [`StoredQueue`] | that of your own [`Storage`] | yes | yes |
//!
//! All but the first are [`TrackedQueue`]s and have its methods. Queues are shared by reference: in a `static`, in an
//! [`Arc`](std::sync::Arc), or borrowed in a [`scope`](std::thread::scope). Any number of threads may put and get.
//!
//! Python: the module `queue`. Queues between processes are something else.
//!
//! # Examples
//!
//! Producers and a consumer, and everybody knows when it is over:
//!
//! ```
//! use gristmill::queue::Queue;
//!
//! let sacks = Queue::new(16);
//! let mut weight = 0;
//! std::thread::scope(|s| {
//!     s.spawn(|| {
//!         for kilos in sacks.tasks() {
//!             weight += *kilos;
//!         }
//!     });
//!     for _ in 0..2 {
//!         s.spawn(|| (0..100).for_each(|_| sacks.put(50).unwrap())).join().unwrap();
//!     }
//!     sacks.join(); // all weighed
//!     sacks.shutdown(); // the loop above ends
//! });
//! assert_eq!(weight, 10_000);
//! ```

mod batch;
mod bell;
mod block;
mod ending;
mod error;
mod fifo;
mod heap;
mod iter;
mod keep;
mod pause;
mod simple;
mod stock;
mod storage;
mod stored;
mod tally;
mod task;
mod tracked;
mod words;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub use error::{Empty, GetError, PutError, ShutDown, TooManyTaskDone};
pub use fifo::Fifo;
pub use heap::{MinHeap, Prioritized};
pub use iter::Iter;
pub use simple::SimpleQueue;
pub use storage::{Lifo, Offer, Storage};
pub use stored::Stored;
pub use task::Task;
pub use tracked::TrackedQueue;

/// First in, first out, with a bound, tasks and an end; without a lock.
///
/// Python: `queue.Queue`.
///
/// # Examples
///
/// ```
/// use gristmill::queue::Queue;
///
/// let queue = Queue::new(2);
/// queue.put(1)?;
/// queue.put(2)?;
/// assert!(queue.try_put(3).is_err());
/// assert_eq!(queue.get()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "queue.Queue")]
pub type Queue<T> = TrackedQueue<T, Fifo<T>>;

/// Last in, first out.
///
/// Python: `queue.LifoQueue`.
///
/// # Examples
///
/// ```
/// use gristmill::queue::LifoQueue;
///
/// let queue = LifoQueue::new(0);
/// queue.put_many(vec![1, 2, 3])?;
/// assert_eq!(queue.try_iter().collect::<Vec<_>>(), [3, 2, 1]);
/// # Ok::<(), gristmill::queue::ShutDown<Vec<i32>>>(())
/// ```
#[doc(alias = "queue.LifoQueue")]
pub type LifoQueue<T> = StoredQueue<T, Lifo<T>>;

/// The smallest first; of equal ones any. For items that have no order themselves there is [`Prioritized`], and for
/// the largest first [`Reverse`](std::cmp::Reverse).
///
/// Items are compared with the queue's lock held, so comparing must not use the queue. A comparison that panics does
/// so in the `put` or `get` that needed it, and changes nothing.
///
/// Python: `queue.PriorityQueue`.
///
/// # Examples
///
/// ```
/// use gristmill::queue::PriorityQueue;
///
/// let queue = PriorityQueue::new(0);
/// queue.put_many(vec!["rye", "barley", "wheat"])?;
/// assert_eq!(queue.try_iter().collect::<Vec<_>>(), ["barley", "rye", "wheat"]);
/// # Ok::<(), gristmill::queue::ShutDown<Vec<&str>>>(())
/// ```
#[doc(alias = "queue.PriorityQueue")]
pub type PriorityQueue<T> = StoredQueue<T, MinHeap<T>>;

/// A queue of whatever order its [`Storage`] has.
///
/// # Examples
///
/// See [`Storage`].
pub type StoredQueue<T, S> = TrackedQueue<T, Stored<S>>;
