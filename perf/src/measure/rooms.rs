//! Context variables, the scheduler of events, the timer wheel.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gristmill::Mill;
use gristmill::contextvars::{ContextVar, copy_context};
use gristmill::sched::{Job, Scheduler, TimerWheel};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::cpython;
use crate::CompareError;

const TIMES: u32 = 1_000_000;

/// Nanoseconds that `operation` takes on average.
fn each(times: u32, mut operation: impl FnMut()) -> Vec<f64> {
    let begun = Instant::now();
    for _ in 0..times {
        operation();
    }
    vec![begun.elapsed().as_secs_f64() * 1e9 / f64::from(times)]
}

fn contest(name: &'static str, unit: &'static str, ours: Contestant, goals: &[Goal]) -> Contest {
    let mut contestants = vec![ours];
    contestants.extend(cpython::contestant(name, 1));
    Contest { contestants, readings: vec![Reading::new(name, unit, goals)], enough: Some(3) }
}

pub(super) fn contexts(_: &Options) -> Result<Vec<Contest>, CompareError> {
    static VARIABLE: ContextVar<u64> = ContextVar::new("variable");
    let get = Contestant::new("gristmill", 1, || {
        let _token = VARIABLE.set(7);
        each(TIMES, || _ = black_box(VARIABLE.get()))
    });
    let copy = Contestant::new("gristmill", 1, || {
        // As many values as variables can have: each variable lives as long as the process.
        let variables: Vec<&'static ContextVar<usize>> =
            (0..1_000).map(|_| &*Box::leak(Box::new(ContextVar::new("one of many")))).collect();
        let tokens: Vec<_> = variables.iter().enumerate().map(|(i, variable)| variable.set(i)).collect();
        let took = each(TIMES, || _ = black_box(copy_context()));
        for (variable, token) in variables.iter().zip(&tokens).rev() {
            assert!(variable.reset(token).is_ok(), "a token of this context");
        }
        took
    });
    Ok(vec![
        contest("context-get", "ns", get, &[Goal::Over("cpython", 0.2)]),
        contest("context-copy-1000", "ns", copy, &[Goal::AtMost(30.0)]),
    ])
}

/// Events in a turn.
const EVENTS: u32 = 100_000;
const TIMERS: u32 = 1_000_000;

pub(super) fn events(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let scheduler = Contestant::new("gristmill", 1, || {
        let begun = Instant::now();
        let scheduler = Scheduler::new();
        for _ in 0..EVENTS {
            scheduler.enter(Duration::ZERO, 1, |_| _ = black_box(0));
        }
        scheduler.run();
        vec![begun.elapsed().as_secs_f64() * 1e9 / f64::from(EVENTS)]
    });
    let sched = contest("sched", "ns per event", scheduler, &[Goal::Over("cpython", 1.0 / 200.0)]);
    let timers = Contestant::new("gristmill", 2, || {
        let mill = Arc::new(Mill::builder().workers(2).build().unwrap_or_else(|error| panic!("{error}")));
        let (ran, pool) = (Arc::new(AtomicU32::new(0)), Arc::clone(&mill));
        let wheel = TimerWheel::new(move |job: Job| pool.spawn(job).unwrap_or(()));
        let begun = Instant::now();
        for number in 0..TIMERS {
            let ran = Arc::clone(&ran);
            // Spread over ten seconds, in no order.
            let due =
                begun + Duration::from_micros(u64::from(number.wrapping_mul(2_654_435_769)) % 10_000_000);
            let entered = wheel.enter_at(due, move || _ = ran.fetch_add(1, Ordering::Relaxed));
            assert!(entered.is_ok(), "the wheel is open");
        }
        let entered = begun.elapsed();
        let begun = Instant::now();
        wheel.advance(begun + Duration::from_secs(11));
        while ran.load(Ordering::Relaxed) < TIMERS {
            std::thread::yield_now();
        }
        let ran = begun.elapsed();
        [entered, ran].map(|time| time.as_secs_f64() * 1e9 / f64::from(TIMERS)).to_vec()
    });
    let goals = [Goal::AtMost(1_000.0)];
    let timers = Contest {
        contestants: vec![timers],
        readings: vec![
            Reading::new("timers-enter", "ns per timer", &goals),
            Reading::new("timers-run", "ns per timer", &goals),
        ],
        enough: Some(3),
    };
    Ok(vec![sched, timers])
}
