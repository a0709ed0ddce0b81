//! A random mix of everything on mills of random sizes, checked against the same computed serially.
//!
//! `GRISTMILL_STRESS_SEED` repeats a run (threads interleave as they like all the same),
//! `GRISTMILL_STRESS_SECONDS` says how long (3 by default), `GRISTMILL_STRESS_WORKERS` fixes the mills' sizes.

#[path = "suite/mod.rs"]
mod suite;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gristmill::{
    CancelToken, Cancelled, Mill, Priority, Waiting, blocking, checkpoint, join, par_for, par_map,
    par_reduce, scope, scope_fifo, yield_now,
};

use suite::boom::{boom, caught};
use suite::ledger::Ledger;
use suite::{mix, watch::watch};

/// One round's mills and books.
struct Round {
    mills: [Mill; 2],
    /// Jobs that must run.
    sure: Ledger,
    /// Jobs that may be dropped instead, by cancelling or because their mill has closed.
    unsure: Ledger,
    /// How many of `sure` could not be handed in.
    refused: AtomicU64,
    /// Jobs go from one mill to the other and back.
    crossing: bool,
}

/// What a tree is computed with: the mills, or nothing.
#[derive(Clone, Copy)]
enum Way<'a> {
    Serial,
    Mill(&'a Round),
}

/// The value of the tree that `seed` and `depth` describe; the same whichever way it is computed.
fn tree(way: Way<'_>, seed: u64, depth: u32) -> u64 {
    let (kind, left, right) = (mix(seed) % 20, mix(seed ^ 1), mix(seed ^ 2));
    let sub = |seed| tree(way, seed, depth - 1);
    if depth == 0 {
        return (0..left % 40).fold(seed, |state, _| mix(state));
    }
    let Way::Mill(round) = way else {
        return match kind {
            0..=7 => sub(left).wrapping_mul(3) ^ sub(right),
            8 | 9 => (0..3).fold(0, |sum: u64, part| sum.wrapping_add(sub(left ^ part))),
            10 => (0..left % 24)
                .fold(1, |sum: u64, i| sum.wrapping_mul(31) ^ mix(right ^ i))
                .wrapping_add(sub(left)),
            11..=15 => sub(left),
            16 => sub(left).wrapping_add(7),
            17 => sub(left).wrapping_add(13),
            _ => sub(right) ^ left,
        };
    };
    match kind {
        0..=7 => {
            let (a, b) = join(|| sub(left), || sub(right));
            a.wrapping_mul(3) ^ b
        }
        8 | 9 => {
            let (sum, open) = (AtomicU64::new(0), left % 2 == 0);
            let add = |part| {
                sum.fetch_add(sub(left ^ part), Ordering::Relaxed);
            };
            let add = &add;
            if open {
                scope(|s| (0..3).for_each(|part| s.spawn(move |_| add(part))));
            } else {
                scope_fifo(|s| {
                    join(|| s.spawn(move |_| add(0)), || s.spawn(move |s| s.spawn(move |_| add(1))));
                    add(2);
                });
            }
            sum.into_inner()
        }
        10 => {
            let (len, seen) = (left % 24, AtomicU64::new(0));
            let mixed = par_map(0..len, |i| mix(right ^ i));
            par_for(&mixed, |_| {
                seen.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(seen.into_inner(), len);
            assert_eq!(par_reduce(&mixed, || 0, |n, _| n + 1, |a: u64, b| a + b), len);
            mixed.iter().fold(1, |sum: u64, n| sum.wrapping_mul(31) ^ n).wrapping_add(sub(left))
        }
        11 => {
            // A detached job, somewhere, of any priority.
            let mill = if round.crossing { &round.mills[(right % 2) as usize] } else { &round.mills[0] };
            let priority = [Priority::High, Priority::Normal, Priority::Low][(right % 3) as usize];
            let (chit, panics) = (round.sure.chit(), right % 5 == 0);
            let taken = mill.spawn_with(priority, move || {
                chit.run();
                join(yield_now, || ());
                if panics {
                    boom(1);
                }
            });
            round.refused.fetch_add(u64::from(taken.is_err()), Ordering::Relaxed);
            sub(left)
        }
        12 | 13 if round.crossing => {
            let mill = &round.mills[(right % 2) as usize];
            mill.try_install(|| sub(left)).unwrap_or_else(|_| tree(Way::Serial, left, depth - 1))
        }
        12 | 13 => {
            let mill = &round.mills[0];
            if right % 8 == 0 {
                let all = mill.broadcast(|number| number);
                assert!(all.is_sorted());
            }
            sub(left)
        }
        14 => blocking(|| sub(left)),
        15 => {
            yield_now();
            sub(left)
        }
        16 => {
            let (a, b) = (round.unsure.chit(), round.unsure.chit());
            let number = caught(|| {
                let half = move || {
                    drop(b);
                    boom(7)
                };
                if right % 2 == 0 { join(|| drop(a), half) } else { join(half, || drop(a)) }
            });
            sub(left).wrapping_add(u64::from(number.unwrap()))
        }
        17 => {
            cancelled(round, right);
            sub(left).wrapping_add(13)
        }
        _ => {
            let token = CancelToken::new();
            token.run(|| sub(right)).unwrap() ^ left
        }
    }
}

/// Cancels a tree of jobs at some moment.
fn cancelled(round: &Round, seed: u64) {
    fn work(round: &Round, token: &CancelToken, seed: u64, depth: u32) {
        let chit = round.unsure.chit();
        if depth == 0 {
            if seed % 16 == 0 {
                token.cancel();
            }
            return chit.run();
        }
        if seed % 7 == 0 {
            scope(|s| {
                let inner = round.unsure.chit();
                s.spawn(move |_| inner.run());
                s.spawn(|_| work(round, token, mix(seed), depth - 1));
                checkpoint();
            });
        } else {
            join(
                || work(round, token, mix(seed), depth - 1),
                || work(round, token, mix(seed ^ 5), depth - 1),
            );
        }
        chit.run();
    }
    let mut token = CancelToken::new();
    if seed % 8 == 0 {
        token = token.with_deadline(Instant::now() + Duration::from_micros(seed % 200));
    }
    let inner = token.child();
    let result = token.run(|| {
        let result = inner.run(|| work(round, &inner, seed, 4));
        assert!(result.is_ok() || inner.is_cancelled());
        // Of these, too, none may be lost.
        (0..3).for_each(|i| {
            join(
                || (),
                || {
                    if i == seed % 5 {
                        token.cancel()
                    }
                },
            );
        });
        checkpoint();
    });
    assert_eq!(result.is_err(), result == Err(Cancelled));
    assert!(result.is_ok() || token.is_cancelled());
}

fn build(seed: u64, fixed: Option<usize>) -> Mill {
    let workers = fixed.unwrap_or([1, 2, 3, 4, 8][(seed % 5) as usize]);
    let mut builder = Mill::builder().workers(workers).panic_handler(|_| ());
    if seed % 7 == 0 {
        builder = builder.waiting(Waiting::Greedy);
    }
    builder.caller_runs(seed % 3 != 0).build().unwrap()
}

fn round(seed: u64, fixed: Option<usize>) {
    let round = Round {
        mills: [build(mix(seed ^ 10), fixed), build(mix(seed ^ 11), fixed)],
        sure: Ledger::default(),
        unsure: Ledger::default(),
        refused: AtomicU64::new(0),
        crossing: seed % 2 == 0,
    };
    let (round, over) = (&round, &AtomicBool::new(false));
    std::thread::scope(|threads| {
        let callers: Vec<_> = (0..1 + seed % 3)
            .map(|caller| {
                threads.spawn(move || {
                    for turn in 0..4 {
                        let seed = mix(seed ^ caller << 8 ^ turn << 16);
                        let expected = tree(Way::Serial, seed, 7);
                        let mill = &round.mills[(seed % 2) as usize & usize::from(round.crossing)];
                        assert_eq!(mill.install(|| tree(Way::Mill(round), seed, 7)), expected);
                    }
                })
            })
            .collect();
        if mix(seed ^ 20) % 3 == 0 {
            threads.spawn(move || {
                let mut state = seed;
                while !over.load(Ordering::SeqCst) {
                    state = mix(state);
                    round.mills[(state % 2) as usize].resize(1 + (state >> 8) as usize % 8).unwrap();
                    std::thread::yield_now();
                }
            });
        }
        if mix(seed ^ 21) % 3 == 0 {
            threads.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    assert!(round.mills[0].broadcast(|number| number).is_sorted());
                }
            });
        }
        for caller in callers {
            caller.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
    });
    if mix(seed ^ 22) % 4 == 0 {
        std::thread::scope(|threads| {
            threads.spawn(|| round.mills[0].shutdown());
            threads.spawn(|| round.mills[1].shutdown());
            round.mills[0].shutdown();
        });
    }
    // Jobs that ran last may have spawned into the other mill.
    round.mills.iter().for_each(Mill::shutdown);
    let refused = round.refused.load(Ordering::SeqCst);
    round.sure.settled(round.sure.made() - refused);
    assert_eq!(round.unsure.dropped(), round.unsure.made());
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text}")))
}

#[test]
fn everything_at_once() {
    let watched = watch("everything_at_once");
    suite::boom::quiet();
    let seed = setting("GRISTMILL_STRESS_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let seconds = setting("GRISTMILL_STRESS_SECONDS").unwrap_or(3);
    let fixed = setting("GRISTMILL_STRESS_WORKERS");
    println!("GRISTMILL_STRESS_SEED={seed}");
    let (start, mut rounds) = (Instant::now(), 0);
    let mut state = seed;
    while rounds == 0 || start.elapsed() < Duration::from_secs(seconds) {
        round(state, fixed);
        watched.alive();
        state = mix(state);
        rounds += 1;
    }
    println!("{rounds} rounds");
}
