//! Which task goes first.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use gristmill::Priority;
use gristmill::concurrent::futures::{Shutdown, ThreadPoolExecutor};

use crate::held::{hold, pool};
use crate::suite::watch::watch;

#[test]
fn tasks_of_a_strict_pool_start_in_order() {
    let pool = ThreadPoolExecutor::builder().max_workers(1).strict_fifo(true).build().unwrap();
    let pool = Arc::new(pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |n: u32| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(n)
    };
    let go = hold(&pool);
    for n in 0..100 {
        drop(pool.submit(note(n)).unwrap());
    }
    let (inner, later) = (Arc::clone(&pool), note(101));
    let nested = pool.submit(move || drop(inner.submit(later).unwrap())).unwrap();
    drop(pool.submit(note(100)).unwrap());
    drop(go);
    nested.result().unwrap();
    pool.shutdown();
    assert!(order.lock().unwrap().iter().copied().eq(0..102), "{order:?}");
}

#[test]
fn urgent_tasks_go_first() {
    let pool = pool(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let go = hold(&pool);
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        let order = Arc::clone(&order);
        drop(pool.task().priority(priority).submit(move || order.lock().unwrap().push(priority)).unwrap());
    }
    drop(go);
    pool.shutdown();
    assert_eq!(*order.lock().unwrap(), [Priority::High, Priority::Normal, Priority::Low]);
}

/// What is not the pool's tasks goes on as it was when a pool gives those up.
#[test]
fn jobs_that_are_no_tasks_keep_their_priority_when_tasks_are_cancelled() {
    let _watched = watch("keep priority");
    let pool = ThreadPoolExecutor::builder().max_workers(1).strict_fifo(true).build().unwrap();
    let mill = pool.mill().clone();
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |priority| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(priority)
    };
    let (later, (go, wait)) = (note(Priority::Normal), channel::<()>());
    let (started, start) = channel();
    let held = pool.submit(move || {
        started.send(()).unwrap();
        let _ = wait.recv();
        gristmill::spawn(later);
    });
    start.recv().unwrap();
    for priority in [Priority::Low, Priority::High] {
        mill.spawn_with(priority, note(priority)).unwrap();
    }
    let task = pool.submit(|| ()).unwrap();
    pool.shutdown_with(Shutdown::new().wait(false).cancel_futures(true));
    assert!(task.cancelled());
    drop(go);
    held.unwrap().result().unwrap();
    pool.shutdown();
    assert_eq!(*order.lock().unwrap(), [Priority::High, Priority::Normal, Priority::Low]);
}
