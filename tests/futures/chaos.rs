//! Many threads that submit, cancel, wait and drop at random: every task that was taken ends once, and whoever waits hears
//! of it.
//!
//! `GRISTMILL_STRESS_SEED` repeats the decisions (threads interleave as they like all the same), and
//! `GRISTMILL_STRESS_SECONDS` says how long (2 by default).

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gristmill::concurrent::futures::{
    Future, ReturnWhen, TaskError, ThreadPoolExecutor, WhenFull, as_completed, wait,
};

use crate::suite::ledger::Ledger;
use crate::suite::{boom, mix, tick, watch::watch};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

struct Arena {
    pools: Vec<ThreadPoolExecutor>,
    ledger: Ledger,
    taken: AtomicUsize,
    told: Arc<AtomicUsize>,
}

impl Arena {
    fn submit(&self, random: u64) -> Option<Future<u64>> {
        let pool = &self.pools[random as usize % self.pools.len()];
        let chit = self.ledger.chit();
        let task = move || {
            let _chit = chit;
            match random % 16 {
                0 => boom::boom(random as u32),
                1 => std::thread::yield_now(),
                2 => drop(gristmill::join(|| 1, || 2)),
                _ => {}
            }
            random
        };
        let future = if random % 5 == 0 { pool.try_submit(task) } else { pool.submit(task) }.ok()?;
        self.taken.fetch_add(1, Ordering::SeqCst);
        let told = Arc::clone(&self.told);
        future.add_done_callback(move |_| tick(&told));
        Some(future)
    }

    fn check(&self, random: u64, result: Result<u64, TaskError>) {
        match result {
            Ok(value) => assert_eq!(value, random),
            Err(TaskError::Cancelled) => {}
            Err(TaskError::Panicked { .. }) => assert_eq!(random % 16, 0),
            Err(other) => panic!("{other}"),
        }
    }

    fn turn(&self, mut state: u64, kept: &mut Vec<(Future<u64>, u64)>) {
        state = mix(state);
        let Some(mut future) = self.submit(state) else { return };
        match mix(state ^ 1) % 12 {
            0 => drop(future),
            1 => drop(future.cancel()),
            2 | 3 => self.check(state, future.result()),
            4 => match future.result_timeout(Duration::from_micros(mix(state ^ 2) % 200)) {
                Err(TaskError::Timeout) => kept.push((future, state)),
                result => self.check(state, result),
            },
            5 if kept.len() > 8 => {
                for (future, random) in as_completed(kept.drain(..)) {
                    self.check(random, future.result());
                }
            }
            6 if kept.len() > 4 => {
                let timeout = Duration::from_micros(mix(state ^ 3) % 300);
                let waited = wait(kept.drain(..), Some(timeout), ReturnWhen::FirstCompleted);
                for (future, random) in waited.done {
                    self.check(random, future.result());
                }
                kept.extend(waited.not_done);
            }
            7 => {
                let shared = future.share();
                let other = shared.clone();
                if state % 3 == 0 {
                    other.cancel();
                }
                self.check(state, shared.result());
            }
            8 => {
                if let Some((other, random)) = kept.pop() {
                    other.cancel();
                    self.check(random, other.result());
                }
                kept.push((future, state));
            }
            9 => {
                // One of the pools waits for a task of another, which may not have started.
                let pool = &self.pools[state as usize % self.pools.len()];
                if let Ok(outer) = pool.submit(move || future.result()) {
                    match outer.result() {
                        Ok(result) => self.check(state, result),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            _ => kept.push((future, state)),
        }
        if kept.len() > 64 {
            for (future, random) in kept.drain(..) {
                self.check(random, future.result());
            }
        }
    }
}

#[test]
fn sixty_four_threads_submit_and_cancel() {
    boom::quiet();
    let watched = watch("chaos");
    let seed = number("GRISTMILL_STRESS_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let seconds = number("GRISTMILL_STRESS_SECONDS").unwrap_or(2);
    println!("seed {seed}");
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut round = 0;
    while round == 0 || Instant::now() < until {
        round += 1;
        watched.alive();
        let random = mix(seed ^ round);
        let pools = (0..3)
            .map(|number| {
                let random = mix(random ^ number);
                let builder = ThreadPoolExecutor::builder()
                    .max_workers(1 + random as usize % 3)
                    .strict_fifo(random % 7 == 0)
                    .lazy(random % 2 == 0);
                let builder = match mix(random) % 4 {
                    0 => builder.max_pending(20).when_full(WhenFull::CallerRuns),
                    1 => builder.max_pending(50),
                    2 => builder.caller_runs(false),
                    _ => builder,
                };
                builder.build().unwrap()
            })
            .collect();
        let arena =
            Arena { pools, ledger: Ledger::default(), taken: AtomicUsize::new(0), told: Arc::default() };
        std::thread::scope(|s| {
            for thread in 0..64 {
                let arena = &arena;
                s.spawn(move || {
                    let mut kept = Vec::new();
                    for turn in 0..50 {
                        arena.turn(mix(random ^ (thread << 32) ^ turn), &mut kept);
                    }
                    for (future, random) in kept {
                        arena.check(random, future.result());
                    }
                });
            }
        });
        let Arena { pools, ledger, taken, told } = arena;
        drop(pools);
        assert_eq!(told.load(Ordering::SeqCst), taken.load(Ordering::SeqCst), "seed {seed}, round {round}");
        assert_eq!(ledger.dropped(), ledger.made(), "seed {seed}, round {round}");
    }
    println!("{round} rounds");
}
