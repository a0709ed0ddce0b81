//! Panics where nobody expects them, and sides that go away at any time.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Waker};
use std::time::Duration;

use gristmill::CancelToken;
use gristmill::concurrent::futures::{Promise, Shutdown, TaskError, ThreadPoolExecutor};
use gristmill::contextvars::{ContextVar, copy_context};

use crate::suite::boom::{self, Bomb, boom, caught};
use crate::suite::ledger::Ledger;
use crate::suite::{tick, until, watch::watch};

#[test]
fn a_result_whose_drop_panics_hurts_only_its_owner() {
    let _watched = watch("bombs");
    boom::quiet();
    let pool = ThreadPoolExecutor::builder().max_workers(1).caller_runs(false).build().unwrap();
    for round in 0..20 {
        // If the worker drops it, nobody hears of it.
        let heard = caught(|| drop(pool.submit(|| Bomb(1)).unwrap()));
        assert!(heard.is_none_or(|number| number == 1));
        // The owner drops it.
        let future = pool.submit(|| Bomb(2)).unwrap();
        future.wait().unwrap();
        assert_eq!(caught(|| drop(future)), Some(2), "in round {round}");
        let result = pool.submit(|| Bomb(3)).unwrap().result().unwrap();
        assert_eq!(caught(|| drop(result)), Some(3));
        // What it captured goes off while it runs, or when it is cancelled.
        let bomb = Bomb(4);
        let failed = pool.submit(move || drop(bomb)).unwrap();
        assert!(matches!(failed.result(), Err(TaskError::Panicked { .. })));
        let (go, wait) = channel::<()>();
        let held = pool.submit(move || wait.recv().is_err()).unwrap();
        let bomb = Bomb(5);
        let cancelled = pool.submit(move || drop(bomb)).unwrap();
        assert_eq!(caught(|| assert!(cancelled.cancel())), None);
        drop(go);
        assert!(held.result().unwrap());
        assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1, "the worker lives");
    }
}

#[test]
fn a_payload_that_is_no_text_and_panics_in_its_drop_is_survived() {
    boom::quiet();
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let failed = pool.submit(|| -> () { std::panic::panic_any(Bomb(1)) }).unwrap();
    assert!(matches!(failed.result(), Err(TaskError::Panicked { .. })));
    assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
}

#[test]
fn a_panic_tells_where_it_was() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    fn fails() {
        panic!("here")
    }
    let failed = pool.submit(fails).unwrap();
    match failed.result() {
        Err(error @ TaskError::Panicked { .. }) => {
            let text = error.to_string();
            let at = format!("wrecks.rs:{}:", line!() - 6);
            assert!(text.contains(&at) && text.ends_with(": here"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let failed = pool.submit(|| -> () { boom(1) }).unwrap();
    boom::quiet();
    assert!(failed.result().unwrap_err().to_string().contains("no text"));
}

#[test]
fn every_value_is_dropped_once_whoever_goes_first() {
    let _watched = watch("sides");
    let ledger = Ledger::default();
    for (workers, caller_runs) in [(1, true), (2, false), (2, true)] {
        let pool =
            ThreadPoolExecutor::builder().max_workers(workers).caller_runs(caller_runs).build().unwrap();
        for n in 0..3_000_u32 {
            let (captured, result) = (ledger.chit(), ledger.chit());
            let future = pool.submit(move || {
                drop(captured);
                result
            });
            let mut future = future.unwrap();
            match n % 7 {
                0 => drop(future),
                1 => drop(future.result().unwrap()),
                2 => drop(future.cancel()),
                3 => drop(future.share().clone()),
                4 => {
                    let late = ledger.chit();
                    future.add_done_callback(move |_| drop(late));
                }
                5 => drop(future.try_result()),
                _ => {
                    let (promise, other) = Promise::new();
                    future.add_done_callback(move |_| drop(promise.set_result(())));
                    other.result().unwrap();
                }
            }
        }
    }
    ledger.settled(0);
}

#[test]
fn tasks_are_settled_when_a_pool_ends_in_the_middle() {
    let _watched = watch("ends");
    for round in 0..60 {
        let ledger = Ledger::default();
        let pool = Arc::new(ThreadPoolExecutor::new(1 + round % 3).unwrap());
        let (taken, settled) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    for _ in 0..200 {
                        let chit = ledger.chit();
                        let Ok(future) = pool.submit(move || chit.run()) else { break };
                        taken.fetch_add(1, Ordering::SeqCst);
                        let settled = Arc::clone(&settled);
                        future.add_done_callback(move |_| tick(&settled));
                    }
                });
            }
            let how = Shutdown::new().cancel_futures(round % 2 == 0).wait(round % 4 < 2);
            pool.shutdown_with(how);
        });
        pool.shutdown();
        assert_eq!(settled.load(Ordering::SeqCst), taken.load(Ordering::SeqCst), "in round {round}");
        assert_eq!(ledger.made(), ledger.dropped());
    }
}

#[test]
fn many_pools_come_and_go() {
    let _watched = watch("pools");
    for round in 0..200_u64 {
        let pool = ThreadPoolExecutor::new(1 + round as usize % 2).unwrap();
        let future = pool.submit(move || round).unwrap();
        if round % 3 == 0 {
            pool.shutdown_with(Shutdown::new().wait(false));
        }
        drop(pool);
        assert_eq!(future.result().unwrap(), round);
    }
}

/// Waits in its drop until it is told to go on; counts if that takes too long.
struct Waits(Receiver<()>, Arc<AtomicUsize>);

impl Drop for Waits {
    fn drop(&mut self) {
        if self.0.recv_timeout(Duration::from_secs(20)).is_err() {
            tick(&self.1);
        }
    }
}

#[test]
fn what_a_cancelled_task_holds_may_wait_for_who_waits_for_the_task() {
    let _watched = watch("waits");
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let (go, wait) = channel::<()>();
    let held = pool.submit(move || wait.recv().is_err()).unwrap();
    until(|| held.running());
    let (send, receive) = channel();
    let late = Arc::new(AtomicUsize::new(0));
    let waits = Waits(receive, Arc::clone(&late));
    let mut future = pool.submit(move || drop(waits)).unwrap().share();
    // One waits in an async task, and has its place on the list already; then it sleeps.
    let waker = Waker::noop();
    assert!(Pin::new(&mut future).poll(&mut Context::from_waker(waker)).is_pending());
    let other = future.clone();
    let waiter = std::thread::spawn(move || {
        until(|| future.done());
        drop(future);
        send.send(()).unwrap();
    });
    assert!(other.cancel());
    waiter.join().unwrap();
    assert_eq!(late.load(Ordering::SeqCst), 0, "the waiter hears of it before the drop");
    drop(go);
    assert!(held.result().unwrap());
}

#[derive(Clone)]
struct Armed(#[allow(dead_code, reason = "goes off when it is dropped")] Arc<Bomb>);

#[test]
fn a_context_whose_drop_panics_leaves_the_worker_alone() {
    static ARMED: ContextVar<Armed> = ContextVar::new("armed");
    let _watched = watch("context");
    boom::quiet();
    let pool = ThreadPoolExecutor::builder().max_workers(1).caller_runs(false).build().unwrap();
    let (go, wait) = channel::<()>();
    let held = pool.submit(move || wait.recv().is_err()).unwrap();
    until(|| held.running());
    let (token, context) = (CancelToken::new(), copy_context());
    let submit = || {
        ARMED.set(Armed(Arc::new(Bomb(1))));
        token.run(|| pool.submit(|| 1).unwrap()).unwrap()
    };
    let future = context.run(submit).unwrap();
    drop(context);
    token.cancel();
    drop(go);
    assert!(held.result().unwrap());
    assert!(matches!(future.result(), Err(TaskError::Cancelled)));
    assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1, "the worker lives");
}
