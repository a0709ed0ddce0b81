//! Nobody is left behind at a barrier, and all who were in a round agree on how it ended.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;

use crate::sync::models::check;
use crate::sync::{Barrier, BrokenBarrier};

fn barrier(parties: u32) -> Arc<Barrier> {
    Arc::new(Barrier::new(parties))
}

#[test]
fn models_it_is_used_again() {
    check(3, || {
        let (barrier, arrived) = (barrier(2), Arc::new(AtomicU32::new(0)));
        fn pass(barrier: &Barrier, arrived: &AtomicU32) -> [u32; 2] {
            [1, 2].map(|round| {
                arrived.fetch_add(1, Relaxed);
                let place = barrier.wait().unwrap();
                assert!(arrived.load(Relaxed) >= 2 * round);
                place.index()
            })
        }
        let theirs = {
            let (barrier, arrived) = (Arc::clone(&barrier), Arc::clone(&arrived));
            thread::spawn(move || pass(&barrier, &arrived))
        };
        let ours = pass(&barrier, &arrived);
        let theirs = theirs.join().unwrap();
        assert!(ours.iter().zip(&theirs).all(|(a, b)| a + b == 1));
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn models_three_pass() {
    check(2, || {
        let barrier = barrier(3);
        let others = [(); 2].map(|()| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || barrier.wait().unwrap().index())
        });
        let ours = barrier.wait().unwrap().index();
        let theirs = others.into_iter().map(|other| other.join().unwrap());
        assert_eq!(theirs.sum::<u32>() + ours, 3);
    });
}

#[test]
fn models_an_abort_finds_the_sleeper() {
    check(3, || {
        let barrier = barrier(2);
        let waiter = Arc::clone(&barrier);
        let waiter = thread::spawn(move || waiter.wait());
        barrier.abort();
        assert_eq!(waiter.join().unwrap(), Err(BrokenBarrier));
        assert!(barrier.is_broken());
    });
}

#[test]
fn models_late_or_in_time_they_agree() {
    check(3, || {
        let barrier = barrier(2);
        let hasty = Arc::clone(&barrier);
        let hasty = thread::spawn(move || hasty.wait_timeout(Duration::from_secs(1)).is_ok());
        let patient = barrier.wait().is_ok();
        assert_eq!(hasty.join().unwrap(), patient);
        assert_eq!(barrier.is_broken(), !patient);
    });
}

/// A reset in the middle of a round, and a round after it.
#[test]
fn models_a_reset_ends_one_round() {
    check(2, || {
        let barrier = barrier(2);
        let other = Arc::clone(&barrier);
        let other = thread::spawn(move || {
            let first = other.wait();
            // Unless the reset came before anybody did, it ended the first.
            if first.is_err() { other.wait() } else { first }
        });
        barrier.reset();
        assert!(barrier.wait().is_ok());
        assert!(other.join().unwrap().is_ok());
    });
}

#[test]
fn models_an_action_ends_before_anybody_goes() {
    check(3, || {
        let acted = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&acted);
        let action = move || counter.store(1, Relaxed);
        let barrier = Arc::new(Barrier::builder(2).action(action).build());
        let (other, theirs) = (Arc::clone(&barrier), Arc::clone(&acted));
        let other = thread::spawn(move || {
            assert!(other.wait_timeout(Duration::from_secs(1)).is_err() || theirs.load(Relaxed) == 1);
        });
        assert!(barrier.wait().is_err() || acted.load(Relaxed) == 1);
        other.join().unwrap();
    });
}
