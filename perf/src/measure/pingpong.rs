//! Two threads that wake each other in turns.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use gristmill::{queue, sync};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use crate::CompareError;

/// Round trips in a turn.
const TRIPS: u32 = 4_000;

/// Microseconds of a round trip between two threads: `there` runs on one of its own, [`TRIPS`] times, `here` on the
/// caller's. Both on one CPU, or on two.
fn trips(one_cpu: bool, mut here: impl FnMut(), mut there: impl FnMut() + Send) -> Vec<f64> {
    let all = sched_getaffinity(None).ok();
    let sit = |number: usize| {
        let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| all.as_ref().is_some_and(|all| all.is_set(*cpu)));
        let mut set = CpuSet::new();
        if let Some(cpu) = cpus.clone().nth(number).or(cpus.clone().next()) {
            set.set(cpu);
            // Where that is not allowed the kernel chooses.
            let _ = sched_setaffinity(None, &set);
        }
    };
    let seconds = thread::scope(|s| {
        s.spawn(|| {
            sit(usize::from(!one_cpu));
            (0..TRIPS).for_each(|_| there());
        });
        sit(0);
        let begun = Instant::now();
        (0..TRIPS).for_each(|_| here());
        begun.elapsed().as_secs_f64()
    });
    if let Some(all) = all {
        let _ = sched_setaffinity(None, &all);
    }
    vec![seconds * 1e6 / f64::from(TRIPS)]
}

/// Whose turn it is, by std's condition variable.
#[derive(Default)]
struct StdTurn(Mutex<bool>, Condvar);

impl StdTurn {
    fn pass(&self, to: bool) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = to;
        self.1.notify_one();
    }

    fn wait(&self, of: bool) {
        let turn = self.0.lock().unwrap_or_else(|e| e.into_inner());
        drop(self.1.wait_while(turn, |turn| *turn != of));
    }
}

/// The same by ours.
#[derive(Default)]
struct OurTurn(sync::Mutex<bool>, sync::Condvar);

impl OurTurn {
    fn pass(&self, to: bool) {
        *self.0.lock() = to;
        self.1.notify_one();
    }

    fn wait(&self, of: bool) {
        let mut turn = self.0.lock();
        while *turn != of {
            turn = self.1.wait(turn);
        }
    }
}

fn std_condvar(one_cpu: bool) -> Vec<f64> {
    let turn = StdTurn::default();
    let here = || {
        turn.pass(true);
        turn.wait(false);
    };
    let there = || {
        turn.wait(true);
        turn.pass(false);
    };
    trips(one_cpu, here, there)
}

pub(super) fn waits(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let condvar = |one_cpu| {
        let turn = OurTurn::default();
        let here = || {
            turn.pass(true);
            turn.wait(false);
        };
        let there = || {
            turn.wait(true);
            turn.pass(false);
        };
        trips(one_cpu, here, there)
    };
    let event = |one_cpu| {
        let (ping, pong) = (<sync::Event>::new(), <sync::Event>::new());
        let here = || {
            ping.set();
            pong.wait();
            pong.clear();
        };
        let there = || {
            ping.wait();
            ping.clear();
            pong.set();
        };
        trips(one_cpu, here, there)
    };
    let mut contests = Vec::new();
    for (where_, one_cpu) in [("far", false), ("near", true)] {
        for (name, ours) in [("condvar", condvar as fn(bool) -> Vec<f64>), ("event", event)] {
            contests.push(Contest {
                contestants: vec![
                    Contestant::new("std", 2, move || std_condvar(one_cpu)),
                    Contestant::new("gristmill", 2, move || ours(one_cpu)),
                ],
                readings: vec![Reading::new(
                    format!("{name}-{where_}"),
                    "us per round trip",
                    &[Goal::Over("std", 1.0)],
                )],
                enough: None,
            });
        }
    }
    Ok(contests)
}

/// An engine whose turn is round trips through two channels, which `unbounded` makes.
macro_rules! by_channel {
    ($engine:literal, $unbounded:path, $one_cpu:expr) => {
        Contestant::new($engine, 2, move || {
            let ((ping, in_there), (pong, in_here)) = ($unbounded(), $unbounded());
            let here = || {
                let _ = ping.send(0_u64);
                let _ = in_here.recv();
            };
            trips($one_cpu, here, || {
                let _ = pong.send(in_there.recv().unwrap_or(1));
            })
        })
    };
}

pub(super) fn queues(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let mut contests = Vec::new();
    for (where_, one_cpu) in [("far", false), ("near", true)] {
        let contestants = vec![
            by_channel!("crossbeam", crossbeam_channel::unbounded, one_cpu),
            by_channel!("kanal", kanal::unbounded, one_cpu),
            by_channel!("flume", flume::unbounded, one_cpu),
            Contestant::new("gristmill", 2, move || {
                let queues = Arc::new((queue::SimpleQueue::new(), queue::SimpleQueue::new()));
                let here = || {
                    queues.0.put(0_u64);
                    queues.1.get();
                };
                trips(one_cpu, here, || queues.1.put(queues.0.get()))
            }),
        ];
        let goals = [Goal::Over("crossbeam", 1.0), Goal::Over("kanal", 1.0), Goal::Over("flume", 1.0)];
        contests.push(Contest {
            contestants,
            readings: vec![Reading::new(format!("queue-trip-{where_}"), "us per round trip", &goals)],
            enough: None,
        });
    }
    Ok(contests)
}
