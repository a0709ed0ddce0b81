//! What is split off or spawned can start while whoever did so is busy for long.
//!
//! The long leaf never calls the mill while it waits: what it has put on its line must be visible already.

#![allow(unsafe_code, reason = "asks the kernel whether it has `membarrier`")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use gristmill::{join, par_for, par_map, scope, spawn, yield_now};

use crate::suite::{closed_mill, mill, open, tick, until, watch::watch};

#[test]
fn the_outer_halves_of_nested_joins_start_under_a_long_leaf() {
    let _watched = watch("the_outer_halves_of_nested_joins_start_under_a_long_leaf");
    let mill = mill(4);
    for _ in 0..200 {
        let started = AtomicUsize::new(0);
        let start = || started.fetch_add(1, Ordering::SeqCst);
        let leaf = || until(|| started.load(Ordering::SeqCst) == 3);
        mill.install(|| join(|| join(|| join(leaf, start), start), start));
        assert_eq!(started.into_inner(), 3);
    }
}

/// More halves than are kept public: the leaf shows them with `yield_now`.
fn nest(depth: usize, started: &AtomicUsize, all: usize) {
    if depth == 0 {
        while started.load(Ordering::SeqCst) < all {
            yield_now();
        }
        return;
    }
    let start = || started.fetch_add(1, Ordering::SeqCst);
    join(|| nest(depth - 1, started, all), start);
}

/// As [`nest`], but the leaf never calls the mill.
fn nest_silently(depth: usize, started: &AtomicUsize, all: usize) {
    if depth == 0 {
        return until(|| started.load(Ordering::SeqCst) == all);
    }
    join(|| nest_silently(depth - 1, started, all), || started.fetch_add(1, Ordering::SeqCst));
}

#[test]
fn all_halves_start_under_a_leaf_that_never_calls_the_mill() {
    let _watched = watch("all_halves_start_under_a_leaf_that_never_calls_the_mill");
    // SAFETY: the call takes three integers; 0 asks which commands there are.
    let commands = unsafe { libc::syscall(libc::SYS_membarrier, 0, 0, 0) };
    let halves = if commands & i64::from(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 { 50 } else { 1 };
    for workers in [2, 4] {
        let mill = mill(workers);
        for _ in 0..50 {
            mill.install(|| nest_silently(halves, &AtomicUsize::new(0), halves));
        }
    }
}

#[test]
fn all_halves_start_under_a_long_leaf_that_yields() {
    let _watched = watch("all_halves_start_under_a_long_leaf_that_yields");
    let mill = mill(4);
    for _ in 0..100 {
        mill.install(|| nest(50, &AtomicUsize::new(0), 50));
    }
}

#[test]
fn the_other_items_start_under_a_long_first_one() {
    let _watched = watch("the_other_items_start_under_a_long_first_one");
    for workers in [2, 4] {
        for mill in [mill(workers), closed_mill(workers)] {
            for items in [2, 3, 10, 1_000] {
                for _ in 0..25 {
                    let started = AtomicUsize::new(0);
                    let body = |item: usize| {
                        if item == 0 {
                            until(|| started.load(Ordering::SeqCst) == items - 1);
                        } else {
                            tick(&started);
                        }
                    };
                    mill.install(|| par_for(0..items, body));
                    let body = |item: usize| {
                        body(item);
                        item
                    };
                    started.store(0, Ordering::SeqCst);
                    assert_eq!(mill.install(|| par_map(0..items, body)).len(), items);
                }
            }
        }
    }
}

#[test]
fn scope_jobs_start_under_a_long_leaf() {
    let _watched = watch("scope_jobs_start_under_a_long_leaf");
    let mill = mill(4);
    for jobs in [1, 3, 10, 100] {
        for fifo in [false, true] {
            let started = AtomicUsize::new(0);
            let started = &started;
            mill.install(|| {
                open(fifo, |s| {
                    for _ in 0..jobs {
                        s.spawn(move |_| {
                            started.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                    until(|| started.load(Ordering::SeqCst) == jobs);
                });
            });
        }
    }
}

#[test]
fn scope_jobs_from_inside_a_join_start_under_a_long_leaf() {
    let _watched = watch("scope_jobs_from_inside_a_join_start_under_a_long_leaf");
    let mill = mill(2);
    for jobs in [1, 10] {
        let started = AtomicUsize::new(0);
        let started = &started;
        mill.install(|| {
            scope(|s| {
                let half = || {
                    for _ in 0..jobs {
                        s.spawn(move |_| {
                            started.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                };
                join(half, half);
                until(|| started.load(Ordering::SeqCst) == 2 * jobs);
            });
        });
    }
}

#[test]
fn detached_jobs_start_under_a_long_job() {
    let _watched = watch("detached_jobs_start_under_a_long_job");
    for mill in [mill(2), closed_mill(2), closed_mill(4)] {
        for jobs in [1, 10, 100] {
            let started = Arc::new(AtomicUsize::new(0));
            mill.install(|| {
                for _ in 0..jobs {
                    let started = Arc::clone(&started);
                    spawn(move || {
                        started.fetch_add(1, Ordering::SeqCst);
                    });
                }
                until(|| started.load(Ordering::SeqCst) == jobs);
            });
        }
    }
}

#[test]
fn jobs_that_one_spawned_job_leaves_behind_are_not_hidden_by_the_next() {
    let _watched = watch("jobs_that_one_spawned_job_leaves_behind_are_not_hidden_by_the_next");
    let mill = closed_mill(2);
    for _ in 0..100 {
        let (done, wait) = mpsc::channel();
        let started = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let (started, done) = (Arc::clone(&started), done.clone());
            // Each spawns, and then waits for what the other has spawned as well.
            mill.spawn(move || {
                for _ in 0..5 {
                    let started = Arc::clone(&started);
                    spawn(move || tick(&started));
                }
                gristmill::blocking(|| until(|| started.load(Ordering::SeqCst) == 10));
                done.send(()).unwrap();
            })
            .unwrap();
        }
        wait.recv().unwrap();
        wait.recv().unwrap();
    }
}

/// A thief that takes several jobs at once hides none of them behind another.
#[test]
fn what_a_thief_takes_along_can_start_elsewhere() {
    let _watched = watch("what_a_thief_takes_along_can_start_elsewhere");
    let mill = mill(4);
    for jobs in [1, 2, 3, 8] {
        for _ in 0..100 {
            let (spawned, halves) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let (spawned, halves) = (&spawned, &halves);
            let half = || {
                tick(halves);
                until(|| spawned.load(Ordering::SeqCst) == jobs);
            };
            let leaf = || {
                while halves.load(Ordering::SeqCst) < 2 {
                    yield_now();
                }
            };
            mill.install(|| {
                scope(|s| {
                    for _ in 0..jobs {
                        s.spawn(move |_| tick(spawned));
                    }
                    join(|| join(leaf, half), half);
                });
            });
        }
    }
}
