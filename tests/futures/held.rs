//! Pools, and tasks that hold their workers.

use std::sync::mpsc::{Receiver, Sender, channel};

use gristmill::concurrent::futures::ThreadPoolExecutor;

/// A pool with so many workers.
pub(crate) fn pool(workers: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(workers).unwrap()
}

/// A task that holds a worker until it is let go.
pub(crate) fn hold(pool: &ThreadPoolExecutor) -> Sender<()> {
    let (go, wait) = channel::<()>();
    let (started, start): (Sender<()>, Receiver<()>) = channel();
    let held = pool.submit(move || {
        started.send(()).unwrap();
        let _ = wait.recv();
    });
    start.recv().unwrap();
    drop(held.unwrap());
    go
}
