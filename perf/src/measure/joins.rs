//! What a join costs, and what it gives.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::Options;
use super::cases::Ground;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use crate::CompareError;
use crate::engines::chili;

pub(super) fn fib(_: &Options) -> Result<Vec<Contest>, CompareError> {
    // fib(n) makes fib(n + 1) - 1 joins.
    const JOINS: f64 = 24_157_816.0;
    let ground = Ground::make("fib", 36)?;
    let mut contestants = vec![ground.on("serial", 1, 1, JOINS * 1e-9)?];
    for workers in [1, 2] {
        for engine in ["rayon", "chili", "gristmill"] {
            contestants.push(ground.on(engine, workers, 1, JOINS * 1e-9)?);
        }
    }
    let goals = [Goal::OverRayon(0.36), Goal::Over("chili", 1.0)];
    Ok(vec![Contest {
        contestants,
        readings: vec![Reading::new("fib", "ns per join", &goals)],
        enough: None,
    }])
}

pub(super) fn nqueens(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let ground = Ground::make("nqueens", 13)?;
    let on = |engine, workers| ground.on(engine, workers, 4, 1e-3);
    let goals = [Goal::OverRayon(0.7), Goal::Over("serial", 1.0)];
    Ok(vec![Contest {
        contestants: vec![on("serial", 1)?, on("rayon", 2)?, on("chili", 2)?, on("gristmill", 2)?],
        readings: vec![Reading::new("nqueens", "ms", &goals)],
        enough: None,
    }])
}

/// Joins in a turn.
const TIMES: u32 = 40;

/// Computes for about 5 ms when `rounds` is as [`calibrated`].
fn leaf(rounds: u32) -> u64 {
    let mut word = u64::from(black_box(rounds)) + 1;
    for _ in 0..rounds {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    word
}

/// How many rounds take 5 ms, by the fastest of some attempts.
fn calibrated() -> u32 {
    const PROBE: u32 = 1_000_000;
    let time = |_| {
        let begun = Instant::now();
        black_box(leaf(PROBE));
        begun.elapsed()
    };
    let fastest = (0..20).map(time).min().unwrap_or(Duration::from_millis(5));
    (f64::from(PROBE) * 5e-3 / fastest.as_secs_f64()) as u32
}

/// Milliseconds that a call of `pair` takes, on average over [`TIMES`] calls.
fn each(mut pair: impl FnMut() -> (u64, u64)) -> Vec<f64> {
    let begun = Instant::now();
    for _ in 0..TIMES {
        black_box(pair());
    }
    vec![begun.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES)]
}

pub(super) fn leaves(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let n = calibrated();
    let (rayon, mill, chili) = (pools::rayon(2)?, pools::mill(2)?, chili::pool(2));
    let contestants = vec![
        Contestant::new("serial", 1, move || each(|| (leaf(n), leaf(n)))),
        Contestant::new("rayon", 2, move || rayon.install(|| each(|| rayon::join(|| leaf(n), || leaf(n))))),
        Contestant::new("chili", 2, move || {
            let mut scope = chili.scope();
            each(|| scope.join(|_| leaf(n), |_| leaf(n)))
        }),
        Contestant::new("gristmill", 2, move || {
            mill.install(|| each(|| gristmill::join(|| leaf(n), || leaf(n))))
        }),
    ];
    let readings = vec![Reading::new("leaves", "ms", &[Goal::Speedup(1.9)])];
    Ok(vec![Contest { contestants, readings, enough: None }])
}
