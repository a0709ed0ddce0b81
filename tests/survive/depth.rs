//! Stacks: waiting must not eat them, and the caller's own recursion ends as it does without a mill.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gristmill::{join, scope};

use crate::suite::{child, mill, tick, until, watch::watch};

/// Frames of a debug build are large: so that all stacks together hold them.
const LEVELS: usize = if cfg!(debug_assertions) { 50_000 } else { 100_000 };

/// Each first half waits until its second half has begun on another worker; that is the next level.
fn chain(level: usize, begun: &[AtomicBool]) {
    let Some(next) = begun.get(level) else { return };
    let waits = || until(|| next.load(Ordering::SeqCst));
    let goes_on = || {
        next.store(true, Ordering::SeqCst);
        chain(level + 1, begun);
    };
    join(waits, goes_on);
}

fn stolen_chain(workers: usize) {
    let begun: Vec<_> = (0..LEVELS).map(|_| AtomicBool::new(false)).collect();
    mill(workers).install(|| chain(0, &begun));
    assert!(begun.iter().all(|begun| begun.load(Ordering::SeqCst)));
}

#[test]
fn a_long_chain_of_stolen_halves_on_two_workers() {
    let _watched = watch("a_long_chain_of_stolen_halves_on_two_workers");
    stolen_chain(2);
}

#[test]
fn a_long_chain_of_stolen_halves_on_four_workers() {
    let _watched = watch("a_long_chain_of_stolen_halves_on_four_workers");
    stolen_chain(4);
}

/// Deeper than the private part of a line.
#[test]
fn joins_nested_by_the_thousand_come_back_in_order() {
    let _watched = watch("joins_nested_by_the_thousand_come_back_in_order");
    fn count(depth: u64) -> u64 {
        if depth == 0 {
            return 0;
        }
        let (a, b) = join(|| count(depth - 1), || 1);
        a + b
    }
    for workers in [1, 2, 3] {
        let mill = gristmill::Mill::builder().workers(workers).stack_size(64 << 20).build().unwrap();
        for _ in 0..10 {
            assert_eq!(mill.install(|| count(5_000)), 5_000);
        }
    }
}

/// A scope that opens where the private part is full: what a join in it spawns does not get between the join and its half.
#[test]
fn a_scope_beyond_the_private_part_keeps_jobs_and_halves_apart() {
    let _watched = watch("a_scope_beyond_the_private_part_keeps_jobs_and_halves_apart");
    fn nest(depth: usize, bottom: &(dyn Fn() + Sync)) {
        if depth == 0 {
            return bottom();
        }
        join(|| nest(depth - 1, bottom), || ());
    }
    for workers in [1, 2, 3] {
        let mill = gristmill::Mill::builder().workers(workers).stack_size(64 << 20).build().unwrap();
        for depth in [1_000, 1_022, 1_023, 1_024, 1_100] {
            let (jobs, halves) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let bottom = || {
                scope(|s| {
                    for _ in 0..10 {
                        join(|| s.spawn(|_| tick(&jobs)), || tick(&halves));
                    }
                });
            };
            mill.install(|| nest(depth, &bottom));
            assert_eq!((jobs.into_inner(), halves.into_inner()), (10, 10), "{depth} joins deep");
        }
    }
}

fn plunge(depth: u64) -> u64 {
    let (a, b) = join(|| plunge(std::hint::black_box(depth) + 1), || depth);
    a.wrapping_add(b)
}

#[test]
fn endless_recursion_ends_with_the_usual_message() {
    let _watched = watch("endless_recursion_ends_with_the_usual_message");
    if child::is_child() {
        let mill = gristmill::Mill::builder().workers(1).name("plunge").caller_runs(false).build().unwrap();
        println!("{}", mill.install(|| plunge(0)));
        return;
    }
    let output = child::run("depth::endless_recursion_ends_with_the_usual_message");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("has overflowed its stack"), "{stderr}");
    assert!(stderr.contains("gm-plunge-0"), "{stderr}");
}
