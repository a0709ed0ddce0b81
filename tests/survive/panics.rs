//! Panics reach whoever waits, everybody has stopped by then, and nothing leaks or is dropped twice.

use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use gristmill::{Mill, join, scope, spawn};

use crate::suite::boom::{Bomb, Boom, boom, caught};
use crate::suite::ledger::Ledger;
use crate::suite::{mill, until, watch::watch};

/// Runs `a` and `b` in a join, with `b` surely taken by another worker before `a` goes on.
fn stolen<RA: Send, RB: Send>(a: impl FnOnce() -> RA + Send, b: impl FnOnce() -> RB + Send) -> (RA, RB) {
    let begun = AtomicBool::new(false);
    join(
        || {
            until(|| begun.load(Ordering::SeqCst));
            a()
        },
        || {
            begun.store(true, Ordering::SeqCst);
            b()
        },
    )
}

#[test]
fn in_a_half_that_nobody_took() {
    let _watched = watch("in_a_half_that_nobody_took");
    let (mill, ledger) = (mill(1), Ledger::default());
    mill.install(|| {
        for round in 0..100 {
            let (a, b) = (ledger.chit(), ledger.chit());
            assert_eq!(caught(|| join(move || boom(round), move || drop((a, b)))), Some(round));
            let (a, b) = (ledger.chit(), ledger.chit());
            let half = || {
                b.run();
                boom(round)
            };
            assert_eq!(caught(|| join(move || a, half)), Some(round));
            let a = ledger.chit();
            assert_eq!(caught(|| join(move || boom(drop_and(a, round)), || boom(99))), Some(round));
        }
    });
    ledger.settled(100);
}

fn drop_and<T>(value: T, number: u32) -> u32 {
    drop(value);
    number
}

#[test]
fn in_a_half_that_was_stolen() {
    let _watched = watch("in_a_half_that_was_stolen");
    let (mill, ledger) = (mill(2), Ledger::default());
    mill.install(|| {
        for round in 0..200 {
            let (a, b) = (ledger.chit(), ledger.chit());
            assert_eq!(caught(|| stolen(move || a, move || boom(drop_and(b, round)))), Some(round));
            // The first half's panic counts, and waits for the second to end.
            let ended = AtomicBool::new(false);
            let (a, b) = (ledger.chit(), ledger.chit());
            let slow = || {
                (0..50).for_each(|_| std::thread::yield_now());
                ended.store(true, Ordering::SeqCst);
                b
            };
            assert_eq!(caught(|| stolen(move || boom(drop_and(a, round)), slow)), Some(round));
            assert!(ended.load(Ordering::SeqCst));
            let (a, b) = (ledger.chit(), ledger.chit());
            let both = || stolen(move || boom(drop_and(a, round)), move || boom(drop_and(b, 1_000)));
            assert_eq!(caught(both), Some(round));
        }
    });
    ledger.settled(0);
}

#[test]
fn through_many_levels_of_joins() {
    let _watched = watch("through_many_levels_of_joins");
    fn tree(depth: u32, leaf: u32, ledger: &Ledger) -> u32 {
        let chit = ledger.chit();
        if depth == 0 {
            chit.run();
            return if leaf == 77 { boom(leaf) } else { 1 };
        }
        let (a, b) = join(|| tree(depth - 1, 2 * leaf, ledger), || tree(depth - 1, 2 * leaf + 1, ledger));
        a + b
    }
    for workers in [1, 2, 4] {
        let (mill, ledger) = (mill(workers), Ledger::default());
        for _ in 0..50 {
            assert_eq!(mill.install(|| caught(|| tree(8, 0, &ledger))), Some(77));
        }
        assert_eq!(caught(|| mill.install(|| tree(8, 0, &ledger))), Some(77));
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn in_scope_jobs_and_in_the_body() {
    let _watched = watch("in_scope_jobs_and_in_the_body");
    let (mill, ledger) = (mill(3), Ledger::default());
    for round in 0..100 {
        let over = AtomicUsize::new(0);
        let run = || {
            scope(|s| {
                for job in 0..10 {
                    let (chit, over) = (ledger.chit(), &over);
                    s.spawn(move |_| {
                        chit.run();
                        over.fetch_add(1, Ordering::SeqCst);
                        if job == 3 {
                            boom(round);
                        }
                    });
                }
                ledger.chit()
            })
        };
        assert_eq!(mill.install(|| caught(run)), Some(round));
        assert_eq!(over.load(Ordering::SeqCst), 10, "the others ran all the same");
        let body = || {
            scope(|s| {
                let (chit, over) = (ledger.chit(), &over);
                s.spawn(move |_| {
                    chit.run();
                    over.fetch_add(1, Ordering::SeqCst);
                    boom(9_999);
                });
                boom(round)
            })
        };
        assert_eq!(mill.install(|| caught(body)), Some(round), "the body's panic counts");
        assert_eq!(over.load(Ordering::SeqCst), 11);
    }
    ledger.settled(1_100);
}

#[test]
fn in_detached_jobs_they_go_to_the_handler() {
    let _watched = watch("in_detached_jobs_they_go_to_the_handler");
    let (seen, ledger) = (Arc::new(Mutex::new(Vec::new())), Ledger::default());
    let handler = {
        let seen = Arc::clone(&seen);
        move |payload: Box<dyn std::any::Any + Send>| {
            let Boom(number) = *payload.downcast::<Boom>().unwrap();
            seen.lock().unwrap().push(number);
            // A panic in the handler goes no further.
            boom(1_000 + number);
        }
    };
    let mill = Mill::builder().workers(2).panic_handler(handler).build().unwrap();
    for number in 0..100 {
        let chit = ledger.chit();
        mill.spawn(move || {
            chit.run();
            boom(number);
        })
        .unwrap();
    }
    assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2), "the workers live");
    mill.shutdown();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    ledger.settled(100);
}

/// Panics when it is dropped, and has a payload that panics when it is dropped.
struct BombOfBombs;

impl Drop for BombOfBombs {
    fn drop(&mut self) {
        crate::suite::boom::quiet();
        panic_any(Bomb(5));
    }
}

#[test]
fn in_drops_of_what_jobs_capture_return_and_panic_with() {
    let _watched = watch("in_drops_of_what_jobs_capture_return_and_panic_with");
    crate::suite::boom::quiet();
    let (mill, ledger) = (mill(2), Ledger::default());
    for _ in 0..50 {
        mill.install(|| {
            // Captured values.
            let (bomb, chit) = (Bomb(1), ledger.chit());
            assert_eq!(caught(|| stolen(|| 0, move || drop_and((chit, bomb), 0))), Some(1));
            let (bomb, chit) = (Bomb(1), ledger.chit());
            let never = move || drop((bomb, chit));
            assert_eq!(caught(|| join(|| boom(2), never)), Some(2), "the first panic counts");
            // Results that nobody gets.
            let chit = ledger.chit();
            assert_eq!(caught(|| stolen(move || (Bomb(1), chit), || boom(3))), Some(3));
            let chit = ledger.chit();
            assert_eq!(caught(|| stolen(|| boom(4), move || (Bomb(1), chit))), Some(4));
            let chit = ledger.chit();
            assert_eq!(caught(|| join(move || (Bomb(1), chit), || boom(5))), Some(5));
            // Payloads that nobody gets.
            assert_eq!(caught(|| stolen(|| boom(6), || panic_any(Bomb(1)))), Some(6));
            let bombs = || {
                scope(|s| {
                    for _ in 0..3 {
                        s.spawn(|_| panic_any(Bomb(1)));
                    }
                    boom(7)
                })
            };
            assert_eq!(caught(bombs), Some(7));
            let chit = ledger.chit();
            let body = move || {
                scope(|s| {
                    s.spawn(|_| boom(8));
                    (Bomb(1), chit)
                })
            };
            assert_eq!(caught(body), Some(8));
        });
        mill.spawn(|| panic_any(Bomb(1))).unwrap();
        let bomb = Bomb(1);
        mill.spawn(move || drop(bomb)).unwrap();
        mill.spawn(|| drop(BombOfBombs)).unwrap();
        let bomb = Bomb(2);
        mill.spawn(move || {
            let _bomb = &bomb;
        })
        .unwrap();
    }
    assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2), "the workers live");
    mill.shutdown();
    ledger.settled(0);
}

#[test]
fn in_a_broadcast() {
    let _watched = watch("in_a_broadcast");
    let (mill, ledger) = (mill(4), Ledger::default());
    for _ in 0..100 {
        let over = AtomicUsize::new(0);
        let cast = || {
            mill.broadcast(|number| {
                let chit = ledger.chit();
                over.fetch_add(1, Ordering::SeqCst);
                if number >= 2 { boom(7) } else { (chit, Bomb(1)) }
            })
        };
        assert_eq!(caught(cast), Some(7));
        assert_eq!(over.into_inner(), 4, "it ran everywhere, and runs nowhere any more");
    }
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn of_install_reach_its_caller() {
    let _watched = watch("of_install_reach_its_caller");
    let other = mill(1);
    for mill in [mill(1), crate::suite::closed_mill(1)] {
        for round in 0..50 {
            assert_eq!(caught(|| mill.install(|| boom(round))), Some(round));
            assert_eq!(caught(|| other.install(|| mill.install(|| boom(round)))), Some(round));
        }
        assert_eq!(mill.install(|| 5), 5);
    }
}

#[test]
fn in_handlers_of_threads_go_to_the_panic_handler() {
    let _watched = watch("in_handlers_of_threads_go_to_the_panic_handler");
    let (send, receive) = mpsc::channel();
    let mill = Mill::builder()
        .workers(2)
        .start_handler(|_| boom(1))
        .exit_handler(|_| boom(2))
        .panic_handler(move |payload| send.send(payload.downcast::<Boom>().unwrap().0).unwrap())
        .build()
        .unwrap();
    mill.install(|| spawn(|| ()));
    drop(mill);
    let mut seen: Vec<_> = receive.iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, [1, 1, 2, 2]);
}
