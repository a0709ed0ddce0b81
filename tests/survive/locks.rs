//! A lock held across a wait: the waiter must not pick up a job that takes the same lock (rayon#592).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gristmill::{join, par_for, par_map, scope};

use crate::suite::{mill, mix, watch::watch};

const ROUNDS: u64 = 10_000;

fn work(seed: u64, depth: u32) -> u64 {
    if depth == 0 {
        return (0..20).fold(seed, |state, _| mix(state));
    }
    let (a, b) = join(|| work(seed, depth - 1), || work(mix(seed), depth - 1));
    a ^ b
}

fn lock_across_join(workers: usize) {
    let (total, jobs) = (Mutex::new(0), AtomicU64::new(0));
    mill(workers).install(|| {
        scope(|s| {
            for round in 0..ROUNDS {
                let (total, jobs) = (&total, &jobs);
                s.spawn(move |_| {
                    let mut total = total.lock().unwrap();
                    let (a, b) = join(|| work(round, 2), || work(round, 2));
                    assert_eq!(a, b);
                    *total += 1;
                    jobs.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    });
    assert_eq!((*total.lock().unwrap(), jobs.into_inner()), (ROUNDS, ROUNDS));
}

#[test]
fn held_across_join_on_two_workers() {
    let _watched = watch("held_across_join_on_two_workers");
    lock_across_join(2);
}

#[test]
fn held_across_join_on_four_workers() {
    let _watched = watch("held_across_join_on_four_workers");
    lock_across_join(4);
}

fn lock_across_loops(workers: usize) {
    let total = Mutex::new(0);
    mill(workers).install(|| {
        scope(|s| {
            for round in 0..ROUNDS / 2 {
                let total = &total;
                s.spawn(move |_| {
                    let mut total = total.lock().unwrap();
                    let sum = AtomicU64::new(0);
                    par_for(0..8_u64, |part| {
                        sum.fetch_xor(work(round ^ part, 1), Ordering::Relaxed);
                    });
                    let parts = par_map(0..8_u64, |part| work(round ^ part, 1));
                    assert_eq!(parts.iter().fold(0, |sum, part| sum ^ part), sum.into_inner());
                    *total += 1;
                });
            }
        });
    });
    assert_eq!(total.into_inner().unwrap(), ROUNDS / 2);
}

#[test]
fn held_across_loops_on_two_workers() {
    let _watched = watch("held_across_loops_on_two_workers");
    lock_across_loops(2);
}

#[test]
fn held_across_loops_on_four_workers() {
    let _watched = watch("held_across_loops_on_four_workers");
    lock_across_loops(4);
}

#[test]
fn held_across_scope() {
    let _watched = watch("held_across_scope");
    let (total, mill) = (Mutex::new(0), mill(4));
    mill.install(|| {
        scope(|s| {
            for round in 0..ROUNDS / 4 {
                let total = &total;
                s.spawn(move |_| {
                    let mut total = total.lock().unwrap();
                    let sum = AtomicU64::new(0);
                    scope(|inner| {
                        for part in 0..3 {
                            let sum = &sum;
                            inner.spawn(move |_| {
                                sum.fetch_xor(work(round ^ part, 1), Ordering::Relaxed);
                            });
                        }
                    });
                    *total += 1;
                });
            }
        });
    });
    assert_eq!(*total.lock().unwrap(), ROUNDS / 4);
}

#[test]
fn held_across_install_in_another_mill() {
    let _watched = watch("held_across_install_in_another_mill");
    let (total, here, there) = (Mutex::new(0), mill(2), mill(2));
    here.install(|| {
        scope(|s| {
            for round in 0..1_000 {
                let (total, there) = (&total, &there);
                s.spawn(move |_| {
                    let mut total = total.lock().unwrap();
                    *total += u64::from(there.install(|| work(round, 2)) == work(round, 2));
                });
            }
        });
    });
    assert_eq!(*total.lock().unwrap(), 1_000);
}
