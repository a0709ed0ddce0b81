//! What the mill counts, and that it costs nothing while there is nothing to do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use gristmill::{Mill, join, scope};

use crate::suite::{closed_mill, tick, until, watch::watch};

#[test]
fn jobs_are_counted_where_they_run() {
    let _watched = watch("jobs_are_counted_where_they_run");
    let mill = closed_mill(1);
    for _ in 0..50 {
        mill.spawn(|| ()).unwrap();
    }
    mill.install(|| scope(|s| (0..10).for_each(|_| s.spawn(|_| ()))));
    mill.shutdown();
    let stats = mill.stats();
    assert_eq!((stats.workers.len(), stats.total().jobs, stats.total().steals_total()), (1, 61, 0));
}

#[test]
fn halves_that_stay_at_home_are_not_counted() {
    let _watched = watch("halves_that_stay_at_home_are_not_counted");
    fn tree(depth: u32) {
        if depth > 0 {
            join(|| tree(depth - 1), || tree(depth - 1));
        }
    }
    let mill = closed_mill(1);
    mill.install(|| tree(10));
    mill.shutdown();
    assert_eq!(mill.stats().total().jobs, 1);
}

#[test]
fn steals_and_parks_and_wakes_add_up() {
    let _watched = watch("steals_and_parks_and_wakes_add_up");
    let mill = closed_mill(2);
    let rounds = 100;
    for _ in 0..rounds {
        let begun = AtomicBool::new(false);
        mill.install(|| {
            join(|| until(|| begun.load(Ordering::SeqCst)), || begun.store(true, Ordering::SeqCst));
        });
    }
    // Both are asleep: all of their counting is over.
    until(|| mill.stats().workers.iter().filter(|worker| worker.parks > 0).count() == 2);
    mill.shutdown();
    let (stats, total) = (mill.stats(), mill.stats().total());
    // The call from outside and the half that was stolen.
    assert_eq!((total.jobs, total.steals_total()), (2 * rounds, rounds), "{stats:#?}");
    assert_eq!(stats.workers.iter().map(|worker| worker.jobs).sum::<u64>(), total.jobs);
    assert!(total.parks > 0 && total.park > Duration::ZERO && total.spin > Duration::ZERO);
    assert_eq!(stats.workers.len(), 2, "no spare thread was needed");
}

/// Clock ticks that the threads whose names begin with `name` have used.
fn ticks(name: &str) -> (usize, u64) {
    let mut found = (0, 0);
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        if stat[open + 1..close].starts_with(name) {
            let fields: Vec<_> = stat[close + 2..].split(' ').collect();
            let time = |field: usize| fields[field].parse::<u64>().unwrap();
            found = (found.0 + 1, found.1 + time(11) + time(12));
        }
    }
    found
}

#[test]
fn an_idle_mill_uses_no_processor_time() {
    let _watched = watch("an_idle_mill_uses_no_processor_time");
    let mill = Mill::builder().workers(6).name("quiet").build().unwrap();
    let count = AtomicUsize::new(0);
    for _ in 0..100 {
        mill.install(|| scope(|s| (0..20).for_each(|_| s.spawn(|_| tick(&count)))));
    }
    // Time for the last of them to lie down; then a second in which nothing happens.
    thread::sleep(Duration::from_millis(300));
    let before = ticks("gm-quiet-");
    thread::sleep(Duration::from_millis(1_200));
    let after = ticks("gm-quiet-");
    assert!(before.0 >= 6, "{before:?}");
    assert!(after.1 <= before.1, "threads and ticks: {before:?}, {after:?}");
    drop(mill);
    assert_eq!(ticks("gm-quiet-").0, 0);
}
