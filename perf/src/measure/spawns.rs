//! A million empty jobs, and how long it takes until all are over.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use crate::CompareError;

const JOBS: usize = 1_000_000;

/// Counts the jobs of a turn down; turns follow one another, so one will do.
static LEFT: AtomicUsize = AtomicUsize::new(0);
static OVER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// The empty job: the last one tells.
fn job() {
    if LEFT.fetch_sub(1, Ordering::AcqRel) == 1 {
        *OVER.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        OVER.1.notify_one();
    }
}

/// Nanoseconds for each job from the first `spawn` until the last job is over.
fn each(spawn_all: impl FnOnce()) -> Vec<f64> {
    LEFT.store(JOBS, Ordering::Release);
    let begun = Instant::now();
    spawn_all();
    let mut over = OVER.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*over {
        over = OVER.1.wait(over).unwrap_or_else(PoisonError::into_inner);
    }
    let seconds = begun.elapsed().as_secs_f64();
    *over = false;
    vec![seconds * 1e9 / JOBS as f64]
}

fn contest(
    measure: &'static str,
    on_rayon: fn(&rayon::ThreadPool),
    on_mill: fn(&gristmill::Mill),
) -> Result<Vec<Contest>, CompareError> {
    let (pool, mill) = (pools::rayon(2)?, pools::mill(2)?);
    let contestants = vec![
        Contestant::new("rayon", 2, move || each(|| on_rayon(&pool))),
        Contestant::new("gristmill", 2, move || each(|| on_mill(&mill))),
    ];
    let readings = vec![Reading::new(measure, "ns per job", &[Goal::OverRayon(0.5)])];
    Ok(vec![Contest { contestants, readings, enough: None }])
}

pub(super) fn outside(_: &Options) -> Result<Vec<Contest>, CompareError> {
    contest(
        "spawn-outside",
        |pool| (0..JOBS).for_each(|_| pool.spawn(job)),
        |mill| (0..JOBS).for_each(|_| mill.spawn(job).unwrap_or_else(|closed| panic!("{closed}"))),
    )
}

pub(super) fn scope_outside(_: &Options) -> Result<Vec<Contest>, CompareError> {
    contest(
        "scope-outside",
        |pool| pool.in_place_scope(|scope| (0..JOBS).for_each(|_| scope.spawn(|_| job()))),
        |mill| mill.install(|| gristmill::scope(|scope| (0..JOBS).for_each(|_| scope.spawn(|_| job())))),
    )
}

pub(super) fn inside(_: &Options) -> Result<Vec<Contest>, CompareError> {
    contest(
        "spawn-inside",
        |pool| pool.spawn(|| (0..JOBS).for_each(|_| rayon::spawn(job))),
        |mill| {
            let spawned = mill.spawn(|| (0..JOBS).for_each(|_| gristmill::spawn(job)));
            spawned.unwrap_or_else(|closed| panic!("{closed}"));
        },
    )
}

pub(super) fn scope_inside(_: &Options) -> Result<Vec<Contest>, CompareError> {
    contest(
        "scope-inside",
        |pool| pool.spawn(|| rayon::scope(|scope| (0..JOBS).for_each(|_| scope.spawn(|_| job())))),
        |mill| {
            let spawned =
                mill.spawn(|| gristmill::scope(|scope| (0..JOBS).for_each(|_| scope.spawn(|_| job()))));
            spawned.unwrap_or_else(|closed| panic!("{closed}"));
        },
    )
}
