//! Contexts that go with jobs, in mills that are to carry them.

use std::sync::mpsc;

use gristmill::contextvars::ContextVar;
use gristmill::{Mill, scope, spawn};

static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);

fn mill(workers: usize) -> Mill {
    Mill::builder().workers(workers).contexts(true).build().unwrap()
}

#[test]
fn a_job_sees_what_was_set_when_it_was_spawned_and_sets_for_itself() {
    let mill = mill(2);
    let (send, receive) = mpsc::channel();
    for depth in 1..100 {
        DEPTH.set(depth);
        let send = send.clone();
        mill.spawn(move || {
            let seen = DEPTH.get();
            DEPTH.set(1_000);
            send.send((depth, seen)).unwrap();
        })
        .unwrap();
    }
    drop(send);
    assert_eq!(receive.iter().inspect(|(depth, seen)| assert_eq!(*seen, Some(*depth))).count(), 99);
    assert_eq!(DEPTH.get(), Some(99));
}

#[test]
fn jobs_hand_on_what_they_set() {
    let (send, receive) = mpsc::channel();
    mill(1).install(|| {
        DEPTH.set(1);
        spawn(move || {
            DEPTH.set(DEPTH.get().unwrap() + 1);
            spawn(move || send.send(DEPTH.get()).unwrap());
        });
        DEPTH.set(7);
    });
    assert_eq!(receive.recv(), Ok(Some(2)));
    assert_eq!(DEPTH.get(), Some(0));
}

#[test]
fn installed_work_has_a_copy_whoever_runs_it() {
    for caller_runs in [false, true] {
        let mill = Mill::builder().workers(1).caller_runs(caller_runs).contexts(true).build().unwrap();
        DEPTH.set(3);
        let seen = mill.install(|| {
            let seen = DEPTH.get();
            DEPTH.set(4);
            (seen, DEPTH.get(), mill.install(|| DEPTH.get()))
        });
        assert_eq!((seen, DEPTH.get()), ((Some(3), Some(4), Some(4)), Some(3)));
    }
}

#[test]
fn scopes_and_broadcasts_carry_them_too() {
    let mill = mill(2);
    DEPTH.set(5);
    let mut seen = [None; 50];
    mill.install(|| {
        scope(|s| {
            for (i, seen) in seen.iter_mut().enumerate() {
                DEPTH.set(i as u32);
                s.spawn(move |s| {
                    DEPTH.set(DEPTH.get().unwrap() + 1);
                    s.spawn(move |_| *seen = DEPTH.get());
                });
            }
        });
    });
    assert!(seen.iter().enumerate().all(|(i, seen)| *seen == Some(i as u32 + 1)));
    let seen = mill.broadcast(|_| {
        let seen = DEPTH.get();
        DEPTH.set(6);
        seen
    });
    assert_eq!(seen, [Some(5); 2]);
    assert_eq!(DEPTH.get(), Some(5));
}

#[test]
fn a_panic_leaves_the_context() {
    let mill = mill(1);
    DEPTH.set(1);
    let result = std::panic::catch_unwind(|| {
        mill.install(|| {
            DEPTH.set(2);
            panic!("in the context");
        });
    });
    assert!(result.is_err());
    assert_eq!(mill.install(|| DEPTH.get()), Some(1));
}

#[test]
fn a_mill_that_was_not_asked_leaves_them_alone() {
    let mill = Mill::builder().workers(1).caller_runs(false).build().unwrap();
    DEPTH.set(9);
    assert_eq!(mill.install(|| DEPTH.get()), Some(0));
}
