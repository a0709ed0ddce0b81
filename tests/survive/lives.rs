//! Mills that are built, resized and shut down while they work.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use gristmill::{Closed, Mill, Priority, join, scope, spawn, worker_index};

use crate::suite::ledger::Ledger;
use crate::suite::{closed_mill, mill, tick, until, watch::watch};

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

#[test]
fn one_worker_and_sixty_four() {
    let _watched = watch("one_worker_and_sixty_four");
    for workers in [1, 64] {
        for mill in [mill(workers), closed_mill(workers)] {
            assert_eq!(mill.install(|| fib(20)), 6_765);
            assert_eq!(mill.broadcast(|number| number), (0..workers).collect::<Vec<_>>());
        }
    }
}

#[test]
fn mills_come_and_go() {
    let _watched = watch("mills_come_and_go");
    let ledger = Ledger::default();
    for round in 0..300_u64 {
        let mill = mill(1 + round as usize % 4);
        for _ in 0..round % 7 {
            let chit = ledger.chit();
            mill.spawn(move || chit.run()).unwrap();
        }
        if round % 2 == 0 {
            assert_eq!(mill.install(|| fib(5)), 5);
        }
    }
    assert_eq!(ledger.ran(), ledger.made());
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn jobs_spawn_while_the_mill_closes() {
    let _watched = watch("jobs_spawn_while_the_mill_closes");
    fn breed(depth: u32, ledger: Ledger) {
        ledger.chit().run();
        if depth > 0 {
            for _ in 0..2 {
                let ledger = ledger.clone();
                spawn(move || breed(depth - 1, ledger));
            }
        }
    }
    for workers in [1, 2, 4] {
        for _ in 0..20 {
            let (mill, ledger) = (mill(workers), Ledger::default());
            let first = ledger.clone();
            mill.spawn(move || breed(6, first)).unwrap();
            drop(mill);
            ledger.settled(127);
        }
    }
}

#[test]
fn after_a_shutdown_the_mill_takes_nothing() {
    let _watched = watch("after_a_shutdown_the_mill_takes_nothing");
    for mill in [mill(2), closed_mill(2)] {
        let ledger = Ledger::default();
        mill.shutdown();
        mill.shutdown();
        let chit = ledger.chit();
        assert_eq!(mill.spawn(move || chit.run()), Err(Closed));
        let chit = ledger.chit();
        assert_eq!(mill.spawn_with(Priority::High, move || chit.run()), Err(Closed));
        let chit = ledger.chit();
        assert_eq!(mill.spawn_on(0, move || chit.run()), Err(Closed));
        let chit = ledger.chit();
        assert_eq!(mill.try_install(move || chit.run()), Err(Closed));
        ledger.settled(0);
        let died = std::panic::catch_unwind(AssertUnwindSafe(|| mill.install(|| ())));
        assert!(died.unwrap_err().downcast::<String>().unwrap().contains("shut down"));
    }
}

#[test]
fn two_threads_shut_down_at_once() {
    let _watched = watch("two_threads_shut_down_at_once");
    for round in 0..100 {
        let (mill, ledger) = (mill(1 + round % 3), Ledger::default());
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| {
                    let chit = ledger.chit();
                    let taken = mill.spawn(move || chit.run()).is_ok();
                    mill.shutdown();
                    // It is over for whoever comes back from there.
                    assert!(!taken || ledger.ran() > 0);
                });
            }
        });
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn installs_race_with_a_shutdown() {
    let _watched = watch("installs_race_with_a_shutdown");
    for round in 0..200 {
        let mill = if round % 2 == 0 { mill(1 + round % 3) } else { closed_mill(1 + round % 3) };
        let ledger = Ledger::default();
        let ran = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    loop {
                        let (chit, inner) = (ledger.chit(), ledger.chit());
                        let done = mill.try_install(move || {
                            spawn(move || inner.run());
                            chit.run();
                            fib(6)
                        });
                        match done {
                            Ok(value) => assert_eq!(value, 8),
                            Err(Closed) => break,
                        }
                        ran.fetch_add(2, Ordering::SeqCst);
                    }
                });
            }
            until(|| ran.load(Ordering::SeqCst) > round);
            mill.shutdown();
        });
        // What visitors spawned at the very end runs here at the latest.
        drop(mill);
        ledger.settled(ran.into_inner() as u64);
    }
}

#[test]
fn the_last_handle_goes_in_one_of_the_jobs() {
    let _watched = watch("the_last_handle_goes_in_one_of_the_jobs");
    for round in 0..200 {
        let (done, wait) = mpsc::channel();
        let (handle, ledger) = (Arc::new(Mutex::new(None)), Ledger::default());
        let ended = Arc::new(AtomicUsize::new(0));
        let workers = 1 + round % 3;
        let counter = Arc::clone(&ended);
        let mill = Mill::builder().workers(workers).exit_handler(move |_| tick(&counter)).build().unwrap();
        let (inner, chits) = (Arc::clone(&handle), [ledger.chit(), ledger.chit(), ledger.chit()]);
        mill.spawn(move || {
            until(|| inner.lock().unwrap().is_some());
            drop(inner.lock().unwrap().take());
            for chit in chits {
                let done = done.clone();
                spawn(move || {
                    chit.run();
                    done.send(()).unwrap();
                });
            }
        })
        .unwrap();
        *handle.lock().unwrap() = Some(mill);
        assert_eq!(wait.iter().count(), 3);
        until(|| ended.load(Ordering::SeqCst) >= workers);
        ledger.settled(3);
    }
}

#[test]
fn a_job_shuts_its_own_mill_down() {
    let _watched = watch("a_job_shuts_its_own_mill_down");
    for workers in [1, 2] {
        let (mill, ledger) = (mill(workers), Ledger::default());
        let (a, b) = mill.install(|| {
            mill.shutdown();
            let chit = ledger.chit();
            spawn(move || chit.run());
            assert!(mill.try_install(|| ()).is_ok(), "its own jobs still may");
            join(|| 1, || 2)
        });
        assert_eq!((a, b), (1, 2));
        assert_eq!(mill.try_install(|| ()), Err(Closed));
        drop(mill);
        ledger.settled(1);
    }
}

/// The one who shuts the other mill down sleeps meanwhile: its slot must go to somebody else.
#[test]
fn a_worker_shuts_down_a_mill_whose_jobs_need_a_worker_here() {
    let _watched = watch("a_worker_shuts_down_a_mill_whose_jobs_need_a_worker_here");
    for (here, there) in [(mill(1), mill(1)), (closed_mill(1), closed_mill(1))] {
        let home = here.clone();
        let (send, receive) = mpsc::channel();
        here.install(|| {
            there
                .spawn(move || {
                    home.spawn(move || send.send(5).unwrap()).unwrap();
                    receive.recv().unwrap();
                })
                .unwrap();
            there.shutdown();
        });
    }
}

#[test]
fn resized_under_load() {
    let _watched = watch("resized_under_load");
    for mill in [mill(2), closed_mill(2)] {
        let (stop, ledger) = (AtomicBool::new(false), Ledger::default());
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    while !stop.load(Ordering::SeqCst) {
                        assert_eq!(mill.install(|| fib(10)), 55);
                        let chit = ledger.chit();
                        mill.spawn(move || chit.run()).unwrap();
                    }
                });
            }
            for round in 0..150 {
                let workers = [1, 8, 3, 1, 16, 2, 5][round % 7];
                mill.resize(workers).unwrap();
                assert_eq!(mill.workers(), workers);
                let sum: u64 = mill.install(|| {
                    let mut parts = [0; 8];
                    scope(|s| parts.iter_mut().for_each(|part| s.spawn(|_| *part = fib(6))));
                    parts.iter().sum()
                });
                assert_eq!(sum, 64);
            }
            stop.store(true, Ordering::SeqCst);
        });
        mill.shutdown();
        assert_eq!((ledger.ran(), ledger.dropped()), (ledger.made(), ledger.made()));
    }
}

#[test]
fn a_mill_that_grew_uses_its_new_workers() {
    let _watched = watch("a_mill_that_grew_uses_its_new_workers");
    for _ in 0..20 {
        let mill = closed_mill(1);
        mill.resize(4).unwrap();
        // All four at once, or nobody gets on.
        let met = AtomicUsize::new(0);
        mill.install(|| {
            scope(|s| {
                for _ in 0..4 {
                    s.spawn(|_| {
                        met.fetch_add(1, Ordering::SeqCst);
                        until(|| met.load(Ordering::SeqCst) == 4);
                    });
                }
            });
        });
    }
}

#[test]
fn broadcasts_from_jobs_and_while_workers_wait() {
    let _watched = watch("broadcasts_from_jobs_and_while_workers_wait");
    let mill = mill(3);
    for _ in 0..50 {
        let all = || mill.broadcast(|number| number);
        assert_eq!(all(), [0, 1, 2]);
        assert_eq!(mill.install(all), [0, 1, 2]);
        let (a, b) = mill.install(|| join(all, all));
        assert_eq!((a, b), (vec![0, 1, 2], vec![0, 1, 2]));
    }
    // One worker waits in a join for a half that goes on only after the broadcast has reached the waiter.
    let mill = closed_mill(2);
    for _ in 0..50 {
        let (begun, reached) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                until(|| begun.load(Ordering::SeqCst));
                mill.broadcast(|_| tick(&reached));
            });
            mill.install(|| {
                join(
                    || until(|| begun.load(Ordering::SeqCst)),
                    || {
                        begun.store(true, Ordering::SeqCst);
                        until(|| reached.load(Ordering::SeqCst) == 1);
                    },
                );
            });
        });
        assert_eq!(reached.into_inner(), 2);
    }
}

#[test]
fn a_broadcast_meets_workers_that_come_and_go() {
    let _watched = watch("a_broadcast_meets_workers_that_come_and_go");
    let (mill, stop) = (mill(2), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0..200 {
                mill.resize(1 + round % 6).unwrap();
            }
            stop.store(true, Ordering::SeqCst);
        });
        while !stop.load(Ordering::SeqCst) {
            let numbers = mill.broadcast(|number| {
                assert!(worker_index().is_some());
                number
            });
            assert!(!numbers.is_empty() && numbers.is_sorted());
        }
    });
}

#[test]
fn no_two_threads_have_one_number() {
    let _watched = watch("no_two_threads_have_one_number");
    let mill = mill(4);
    let held: Vec<_> = (0..1_024).map(|_| AtomicBool::new(false)).collect();
    mill.install(|| {
        scope(|s| {
            for _ in 0..500 {
                s.spawn(|_| {
                    let mine = &held[worker_index().unwrap()];
                    assert!(!mine.swap(true, Ordering::SeqCst));
                    // Runs in place of what waits: no other job comes on top of this one.
                    gristmill::blocking(std::thread::yield_now);
                    assert_eq!(fib(3), 2);
                    mine.store(false, Ordering::SeqCst);
                });
            }
        });
    });
}

/// A waiter that is kept busy by broadcasts gives its slot away all the same.
#[test]
fn broadcasts_do_not_keep_a_waiter_on_its_slot() {
    let _watched = watch("broadcasts_do_not_keep_a_waiter_on_its_slot");
    let (here, there, over) = (closed_mill(1), closed_mill(1), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                here.broadcast(|_| ());
            }
        });
        for _ in 0..20 {
            let begun = AtomicBool::new(false);
            let five = here.install(|| {
                join(
                    || gristmill::blocking(|| until(|| begun.load(Ordering::SeqCst))),
                    || {
                        begun.store(true, Ordering::SeqCst);
                        there.install(|| here.install(|| 5))
                    },
                )
            });
            assert_eq!(five, ((), 5));
        }
        over.store(true, Ordering::SeqCst);
    });
}
