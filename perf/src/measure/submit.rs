//! From a submission from outside until its result is there.

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use crate::CompareError;

/// Between two submissions to a pool that shall sleep.
const GAP: Duration = Duration::from_millis(1);
/// Submissions in a turn.
const ASLEEP: usize = 300;
const HOT: usize = 10_000;

/// CPU time of this process so far, or of the calling thread.
pub(super) fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// Medians and 99th percentiles of one submission's time, and the CPU time it takes, in microseconds.
fn each(asleep: bool, mut submit: impl FnMut(u64) -> u64) -> Vec<f64> {
    let count = if asleep { ASLEEP } else { HOT };
    let mut times = Vec::with_capacity(count);
    let before = cpu(ClockId::ProcessCPUTime);
    for number in 0..count as u64 {
        if asleep {
            thread::sleep(GAP);
        }
        let begun = Instant::now();
        let result = submit(black_box(number));
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        assert_eq!(result, number, "a wrong result");
    }
    if asleep {
        // Whoever was woken goes back to sleep at the submissions' expense.
        thread::sleep(GAP);
    }
    let burnt = cpu(ClockId::ProcessCPUTime).saturating_sub(before).as_secs_f64() * 1e6;
    times.sort_by(f64::total_cmp);
    vec![times[count / 2], times[count * 99 / 100], burnt / count as f64]
}

fn by_install(name: &str, asleep: bool, p50: f64) -> Result<Vec<Contest>, CompareError> {
    let (pool, mill) = (pools::rayon(2)?, pools::mill(2)?);
    let contestants = vec![
        Contestant::new("rayon", 2, move || each(asleep, |number| pool.install(|| black_box(number)))),
        Contestant::new("gristmill", 2, move || each(asleep, |number| mill.install(|| black_box(number)))),
    ];
    Ok(vec![Contest { contestants, readings: readings(name, asleep, p50), enough: None }])
}

fn by_spawn(name: &str, asleep: bool, p50: f64) -> Result<Vec<Contest>, CompareError> {
    let (pool, mill) = (pools::rayon(2)?, pools::mill(2)?);
    let sent = |spawn: &mut dyn FnMut(Box<dyn FnOnce() + Send>), number: u64| {
        let (sender, receiver) = mpsc::channel();
        spawn(Box::new(move || sender.send(black_box(number)).unwrap_or(())));
        receiver.recv().unwrap_or(u64::MAX)
    };
    let contestants = vec![
        Contestant::new("rayon", 2, move || each(asleep, |number| sent(&mut |job| pool.spawn(job), number))),
        Contestant::new("gristmill", 2, move || {
            each(asleep, |number| sent(&mut |job| mill.spawn(job).unwrap_or(()), number))
        }),
    ];
    Ok(vec![Contest { contestants, readings: readings(name, asleep, p50), enough: None }])
}

fn readings(name: &str, asleep: bool, p50: f64) -> Vec<Reading> {
    let burnt: &[Goal] = if asleep { &[Goal::OverRayon(0.4)] } else { &[] };
    vec![
        Reading::new(format!("{name}-p50"), "us", &[Goal::OverRayon(p50)]),
        Reading::new(format!("{name}-p99"), "us", &[]),
        Reading::new(format!("{name}-cpu"), "us of CPU", burnt),
    ]
}

pub(super) fn install_asleep(_: &Options) -> Result<Vec<Contest>, CompareError> {
    by_install("install-asleep", true, 0.25)
}

pub(super) fn spawn_asleep(_: &Options) -> Result<Vec<Contest>, CompareError> {
    by_spawn("spawn-asleep", true, 0.25)
}

pub(super) fn install_hot(_: &Options) -> Result<Vec<Contest>, CompareError> {
    by_install("install-hot", false, 0.2)
}

pub(super) fn spawn_hot(_: &Options) -> Result<Vec<Contest>, CompareError> {
    by_spawn("spawn-hot", false, 0.2)
}
