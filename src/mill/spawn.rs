//! What a caller does in whatever mill it is in: spawn detached jobs, block, yield.

use crate::mill::injector::Priority;
use crate::mill::pool::Mill;
use crate::mill::seat;
use crate::mill::worker::Worker;
use crate::prim;

/// Spawns a detached job in the mill whose job the caller is, or else in the [default mill](Mill::global).
///
/// Nobody waits for it; a panic in it goes to the mill's [panic
/// handler](crate::MillBuilder::panic_handler). For jobs over borrowed data see [`scope`](crate::scope).
///
/// # Examples
///
/// ```
/// let (send, receive) = std::sync::mpsc::channel();
/// gristmill::spawn(move || send.send(6 * 7).unwrap());
/// assert_eq!(receive.recv(), Ok(42));
/// ```
///
/// # Panics
///
/// In a forked child.
pub fn spawn<F>(job: F)
where
    F: FnOnce() + Send + 'static,
{
    let taken = match Worker::current() {
        Some(worker) => worker.hall.spawn(None, Priority::Normal, job),
        None => Mill::global().spawn(job),
    };
    // A mill takes what its own jobs spawn until the last of them is over.
    debug_assert_eq!(taken, Ok(()), "the default mill is never shut down");
}

/// Runs `f`, which may block (on input and output, a lock, a channel), with this worker's slot given to another thread
/// meanwhile, so that no core idles behind it. All that waits on this worker becomes visible to the others.
///
/// Outside of a mill this is a plain call. At most [`max_spares`](crate::MillBuilder::max_spares) threads
/// stand in at a time; beyond that the slot stays empty.
///
/// # Examples
///
/// ```
/// let mill = gristmill::Mill::builder().workers(1).build()?;
/// let (send, receive) = std::sync::mpsc::channel();
/// let answer = mill.install(move || {
///     gristmill::spawn(move || send.send(42).unwrap());
///     gristmill::blocking(|| receive.recv()) // the only worker waits; a spare one runs the job
/// });
/// assert_eq!(answer, Ok(42));
/// # Ok::<(), gristmill::BuildError>(())
/// ```
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    match Worker::current() {
        Some(worker) => worker.blocking(f),
        None => f(),
    }
}

/// Lets others have their turn: shows them all that waits on this worker, and gives up the rest of this
/// thread's time slice. Runs no job: the caller may hold locks.
pub fn yield_now() {
    if let Some(worker) = Worker::current() {
        worker.expose_all();
    }
    prim::yield_now();
}

/// The number of the calling thread among the threads of its mill, if it works in one: below
/// [`Mill::workers`] for most, above for threads that stand in for others or came from outside. No two
/// threads of a mill have the same at one time.
#[must_use]
pub fn worker_index() -> Option<usize> {
    seat::current().map(|seat| seat.index)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc::channel;

    use super::{Worker, blocking};
    use crate::mill::pool::Mill;
    use crate::topology::Topology;

    #[test]
    fn in_a_strict_mill_jobs_for_several_nodes_start_in_order() {
        let two = Topology::synthetic("node:2 core:1").unwrap();
        let mill = Mill::builder().topology(two).workers(1).caller_runs(false).strict_fifo(true);
        let mill = mill.build().unwrap();
        let (go, wait) = channel::<()>();
        let (send, order) = channel();
        mill.spawn(move || assert!(wait.recv().is_err())).unwrap();
        for (number, node) in [1, 0, 1, 0].into_iter().enumerate() {
            let send = send.clone();
            mill.spawn_on(node, move || send.send(number).unwrap()).unwrap();
        }
        drop((go, send));
        assert!(order.iter().eq(0..4));
    }

    #[test]
    fn a_slot_is_given_away_once() {
        let mill = Mill::builder().workers(1).max_spares(0).caller_runs(false).build().unwrap();
        let free = || Worker::seated().hall.idle.census().free();
        let seen = mill.install(|| (free(), blocking(|| (free(), blocking(free), free())), free()));
        assert_eq!(seen, (0, (1, 1, 1), 0));
    }
}
