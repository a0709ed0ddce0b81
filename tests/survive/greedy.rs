//! `Waiting::Greedy`: a waiter runs whatever there is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gristmill::{Mill, Waiting, join, scope, spawn};

use crate::suite::{tick, until, watch::watch};

fn greedy(workers: usize) -> Mill {
    Mill::builder().workers(workers).waiting(Waiting::Greedy).max_spares(0).build().unwrap()
}

#[test]
fn a_greedy_waiter_runs_foreign_jobs() {
    let _watched = watch("a_greedy_waiter_runs_foreign_jobs");
    let mill =
        Mill::builder().workers(2).waiting(Waiting::Greedy).max_spares(0).caller_runs(false).build().unwrap();
    for _ in 0..100 {
        let (begun, ran) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
        mill.install(|| {
            join(
                || until(|| begun.load(Ordering::SeqCst)),
                || {
                    begun.store(true, Ordering::SeqCst);
                    let ran_there = Arc::clone(&ran);
                    spawn(move || ran_there.store(true, Ordering::SeqCst));
                    // There is no third thread: the waiter must run it.
                    until(|| ran.load(Ordering::SeqCst));
                },
            );
        });
    }
}

#[test]
fn greedy_results_are_right_and_locks_are_not_held() {
    let _watched = watch("greedy_results_are_right_and_locks_are_not_held");
    fn fib(n: u32) -> u64 {
        if n < 2 {
            return n.into();
        }
        let (a, b) = join(|| fib(n - 1), || fib(n - 2));
        a + b
    }
    for workers in [1, 2, 4] {
        let (mill, sums) = (greedy(workers), Mutex::new(Vec::new()));
        let count = AtomicUsize::new(0);
        mill.install(|| {
            scope(|s| {
                for _ in 0..100 {
                    s.spawn(|s| {
                        let sum = fib(12);
                        sums.lock().unwrap().push(sum);
                        s.spawn(|_| tick(&count));
                    });
                }
            });
        });
        assert_eq!((sums.into_inner().unwrap(), count.into_inner()), (vec![144; 100], 100));
    }
}
