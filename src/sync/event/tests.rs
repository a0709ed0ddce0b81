use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::Word;
use crate::sync::tests::in_both_scopes;
use crate::sync::{Event, Scope, Semaphore};

const SOON: Duration = Duration::from_millis(2);

in_both_scopes! {
    it_is_down_then_up_then_down
    a_timeout_ends_a_wait
    all_who_wait_go
    a_moment_up_lets_all_go_who_waited
    a_consumer_that_clears_and_looks_misses_no_work
    to_and_fro
}

fn it_is_down_then_up_then_down<S: Scope>() {
    let event = Event::<S>::in_scope();
    event.clear();
    assert!(!event.is_set());
    event.set();
    event.set();
    assert!(event.is_set());
    event.wait();
    assert_eq!(format!("{event:?}"), "Event { set: true }");
    event.clear();
    event.clear();
    assert!(!event.is_set() && !Event::<S>::default().is_set());
}

fn a_timeout_ends_a_wait<S: Scope>() {
    let event = Event::<S>::in_scope();
    for timeout in [Duration::ZERO, SOON] {
        assert!(!event.wait_timeout(timeout));
        assert!(!event.wait_deadline(Instant::now() + timeout));
    }
    event.set();
    for timeout in [Duration::ZERO, SOON, Duration::MAX] {
        assert!(event.wait_timeout(timeout));
    }
    assert!(event.wait_deadline(Instant::now()));
}

fn all_who_wait_go<S: Scope>() {
    let event = Event::<S>::in_scope();
    std::thread::scope(|s| {
        let waiters = [(); 6].map(|()| s.spawn(|| event.wait_timeout(Duration::MAX)));
        event.set();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
}

/// Each round all waiters are about to wait, or wait, when the flag goes up for a moment. Those who came too late for
/// it wait for the next.
fn a_moment_up_lets_all_go_who_waited<S: Scope>() {
    let (event, over) = (Event::<S>::in_scope(), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                (0..300).for_each(|_| event.wait());
                over.fetch_add(1, Relaxed);
            });
        }
        while over.load(Relaxed) < 4 {
            event.set();
            event.clear();
            std::thread::yield_now();
        }
    });
}

fn a_consumer_that_clears_and_looks_misses_no_work<S: Scope>() {
    let (event, work) = (Event::<S>::in_scope(), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                for _ in 0..2_000 {
                    work.fetch_add(1, Relaxed);
                    event.set();
                }
            });
        }
        let mut done = 0;
        while done < 4_000 {
            event.wait();
            event.clear();
            done += work.swap(0, Relaxed);
        }
    });
}

fn to_and_fro<S: Scope>() {
    let (there, back) = (Event::<S>::in_scope(), Event::<S>::in_scope());
    let stopped = Semaphore::<S>::in_scope(0);
    std::thread::scope(|s| {
        s.spawn(|| {
            for _ in 0..1_000 {
                there.wait();
                there.clear();
                back.set();
            }
            stopped.release();
        });
        for _ in 0..1_000 {
            there.set();
            back.wait();
            back.clear();
        }
    });
    assert_eq!(stopped.available(), 1);
}

#[test]
fn it_is_one_word() {
    assert_eq!(size_of::<Event>(), 4);
}

#[test]
fn generations_wrap() {
    let last = Word(!super::SLEEPERS);
    let next = last.cleared();
    assert_eq!(next.0, 0);
    assert!(next.releases(Word(last.0 & !super::SET)));
    assert!(!Word(0).releases(Word(super::SLEEPERS)));
}
