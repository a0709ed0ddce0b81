//! Which spawned job goes first.

use std::sync::{Arc, Mutex, mpsc};

use gristmill::{Mill, Priority};

use crate::suite::{closed_mill, watch::watch};

/// Keeps the mill's only worker busy until the sender is dropped.
fn gate(mill: &Mill) -> mpsc::Sender<()> {
    let (open, closed) = mpsc::channel::<()>();
    let (begun, wait) = mpsc::channel();
    mill.spawn(move || {
        begun.send(()).unwrap();
        // Not `blocking`: the worker keeps its slot.
        assert!(closed.recv().is_err());
    })
    .unwrap();
    wait.recv().unwrap();
    open
}

#[test]
fn urgent_jobs_first() {
    let _watched = watch("urgent_jobs_first");
    let (mill, order) = (closed_mill(1), Arc::new(Mutex::new(Vec::new())));
    for _ in 0..20 {
        let open = gate(&mill);
        for number in 0..30 {
            for priority in [Priority::Low, Priority::Normal, Priority::High] {
                let order = Arc::clone(&order);
                mill.spawn_with(priority, move || order.lock().unwrap().push((priority, number))).unwrap();
            }
        }
        drop(open);
        let (last, wait) = mpsc::channel();
        mill.spawn_with(Priority::Low, move || last.send(()).unwrap()).unwrap();
        wait.recv().unwrap();
        let mut order = std::mem::take(&mut *order.lock().unwrap());
        assert!(order.is_sorted_by_key(|&(priority, _)| priority), "{order:?}");
        // Usual jobs go in batches, and so not quite in order.
        order[30..60].sort_unstable();
        assert!(order.is_sorted(), "{order:?}");
    }
}

#[test]
fn an_urgent_job_overtakes_those_that_wait_on_a_worker() {
    let _watched = watch("an_urgent_job_overtakes_those_that_wait_on_a_worker");
    let (mill, order) = (closed_mill(1), Arc::new(Mutex::new(Vec::new())));
    let push = |what: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(what)
    };
    let (low, normal, high) = (push("low"), push("normal"), push("high"));
    let inner = mill.clone();
    mill.install(move || {
        inner.spawn_with(Priority::Low, low).unwrap();
        inner.spawn(normal).unwrap();
        inner.spawn_with(Priority::High, high).unwrap();
    });
    mill.shutdown();
    assert_eq!(*order.lock().unwrap(), ["high", "normal", "low"]);
}

#[test]
fn all_bands_are_emptied_by_a_shutdown() {
    let _watched = watch("all_bands_are_emptied_by_a_shutdown");
    let ledger = crate::suite::ledger::Ledger::default();
    for workers in [1, 2, 4] {
        let mill = crate::suite::mill(workers);
        for number in 0..300 {
            let priority = [Priority::Low, Priority::Normal, Priority::High][number % 3];
            let chit = ledger.chit();
            mill.spawn_with(priority, move || chit.run()).unwrap();
        }
        mill.shutdown();
    }
    ledger.settled(900);
}
