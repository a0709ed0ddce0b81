//! A worker that sleeps in one of our own primitives costs no slot: the mill's only worker waits for its own jobs.

use std::sync::Arc;
use std::time::Duration;

use gristmill::spawn;
use gristmill::sync::{Barrier, Condition, Event, Monitor, Once, Semaphore};

use crate::suite::{closed_mill, mill, watch::watch};

/// Runs both, the second as a job of the mill whose only worker runs the first.
fn alone<T: Send + Sync + 'static>(shared: T, wait: fn(&T), wake: fn(&T)) {
    let shared = Arc::new(shared);
    for mill in [mill(1), closed_mill(1)] {
        for _ in 0..100 {
            let shared = Arc::clone(&shared);
            mill.install(move || {
                let other = Arc::clone(&shared);
                spawn(move || wake(&other));
                wait(&shared);
            });
        }
    }
}

#[test]
fn in_a_semaphore() {
    let _watched = watch("in_a_semaphore");
    alone(Semaphore::new(0), Semaphore::acquire, Semaphore::release);
    alone(Semaphore::new(0), |s| assert!(s.acquire_timeout(Duration::MAX)), Semaphore::release);
}

#[test]
fn in_an_event() {
    let _watched = watch("in_an_event");
    let wait = |event: &Event| {
        event.wait();
        event.clear();
    };
    alone(Event::new(), wait, Event::set);
}

#[test]
fn in_a_barrier() {
    let _watched = watch("in_a_barrier");
    let wait = |barrier: &Barrier| assert!(barrier.wait().is_ok());
    alone(Barrier::new(2), wait, wait);
}

#[test]
fn in_a_condition_variable() {
    let _watched = watch("in_a_condition_variable");
    fn take(n: &mut u32) -> Option<()> {
        n.checked_sub(1).map(|less| *n = less)
    }
    alone(Monitor::new(0), |monitor| monitor.wait_until(take), |monitor| monitor.update(|n| *n += 1));
}

#[test]
fn in_a_condition() {
    let _watched = watch("in_a_condition");
    alone(
        (Condition::new(), Semaphore::new(0)),
        |(condition, came)| {
            let _held = condition.guard();
            condition.wait_for(|| came.try_acquire().then_some(())).unwrap();
        },
        |(condition, came)| {
            came.release();
            condition.with(|| condition.notify(1)).unwrap();
        },
    );
}

/// The worker waits for an initialisation that a thread outside is in the middle of, which waits for a job.
#[test]
fn in_an_initialisation() {
    let _watched = watch("in_an_initialisation");
    for _ in 0..20 {
        let (once, begun, ended) = (Once::new(), Event::new(), Event::new());
        let mill = closed_mill(1);
        std::thread::scope(|s| {
            s.spawn(|| {
                once.call_once(|| {
                    begun.set();
                    ended.wait();
                });
            });
            begun.wait();
            mill.install(|| {
                gristmill::scope(|s| {
                    s.spawn(|_| once.call_once(|| unreachable!()));
                    s.spawn(|_| once.call_once(|| unreachable!()));
                    s.spawn(|_| ended.set());
                });
            });
        });
        assert!(once.is_completed());
    }
}
