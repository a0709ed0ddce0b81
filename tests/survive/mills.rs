//! Two mills that wait for each other's jobs.

use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::{Mill, join, scope};

use crate::suite::{closed_mill, mill, tick, watch::watch};

fn pairs() -> Vec<(Mill, Mill)> {
    vec![
        (mill(1), mill(1)),
        (closed_mill(1), closed_mill(1)),
        (mill(1), closed_mill(1)),
        (closed_mill(1), mill(1)),
        (mill(2), mill(3)),
    ]
}

fn ping(depth: u32, here: &Mill, there: &Mill) -> u32 {
    if depth == 0 { 0 } else { there.install(|| 1 + ping(depth - 1, there, here)) }
}

#[test]
fn installs_nest_in_both_directions() {
    let _watched = watch("installs_nest_in_both_directions");
    for (a, b) in pairs() {
        for depth in [1, 2, 3, 10] {
            assert_eq!(ping(depth, &a, &b), depth);
            assert_eq!(a.install(|| ping(depth, &a, &b)), depth);
        }
    }
}

#[test]
fn many_threads_install_in_both_directions() {
    let _watched = watch("many_threads_install_in_both_directions");
    for (a, b) in pairs() {
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| (0..30).for_each(|_| assert_eq!(ping(5, &a, &b), 5)));
                threads.spawn(|| (0..30).for_each(|_| assert_eq!(ping(5, &b, &a), 5)));
            }
        });
    }
}

/// The worker that a broadcast must reach waits for the mill that casts.
#[test]
fn a_broadcast_reaches_workers_that_wait_for_another_mill() {
    let _watched = watch("a_broadcast_reaches_workers_that_wait_for_another_mill");
    for (a, b) in pairs() {
        let all = || {
            let numbers = a.broadcast(|number| {
                assert_eq!(gristmill::worker_index(), Some(number));
                join(|| (), || ());
                number
            });
            assert_eq!(numbers.len(), a.workers());
        };
        a.install(|| b.install(all));
        b.install(|| a.install(all));
        a.install(|| b.install(|| a.install(all)));
        a.install(|| join(|| b.install(all), || b.install(|| a.install(|| b.install(all)))));
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| (0..30).for_each(|_| a.install(|| b.install(all))));
                threads.spawn(|| (0..30).for_each(|_| b.install(all)));
            }
        });
    }
}

#[test]
fn joins_across_two_mills() {
    let _watched = watch("joins_across_two_mills");
    fn tree(depth: u32, here: &Mill, there: &Mill) -> u32 {
        if depth == 0 {
            return 1;
        }
        let (a, b) = join(
            || there.install(|| tree(depth - 1, there, here)),
            || there.install(|| tree(depth - 1, there, here)),
        );
        a + b
    }
    for (a, b) in pairs() {
        for _ in 0..5 {
            assert_eq!(a.install(|| tree(6, &a, &b)), 64);
        }
    }
}

#[test]
fn scopes_across_two_mills() {
    let _watched = watch("scopes_across_two_mills");
    fn nest(depth: u32, here: &Mill, there: &Mill, count: &AtomicUsize) {
        count.fetch_add(1, Ordering::Relaxed);
        if depth > 0 {
            scope(|s| {
                for _ in 0..2 {
                    s.spawn(|s| {
                        there.install(|| scope(|t| t.spawn(|_| nest(depth - 1, there, here, count))));
                        s.spawn(|_| tick(count));
                    });
                }
            });
        }
    }
    for (a, b) in pairs() {
        let count = AtomicUsize::new(0);
        a.install(|| nest(5, &a, &b, &count));
        assert_eq!(count.into_inner(), 63 + 62);
    }
}

/// The worker of `a` waits in `b` for a job that somebody else runs there and that needs a worker of `a`.
#[test]
fn a_visitor_that_sleeps_holds_no_slot_at_home() {
    let _watched = watch("a_visitor_that_sleeps_holds_no_slot_at_home");
    for (a, b) in pairs() {
        for _ in 0..20 {
            let begun = std::sync::atomic::AtomicBool::new(false);
            let leaf = || {
                // With one worker the second half stays here; then there is nothing to wait for.
                for _ in 0..1_000 {
                    if begun.load(Ordering::SeqCst) {
                        break;
                    }
                    gristmill::yield_now();
                }
            };
            let other = || {
                begun.store(true, Ordering::SeqCst);
                a.install(|| 5)
            };
            assert_eq!(a.install(|| b.install(|| join(leaf, other).1)), 5);
        }
    }
}
