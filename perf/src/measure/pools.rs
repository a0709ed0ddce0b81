//! Pools to measure with, and what it takes to make a large one.

use std::fs;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use gristmill::Mill;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use crate::CompareError;

/// Threads of the large pool.
const MANY: usize = 512;

pub(super) fn rayon(workers: usize) -> Result<Rc<ThreadPool>, CompareError> {
    let built = ThreadPoolBuilder::new().num_threads(workers).build();
    built.map(Rc::new).map_err(|why| CompareError::Pool { engine: "rayon", workers, why: why.to_string() })
}

pub(super) fn mill(workers: usize) -> Result<Rc<Mill>, CompareError> {
    let built = Mill::builder().workers(workers).build();
    built.map(Rc::new).map_err(|why| CompareError::Pool {
        engine: "gristmill",
        workers,
        why: why.to_string(),
    })
}

pub(super) fn large(_: &Options) -> Result<Vec<Contest>, CompareError> {
    // Refused now rather than in the middle.
    drop(rayon(MANY)?);
    drop(mill(MANY)?);
    let contestants = vec![
        Contestant::new("rayon", MANY, || {
            life(|| rayon(MANY), |pool| assert_eq!(pool.broadcast(|_| ()).len(), MANY))
        }),
        Contestant::new("gristmill", MANY, || {
            life(|| mill(MANY), |mill| assert_eq!(mill.broadcast(|_| ()).len(), MANY))
        }),
    ];
    let readings = vec![
        Reading::new("pool", "ms", &[Goal::OverRayon(0.15)]),
        Reading::new("pool-create", "ms", &[]),
        Reading::new("pool-broadcast", "ms", &[]),
        Reading::new("pool-drop", "ms", &[]),
    ];
    Ok(vec![Contest { contestants, readings, enough: None }])
}

/// Times a pool's creation and first broadcast together, each of them, and its end, in milliseconds.
fn life<P>(create: impl Fn() -> Result<P, CompareError>, broadcast: impl Fn(&P)) -> Vec<f64> {
    let before = threads();
    let begun = Instant::now();
    let Ok(pool) = create() else { return vec![f64::NAN; 4] };
    let created = begun.elapsed();
    broadcast(&pool);
    let told = begun.elapsed();
    drop(pool);
    // Some pools only tell their threads to go.
    while threads() > before && begun.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_micros(200));
    }
    let gone = begun.elapsed();
    [told, created, told - created, gone - told].map(|time| time.as_secs_f64() * 1e3).to_vec()
}

/// How many threads this process has; 0 where `/proc` does not say.
fn threads() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn threads_are_counted() {
        assert!(super::threads() >= 1);
    }
}
