use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::mill::join::join;
use crate::mill::spawn::worker_index;

fn run(units: Range<u32>, seat: usize) -> Run {
    Run { units, seat }
}

fn mill(workers: usize) -> Mill {
    Mill::builder().workers(workers).caller_runs(false).build().unwrap()
}

#[test]
fn every_item_runs_once_whoever_had_it() {
    for workers in [1, 2, 3, 8] {
        let mill = mill(workers);
        let mut affinity = Affinity::new();
        for len in [0_usize, 1, 2, 7, 1_000, 1_000, 1_000, 999, 50_000, 50_000] {
            let counts: Vec<AtomicUsize> = (0..len).map(|_| AtomicUsize::new(0)).collect();
            affinity.par_for_in(&mill, 0..len, |i: usize| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{workers} {len}");
            let all: u32 = affinity.runs.iter().map(|run| run.units.end - run.units.start).sum();
            assert_eq!(all as usize, len);
            assert!(affinity.runs.windows(2).all(|pair| pair[0].units.end == pair[1].units.start));
        }
    }
}

/// What it remembers is who ran the items: each worker writes its number.
#[test]
fn it_remembers_who_ran_what() {
    let mill = mill(4);
    let mut affinity = Affinity::new();
    let mut runners = vec![usize::MAX; 10_000];
    for _ in 0..20 {
        affinity.par_for_in(&mill, &mut runners, |runner| *runner = worker_index().unwrap());
        for run in &affinity.runs {
            let items = &runners[run.units.start as usize..run.units.end as usize];
            let same = items.iter().filter(|runner| **runner == run.seat).count();
            // But for runs so short that they were added to a neighbour's.
            assert!(2 * same >= items.len(), "{run:?}");
        }
    }
}

/// Nobody is robbed if everybody has come and nobody is done before the others: all meet once in each loop.
#[test]
fn items_go_back_to_who_had_them() {
    let mill = mill(3);
    let mut affinity = Affinity::new();
    let runners = Mutex::new(vec![usize::MAX; 3]);
    for repeat in 0..20 {
        let arrived = AtomicUsize::new(0);
        affinity.par_for_in(&mill, 0..3_usize, |i| {
            arrived.fetch_add(1, Ordering::SeqCst);
            // Nobody has time for a second item before all have one.
            while arrived.load(Ordering::SeqCst) < 3 {
                std::thread::yield_now();
            }
            runners.lock().unwrap()[i] = worker_index().unwrap();
        });
        let mut now = runners.lock().unwrap().clone();
        let remembered: Vec<usize> = affinity.runs.iter().map(|run| run.seat).collect();
        assert_eq!(now, remembered, "{repeat}");
        now.sort_unstable();
        assert_eq!(now, [0, 1, 2]);
    }
}

#[test]
fn a_panic_comes_out_and_is_forgotten_with_all_else() {
    let mill = mill(2);
    let mut affinity = Affinity::new();
    affinity.par_for_in(&mill, 0..100, drop);
    assert!(affinity.kept().is_none() && !affinity.runs.is_empty());
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        affinity.par_for_in(&mill, 0..100, |i| assert!(i != 50, "fifty"));
    }));
    assert!(result.is_err());
    assert!(affinity.runs.is_empty() && affinity.kept().is_none());
    affinity.par_for_in(&mill, 0..100, drop);
    affinity.par_for_in(&mill, 0..100, drop);
    assert!(affinity.kept().is_some());
}

#[test]
fn a_smaller_mill_and_one_within_another_take_over() {
    let (large, small) = (mill(4), mill(1));
    let mut affinity = Affinity::new();
    affinity.par_for_in(&large, 0..1_000, drop);
    affinity.par_for_in(&small, 0..1_000, drop);
    large.install(|| affinity.par_for_in(&small, 0..1_000, drop));
    large.install(|| affinity.par_for(0..1_000, drop));
    affinity.par_for(0..1_000, drop);
    assert!(format!("{affinity:?}").starts_with("Affinity { items: 1000, runs: "));
}

/// Under this rule a waiting worker runs anything: also an invitation to the loop that its own item is in.
#[test]
fn a_worker_does_not_take_part_twice() {
    let mill = Mill::builder().workers(2).waiting(crate::config::Waiting::Greedy).build().unwrap();
    let mut affinity = Affinity::new();
    let sum = AtomicUsize::new(0);
    for _ in 0..20 {
        affinity.par_for_in(&mill, 0..64_usize, |i| {
            join(|| sum.fetch_add(i, Ordering::Relaxed), std::thread::yield_now);
        });
    }
    assert_eq!(sum.into_inner(), 20 * 64 * 63 / 2);
}

#[test]
fn neighbours_are_joined_and_few_runs_are_kept() {
    let made = [(0..10, 1), (10..20, 1), (20..21, 0), (21..40, 1), (40..80, 2)];
    let made = made.map(|(range, runner)| Segment { range, runner, value: () });
    assert_eq!(runs(&made, 1, 100), [run(0..20, 1), run(20..21, 0), run(21..40, 1), run(40..80, 2)]);
    assert_eq!(runs(&made, 1, 3), [run(0..40, 1), run(40..80, 2)]);
    assert_eq!(runs(&made[..1], 4, 1), [run(0..3, 1)]);
}

#[test]
fn what_was_kept_is_counted_by_items() {
    let before = [run(0..50, 0), run(50..100, 1)];
    assert_eq!(kept(&before, &before), 1.0);
    assert_eq!(kept(&before, &[run(0..100, 0)]), 0.5);
    assert_eq!(kept(&before, &[run(0..25, 1), run(25..75, 0), run(75..100, 1)]), 0.5);
    assert_eq!(kept(&before, &[run(0..50, 1), run(50..100, 0)]), 0.0);
}
