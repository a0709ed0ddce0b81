//! Executors: many tasks, one task and its result, many futures, an endless map.

use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gristmill::concurrent::futures::{Executor as _, ThreadPoolExecutor, as_completed};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::memory::resident;
use crate::CompareError;
use crate::compare::python;
use crate::executors::{EXECUTORS, Executor, PYTHON, flood, trips};

const WORKERS: usize = 2;
const TASKS: u64 = 1_000_000;
const HOT: usize = 20_000;
const IDLE: usize = 300;
/// Between two submissions to a pool that shall sleep.
const GAP: Duration = Duration::from_millis(1);

type Turn = fn(&dyn Executor) -> Vec<f64>;

/// All executors but one kind of tokio's at the same thing, and CPython if there is one; `pick` takes its values out of
/// what its script prints.
fn contest(
    readings: Vec<Reading>,
    turn: Turn,
    pick: fn(&[f64]) -> Vec<f64>,
) -> Result<Vec<Contest>, CompareError> {
    let mut contestants = Vec::new();
    for listing in EXECUTORS.iter().filter(|listing| listing.name != "tokio-blocking") {
        let executor = (listing.open)(WORKERS)?;
        contestants.push(Contestant::new(listing.name, WORKERS, move || turn(&*executor)));
    }
    if let Ok(python) = python::find() {
        let values = readings.len();
        contestants.push(Contestant::new("cpython", WORKERS, move || {
            let said = python.script(PYTHON, "2 20000 300", Duration::from_secs(60));
            let said = said.ok().and_then(|text| text.split_whitespace().map(|n| n.parse().ok()).collect());
            said.map_or(vec![f64::NAN; values], |said: Vec<f64>| pick(&said))
        }));
    }
    Ok(vec![Contest { contestants, readings, enough: None }])
}

pub(super) fn million(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let goals = [Goal::OverRayon(0.5), Goal::Over("tokio", 0.4), Goal::Over("cpython", 0.02)];
    contest(
        vec![Reading::new("tasks", "ns per task", &goals)],
        |executor| vec![flood(executor, TASKS)],
        |said| vec![said[0]],
    )
}

fn over_all() -> [Goal; 4] {
    [Goal::OverRayon(1.0), Goal::Over("tokio", 1.0), Goal::Over("crossbeam", 1.0), Goal::Over("cpython", 1.0)]
}

pub(super) fn hot(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let readings = vec![
        Reading::new("trip-hot-p50", "us", &over_all()),
        Reading::new("trip-hot-p99", "us", &over_all()),
    ];
    contest(readings, |executor| trips(executor, HOT, None).to_vec(), |said| said[1..3].to_vec())
}

pub(super) fn idle(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let readings = vec![
        Reading::new("trip-idle-p50", "us", &over_all()),
        Reading::new("trip-idle-p99", "us", &over_all()),
    ];
    contest(readings, |executor| trips(executor, IDLE, Some(GAP)).to_vec(), |said| said[3..5].to_vec())
}

fn pool() -> Result<Rc<ThreadPoolExecutor>, CompareError> {
    let built = ThreadPoolExecutor::new(WORKERS);
    built.map(Rc::new).map_err(|why| CompareError::Pool {
        engine: "gristmill",
        workers: WORKERS,
        why: why.to_string(),
    })
}

/// Nanoseconds for each of so many futures from `as_completed` to the last one's result. None is done before they are
/// all listened to.
fn completions(pool: &ThreadPoolExecutor, futures: u64) -> f64 {
    let holds: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (go, wait) = mpsc::channel::<()>();
            (go, pool.submit(move || wait.recv().is_err()))
        })
        .collect();
    let tasks: Vec<_> = (0..futures).filter_map(|number| pool.submit(move || number).ok()).collect();
    let begun = Instant::now();
    let completed = as_completed(tasks);
    let holds: Vec<_> = holds.into_iter().map(|(_, held)| held).collect();
    let sum: u64 = completed.filter_map(|future| future.result().ok()).sum();
    let nanos = begun.elapsed().as_secs_f64() * 1e9 / futures as f64;
    assert_eq!(sum, futures * (futures - 1) / 2, "a wrong sum");
    drop(holds);
    nanos
}

pub(super) fn many(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let pool = pool()?;
    let turn = move || vec![completions(&pool, 10_000), completions(&pool, 100_000)];
    let readings = vec![
        Reading::new("as-completed-10k", "ns per future", &[]),
        Reading::new("as-completed-100k", "ns per future", &[Goal::AtMost(300.0)]),
    ];
    Ok(vec![Contest {
        contestants: vec![Contestant::new("gristmill", WORKERS, turn)],
        readings,
        enough: None,
    }])
}

/// By how many KiB the process grows while it takes a million results of a map over an endless input.
pub(super) fn endless(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let pool = pool()?;
    let turn = move || {
        let results = pool.map(|number: u64| number, 0..).buffer_size(64);
        let before = resident();
        let sum: u64 = results.take(1_000_000).filter_map(Result::ok).sum();
        assert_eq!(sum, 499_999_500_000, "a wrong sum");
        vec![resident().saturating_sub(before) as f64]
    };
    let readings = vec![Reading::new("map-endless", "KiB grown", &[Goal::AtMost(1024.0)])];
    Ok(vec![Contest {
        contestants: vec![Contestant::new("gristmill", WORKERS, turn)],
        readings,
        enough: None,
    }])
}
