//! `blocking`: a worker that sleeps costs no slot.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};

use gristmill::{Mill, blocking, join, scope, spawn};

use crate::suite::{closed_mill, mill, watch::watch};

#[test]
fn the_only_worker_waits_for_a_job_of_its_own_mill() {
    let _watched = watch("the_only_worker_waits_for_a_job_of_its_own_mill");
    for mill in [mill(1), closed_mill(1)] {
        for round in 0..200 {
            let (send, receive) = mpsc::channel();
            let got = mill.install(move || {
                spawn(move || send.send(round).unwrap());
                blocking(|| receive.recv())
            });
            assert_eq!(got, Ok(round));
        }
    }
}

#[test]
fn what_waits_below_a_blocked_job_is_visible() {
    let _watched = watch("what_waits_below_a_blocked_job_is_visible");
    let mill = closed_mill(1);
    for _ in 0..200 {
        let (send, receive) = mpsc::channel();
        // The second halves are on the line of the thread that blocks.
        mill.install(move || {
            let other = send.clone();
            let leaf = move || {
                blocking(|| (receive.recv().unwrap(), receive.recv().unwrap()));
            };
            join(|| join(leaf, || send.send(()).unwrap()), || other.send(()).unwrap());
        });
    }
}

#[test]
fn many_jobs_meet_at_a_barrier() {
    let _watched = watch("many_jobs_meet_at_a_barrier");
    let (mill, barrier) = (mill(2), Barrier::new(100));
    mill.install(|| {
        scope(|s| {
            for _ in 0..100 {
                s.spawn(|_| {
                    blocking(|| barrier.wait());
                });
            }
        });
    });
}

#[test]
fn more_jobs_block_than_there_are_spares() {
    let _watched = watch("more_jobs_block_than_there_are_spares");
    for spares in [0, 1, 3] {
        let mill = Mill::builder().workers(1).max_spares(spares).caller_runs(false).build().unwrap();
        let (give, take) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (doors, locks): (Vec<_>, Vec<_>) = (0..100).map(|_| mpsc::channel::<()>()).unzip();
        for lock in locks {
            let (give, take) = (Arc::clone(&give), Arc::clone(&take));
            mill.spawn(move || {
                give.fetch_add(1, Ordering::SeqCst);
                blocking(|| lock.recv().unwrap());
                take.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap();
        }
        // From outside, so each can end at some time.
        for door in doors {
            door.send(()).unwrap();
        }
        mill.shutdown();
        assert_eq!((give.load(Ordering::SeqCst), take.load(Ordering::SeqCst)), (100, 100));
    }
}

#[test]
fn blocking_within_blocking_and_joins_within_it() {
    let _watched = watch("blocking_within_blocking_and_joins_within_it");
    fn fib(n: u32) -> u64 {
        if n < 2 {
            return n.into();
        }
        let (a, b) = blocking(|| join(|| fib(n - 1), || blocking(|| fib(n - 2))));
        a + b
    }
    for workers in [1, 2, 4] {
        let mill = mill(workers);
        assert_eq!(mill.install(|| fib(12)), 144);
        let boom = || blocking(|| crate::suite::boom::boom(4));
        assert_eq!(crate::suite::boom::caught(|| mill.install(boom)), Some(4));
        assert_eq!(mill.install(|| fib(8)), 21);
    }
    assert_eq!(blocking(|| 6), 6);
}
