//! The CPU time of a pool that has nothing to do, and of one whose other workers have nothing to do.

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::ClockId;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use super::submit::cpu;
use crate::CompareError;

/// A pool has gone to sleep after this long.
const SETTLED: Duration = Duration::from_millis(100);
/// A tick of the kernel's accounts, in seconds; values are in ticks in 10 s.
const TICK: f64 = 0.01;

/// Ticks in 10 s that this process spends while the caller sleeps, other than on this thread and what `besides` says.
fn ticks(seconds: f64, besides: impl FnOnce() -> Duration) -> Vec<f64> {
    thread::sleep(SETTLED);
    let now = || cpu(ClockId::ProcessCPUTime).saturating_sub(cpu(ClockId::ThreadCPUTime));
    let before = now();
    thread::sleep(Duration::from_secs_f64(seconds));
    let spent = now().saturating_sub(before).saturating_sub(besides());
    vec![spent.as_secs_f64() / TICK * 10.0 / seconds]
}

fn contest(name: &str, rayon: Contestant, gristmill: Contestant) -> Vec<Contest> {
    let readings = vec![Reading::new(name, "ticks in 10 s", &[Goal::AtMost(2.0)])];
    vec![Contest { contestants: vec![rayon, gristmill], readings, enough: Some(1) }]
}

pub(super) fn idle(options: &Options) -> Result<Vec<Contest>, CompareError> {
    let seconds = options.idle_seconds;
    let (pool, mill) = (pools::rayon(2)?, pools::mill(2)?);
    let rayon = Contestant::new("rayon", 2, move || {
        pool.install(|| rayon::join(|| (), || ()));
        ticks(seconds, || Duration::ZERO)
    });
    let gristmill = Contestant::new("gristmill", 2, move || {
        mill.install(|| gristmill::join(|| (), || ()));
        ticks(seconds, || Duration::ZERO)
    });
    Ok(contest("idle", rayon, gristmill))
}

/// Computes for as long as a turn takes and then says how much CPU time that was from when the pool had settled.
fn long_job(seconds: f64, done: &mpsc::Sender<Duration>) {
    let begun = Instant::now();
    let spin = |until: Duration| {
        while begun.elapsed() < until {
            (0..1000_u32).for_each(|i| assert!(black_box(i) < 1000));
        }
    };
    spin(SETTLED);
    let before = cpu(ClockId::ThreadCPUTime);
    spin(SETTLED + Duration::from_secs_f64(seconds));
    // The asker hears of it only after this, and asks no more of the clock of the process.
    let _ = done.send(cpu(ClockId::ThreadCPUTime).saturating_sub(before));
}

pub(super) fn busy(options: &Options) -> Result<Vec<Contest>, CompareError> {
    let seconds = options.idle_seconds;
    let (pool, mill) = (pools::rayon(2)?, pools::mill(2)?);
    let turn = move |spawn: &dyn Fn(Box<dyn FnOnce() + Send>)| {
        let (done, said) = mpsc::channel();
        spawn(Box::new(move || long_job(seconds, &done)));
        ticks(seconds, || said.recv().unwrap_or_default())
    };
    let rayon = Contestant::new("rayon", 2, move || turn(&|job| pool.spawn(job)));
    let gristmill = Contestant::new("gristmill", 2, move || turn(&|job| mill.spawn(job).unwrap_or(())));
    Ok(contest("busy", rayon, gristmill))
}
