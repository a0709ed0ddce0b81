//! Spawning into a scope from wherever its handle can be carried.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gristmill::{join, scope, scope_fifo};

use crate::suite::ledger::Ledger;
use crate::suite::{mill, open, until, watch::watch};

#[test]
fn from_threads_that_are_no_workers() {
    let _watched = watch("from_threads_that_are_no_workers");
    for workers in [1, 2, 4] {
        let mill = mill(workers);
        for fifo in [false, true] {
            let count = AtomicUsize::new(0);
            for _ in 0..50 {
                mill.install(|| {
                    open(fifo, |s| {
                        std::thread::scope(|threads| {
                            for _ in 0..3 {
                                threads.spawn(|| {
                                    for _ in 0..10 {
                                        s.spawn(|s| {
                                            count.fetch_add(1, Ordering::Relaxed);
                                            s.spawn(|_| {
                                                count.fetch_add(1, Ordering::Relaxed);
                                            });
                                        });
                                    }
                                });
                            }
                        });
                    });
                });
            }
            assert_eq!(count.into_inner(), 50 * 60);
        }
    }
}

#[test]
fn from_joins_and_from_halves_that_were_stolen() {
    let _watched = watch("from_joins_and_from_halves_that_were_stolen");
    let (mill, ledger) = (mill(3), Ledger::default());
    for _ in 0..200 {
        mill.install(|| {
            scope(|s| {
                let begun = AtomicBool::new(false);
                let give = || {
                    let chit = ledger.chit();
                    s.spawn(move |s| s.spawn(move |_| chit.run()));
                };
                join(
                    || {
                        give();
                        until(|| begun.load(Ordering::SeqCst));
                        give();
                    },
                    || {
                        begun.store(true, Ordering::SeqCst);
                        give();
                        join(give, give);
                    },
                );
                give();
            });
        });
    }
    ledger.settled(1_200);
}

#[test]
fn from_inner_scopes_into_outer_ones() {
    let _watched = watch("from_inner_scopes_into_outer_ones");
    let ledger = Ledger::default();
    for workers in [1, 2, 4] {
        let mill = mill(workers);
        for _ in 0..100 {
            let inner_ended = AtomicBool::new(false);
            mill.install(|| {
                scope(|outer| {
                    scope_fifo(|inner| {
                        for _ in 0..4 {
                            let ledger = &ledger;
                            inner.spawn(move |inner| {
                                let (a, b) = (ledger.chit(), ledger.chit());
                                outer.spawn(move |outer| {
                                    a.run();
                                    outer.spawn(move |_| b.run());
                                });
                                let chit = ledger.chit();
                                inner.spawn(move |_| chit.run());
                                scope(|s| {
                                    let chit = ledger.chit();
                                    s.spawn(move |_| {
                                        outer.spawn(|_| chit.run());
                                        inner.spawn(move |_| ledger.chit().run());
                                    });
                                });
                            });
                        }
                    });
                    inner_ended.store(true, Ordering::SeqCst);
                });
            });
        }
    }
    ledger.settled(3 * 100 * 4 * 5);
}

#[test]
fn into_a_scope_of_another_mill() {
    let _watched = watch("into_a_scope_of_another_mill");
    let ledger = Ledger::default();
    for (workers, others) in [(1, 1), (2, 2), (1, 3)] {
        let (here, there, ledger) = (&mill(workers), &mill(others), &ledger);
        for _ in 0..100 {
            here.install(|| {
                scope(|s| {
                    there.install(|| {
                        let give = || {
                            let chit = ledger.chit();
                            s.spawn(move |s| s.spawn(move |_| chit.run()));
                        };
                        join(give, give);
                        scope(|t| {
                            let chit = ledger.chit();
                            t.spawn(move |_| {
                                give();
                                here.install(give);
                                chit.run();
                            });
                        });
                    });
                });
            });
        }
    }
    ledger.settled(3 * 100 * 5);
}

#[test]
fn a_scope_of_one_worker_runs_in_order() {
    let _watched = watch("a_scope_of_one_worker_runs_in_order");
    let mill = crate::suite::closed_mill(1);
    let order = std::sync::Mutex::new(Vec::new());
    let (order, push) = (&order, |i| order.lock().unwrap().push(i));
    let taken = || std::mem::take(&mut *order.lock().unwrap());
    mill.install(|| scope_fifo(|s| (0..100).for_each(|i| s.spawn(move |_| push(i)))));
    assert_eq!(taken(), (0..100).collect::<Vec<_>>());
    mill.install(|| scope(|s| (0..100).for_each(|i| s.spawn(move |_| push(i)))));
    assert_eq!(taken(), (0..100).rev().collect::<Vec<_>>());
    mill.install(|| {
        scope_fifo(|s| {
            join(|| s.spawn(|_| push(0)), || s.spawn(|_| push(1)));
            s.spawn(|s| {
                push(2);
                s.spawn(|_| push(4));
            });
            s.spawn(|_| push(3));
        });
    });
    assert_eq!(taken(), [0, 1, 2, 3, 4]);
}

#[test]
fn borrowed_data_is_written_by_the_time_the_scope_ends() {
    let _watched = watch("borrowed_data_is_written_by_the_time_the_scope_ends");
    fn fill(numbers: &mut [u64]) {
        if numbers.len() <= 4 {
            return numbers.iter_mut().for_each(|n| *n += 1);
        }
        let (left, right) = numbers.split_at_mut(numbers.len() / 2);
        scope(|s| {
            s.spawn(|_| fill(left));
            fill(right);
        });
    }
    for workers in [1, 2, 4] {
        let (mill, mut numbers) = (mill(workers), vec![0_u64; 5_000]);
        for _ in 0..10 {
            mill.install(|| fill(&mut numbers));
        }
        assert!(numbers.iter().all(|&n| n == 10));
    }
}
