//! Cancelled work stops, is not run if it has not started, and is never taken for finished.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use gristmill::{CancelToken, Cancelled, checkpoint, join, par_for, par_map, par_reduce, scope, spawn};

use crate::suite::boom::{boom, caught};
use crate::suite::ledger::Ledger;
use crate::suite::{closed_mill, mill, tick, until, watch::watch};

/// Splits for ever.
fn endless(ledger: &Ledger, depth: u32) {
    let chit = ledger.chit();
    if depth > 0 {
        join(|| endless(ledger, depth - 1), || endless(ledger, depth - 1));
    }
    chit.run();
}

#[test]
fn a_token_ends_a_tree_of_joins() {
    let _watched = watch("a_token_ends_a_tree_of_joins");
    for workers in [1, 2, 4] {
        let (mill, ledger) = (mill(workers), Ledger::default());
        for outside in [false, true] {
            let token = CancelToken::new();
            let result = std::thread::scope(|threads| {
                threads.spawn(|| {
                    until(|| ledger.ran() > 1_000);
                    token.cancel();
                });
                if outside {
                    token.run(|| mill.install(|| endless(&ledger, 60)))
                } else {
                    mill.install(|| token.run(|| endless(&ledger, 60)))
                }
            });
            assert_eq!(result, Err(Cancelled));
            assert!(token.is_cancelled());
        }
        assert_eq!(ledger.dropped(), ledger.made());
        assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2));
    }
}

/// Does work of its own when it goes, and must get all of it done.
struct Cleans<'a>(&'a AtomicUsize);

impl Drop for Cleans<'_> {
    fn drop(&mut self) {
        fn tree(depth: u32) -> usize {
            if depth == 0 {
                return (0..50).map(std::hint::black_box).filter(|i| i % 50 == 0).count();
            }
            let (a, b) = join(|| tree(depth - 1), || tree(depth - 1));
            a + b
        }
        let leaves = AtomicUsize::new(tree(8));
        par_for(0..100, |_| tick(&leaves));
        scope(|s| (0..20).for_each(|_| s.spawn(|_| tick(&leaves))));
        assert_eq!(leaves.into_inner(), 256 + 100 + 20);
        tick(self.0);
    }
}

#[test]
fn what_a_destructor_splits_is_not_cancelled() {
    let _watched = watch("what_a_destructor_splits_is_not_cancelled");
    for workers in [2, 4] {
        let (mill, cleaned) = (mill(workers), AtomicUsize::new(0));
        for round in 0..50 {
            let token = CancelToken::new();
            let result = mill.install(|| {
                token.run(|| {
                    let _cleans = Cleans(&cleaned);
                    join(
                        || {
                            let _cleans = Cleans(&cleaned);
                            endless(&Ledger::default(), 60);
                        },
                        || {
                            let _cleans = Cleans(&cleaned);
                            if round % 2 == 0 {
                                token.cancel();
                                checkpoint();
                            }
                            token.cancel();
                        },
                    )
                })
            });
            assert_eq!(result, Err(Cancelled));
        }
        assert!(cleaned.into_inner() >= 2 * 50);
    }
}

#[test]
fn a_token_ends_loops() {
    let _watched = watch("a_token_ends_loops");
    for workers in [1, 2, 4] {
        let (mill, ledger) = (mill(workers), Ledger::default());
        for round in 0..100 {
            let (token, seen) = (CancelToken::new(), AtomicUsize::new(0));
            let look = || {
                if seen.fetch_add(1, Ordering::Relaxed) == round {
                    token.cancel();
                }
            };
            let result = mill.install(|| {
                token.run(|| {
                    loop {
                        par_for(0..50, |_| look());
                        let chits = par_map(0..50, |_| {
                            look();
                            ledger.chit()
                        });
                        assert_eq!(chits.len(), 50);
                        par_reduce(0..50, || ledger.chit(), |chit, _| chit, |chit, _| chit);
                    }
                })
            });
            assert_eq!(result, Err::<(), _>(Cancelled));
        }
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn a_deadline_ends_a_tree_of_joins() {
    let _watched = watch("a_deadline_ends_a_tree_of_joins");
    let (mill, ledger) = (mill(2), Ledger::default());
    let soon = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(20));
    assert_eq!(mill.install(|| soon.run(|| endless(&ledger, 60))), Err(Cancelled));
    assert_eq!(ledger.dropped(), ledger.made());
    let past = CancelToken::new().with_deadline(Instant::now());
    assert_eq!(past.run(|| boom(1)), Err::<(), _>(Cancelled));
    let far = CancelToken::new().with_deadline(Instant::now() + Duration::from_secs(100_000));
    let sooner = far.with_deadline(Instant::now() + Duration::from_millis(20));
    assert_eq!(mill.install(|| sooner.run(|| endless(&ledger, 60))), Err(Cancelled));
    assert_eq!(far.run(|| 5), Ok(5));
}

#[test]
fn children_fall_with_their_parent_and_not_the_other_way_round() {
    let _watched = watch("children_fall_with_their_parent_and_not_the_other_way_round");
    let parent = CancelToken::new();
    let (child, other) = (parent.child(), parent.child());
    child.cancel();
    assert!(child.is_cancelled() && !parent.is_cancelled() && !other.is_cancelled());
    parent.cancel();
    assert!(other.child().is_cancelled());
    // Nested: the inner token ends the inner work, the outer one both.
    let (mill, ledger) = (mill(2), Ledger::default());
    let (outer, inner) = (CancelToken::new(), CancelToken::new());
    let result = mill.install(|| {
        outer.run(|| {
            inner.cancel();
            assert_eq!(inner.run(|| boom(1)), Err::<(), _>(Cancelled));
            let inner = CancelToken::new();
            let ended = inner.run(|| {
                inner.cancel();
                endless(&ledger, 60);
            });
            assert_eq!(ended, Err(Cancelled));
            let sum = join(|| 1, || 2);
            let stop = outer.clone();
            let ended = CancelToken::new().run(|| {
                stop.cancel();
                endless(&ledger, 60);
            });
            assert_eq!((sum, ended), ((1, 2), Err(Cancelled)));
            endless(&ledger, 60);
            boom(2)
        })
    });
    assert_eq!(result, Err::<(), _>(Cancelled));
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn jobs_that_have_not_started_are_dropped() {
    let _watched = watch("jobs_that_have_not_started_are_dropped");
    let (mill, ledger) = (closed_mill(1), Ledger::default());
    let token = CancelToken::new();
    let ended = mill.install(|| {
        token.run(|| {
            for _ in 0..100 {
                let chit = ledger.chit();
                spawn(move || chit.run());
            }
            scope(|s| {
                for _ in 0..100 {
                    let chit = ledger.chit();
                    s.spawn(move |_| chit.run());
                }
                token.cancel();
            });
            "all done"
        })
    });
    assert_eq!(ended, Err(Cancelled), "a scope whose jobs were dropped has not come to its end");
    mill.shutdown();
    ledger.settled(0);
}

#[test]
fn a_scope_that_lost_jobs_is_not_taken_for_finished() {
    let _watched = watch("a_scope_that_lost_jobs_is_not_taken_for_finished");
    let mill = mill(2);
    for _ in 0..200 {
        let token = CancelToken::new();
        let ended = mill.install(|| {
            token.run(|| {
                let done = AtomicUsize::new(0);
                scope(|s| {
                    for job in 0..20 {
                        let (done, token) = (&done, &token);
                        s.spawn(move |_| {
                            done.fetch_add(1, Ordering::Relaxed);
                            if job == 10 {
                                token.cancel();
                            }
                        });
                    }
                });
                done.into_inner()
            })
        });
        // Cancelled, or too late for that.
        assert!(matches!(ended, Err(Cancelled) | Ok(20)), "{ended:?}");
    }
}

#[test]
fn a_job_under_a_token_of_its_own_ends_alone() {
    let _watched = watch("a_job_under_a_token_of_its_own_ends_alone");
    let (mill, ledger) = (mill(2), Ledger::default());
    for _ in 0..100 {
        let token = CancelToken::new();
        let started = AtomicBool::new(false);
        let value = mill.install(|| {
            scope(|s| {
                let begun = token.run(|| {
                    let (chit, started) = (ledger.chit(), &started);
                    s.spawn(move |_| {
                        let _chit = chit;
                        started.store(true, Ordering::SeqCst);
                        loop {
                            checkpoint();
                            std::thread::yield_now();
                        }
                    });
                });
                assert_eq!(begun, Ok(()));
                until(|| started.load(Ordering::SeqCst));
                token.cancel();
                let chit = ledger.chit();
                s.spawn(move |_| chit.run());
                7
            })
        });
        assert_eq!(value, 7, "the scope itself was not cancelled");
    }
    ledger.settled(100);
}

/// Tokens that are cancelled all the time make the worker look, and miss nothing.
#[test]
fn cancelling_is_seen_among_other_cancelling() {
    let _watched = watch("cancelling_is_seen_among_other_cancelling");
    let (mill, stop) = (closed_mill(1), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                CancelToken::new().cancel();
            }
        });
        for round in 0..50 {
            let (token, ledger) = (CancelToken::new(), Ledger::default());
            let ended = std::thread::scope(|threads| {
                threads.spawn(|| {
                    until(|| ledger.ran() > round);
                    token.cancel();
                });
                mill.install(|| token.run(|| endless(&ledger, 60)))
            });
            assert_eq!(ended, Err(Cancelled));
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn panics_come_before_cancelling() {
    let _watched = watch("panics_come_before_cancelling");
    let mill = mill(2);
    for _ in 0..50 {
        let token = CancelToken::new();
        let run = || {
            token.run(|| {
                token.cancel();
                boom(3)
            })
        };
        assert_eq!(caught(|| mill.install(run)), Some(3));
    }
}

#[test]
fn detached_jobs_run_under_the_token_of_whoever_spawned_them() {
    let _watched = watch("detached_jobs_run_under_the_token_of_whoever_spawned_them");
    let (send, receive) = mpsc::channel();
    let reports = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reports);
    let mill = gristmill::Mill::builder().workers(2).panic_handler(move |_| tick(&counted)).build().unwrap();
    let (token, ledger) = (CancelToken::new(), Ledger::default());
    let chit = ledger.chit();
    let spawned = token.run(|| {
        mill.spawn(move || {
            let _chit = chit;
            send.send(()).unwrap();
            loop {
                checkpoint();
                std::thread::yield_now();
            }
        })
    });
    assert_eq!(spawned, Ok(Ok(())));
    receive.recv().unwrap();
    token.cancel();
    mill.shutdown();
    ledger.settled(0);
    assert_eq!(reports.load(Ordering::SeqCst), 0, "cancelling is no panic");
}

#[test]
fn destructors_of_cancelled_work_may_use_the_mill() {
    let _watched = watch("destructors_of_cancelled_work_may_use_the_mill");
    struct Tidy<'a>(&'a AtomicUsize);
    impl Drop for Tidy<'_> {
        fn drop(&mut self) {
            let (a, b) = join(|| 1, || 2);
            scope(|s| {
                s.spawn(|_| {
                    self.0.fetch_add(a + b, Ordering::SeqCst);
                })
            });
        }
    }
    let (mill, sum) = (mill(2), AtomicUsize::new(0));
    for _ in 0..50 {
        let token = CancelToken::new();
        let ended = mill.install(|| {
            token.run(|| {
                let _tidy = Tidy(&sum);
                token.cancel();
                checkpoint();
            })
        });
        assert_eq!(ended, Err(Cancelled));
    }
    // Jobs of a scope are dropped under a cancelled token; halves of a join run here.
    assert!(sum.into_inner() <= 150);
}
