//! No permit is taken twice, none is left lying while somebody sleeps.

use std::num::NonZeroU32;
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::prim::atomic::Ordering;
use crate::sync::Semaphore;
use crate::sync::models::{Count, check};

fn semaphore(permits: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits))
}

#[test]
fn models_one_permit_excludes() {
    check(2, || {
        let guarded = Arc::new((Semaphore::new(1), Count::default()));
        let enter = |(semaphore, count): &(Semaphore, Count)| {
            let _permit = semaphore.permit();
            count.add();
        };
        let others = [(); 2].map(|()| {
            let guarded = Arc::clone(&guarded);
            thread::spawn(move || enter(&guarded))
        });
        enter(&guarded);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!((guarded.0.available(), guarded.1.get()), (1, 3));
    });
}

/// Two sleepers and two releases.
#[test]
fn models_each_release_lets_one_go() {
    check(2, || {
        let semaphore = semaphore(0);
        let waiters = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.acquire())
        });
        semaphore.release();
        semaphore.release();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn models_a_release_of_two_lets_two_go() {
    check(2, || {
        let semaphore = semaphore(0);
        let waiters = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.acquire())
        });
        semaphore.release_n(NonZeroU32::new(2).unwrap());
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

/// A waiter whose time is up must not keep the call that would have woken the other.
#[test]
fn models_who_gives_up_keeps_no_call() {
    check(2, || {
        let semaphore = semaphore(0);
        let (hasty, patient) = (Arc::clone(&semaphore), Arc::clone(&semaphore));
        let hasty = thread::spawn(move || hasty.acquire_timeout(Duration::from_secs(1)));
        let patient = thread::spawn(move || patient.acquire());
        semaphore.release();
        if hasty.join().unwrap() {
            semaphore.release();
        }
        patient.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

/// Somebody who does not sleep takes permits away from under those who were called.
#[test]
fn models_a_passer_by_takes_no_call() {
    check(2, || {
        let semaphore = semaphore(0);
        let waiters = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.acquire())
        });
        semaphore.release();
        if semaphore.try_acquire() {
            semaphore.release();
        }
        semaphore.release();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(semaphore.available(), 0);
    });
}

/// A release has called those who slept, has lost its permit to a passer-by, and is about to take the bit away, while
/// others lie down and are called: without the bit, whoever is called stands in for it.
#[test]
fn models_a_late_clearing_of_the_bit_leaves_nobody_behind() {
    check(2, || {
        let semaphore = semaphore(0);
        let late = Arc::clone(&semaphore);
        late.word.store(super::SLEEPERS, Ordering::Relaxed);
        let waiters = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.acquire())
        });
        let late = thread::spawn(move || late.call(1));
        semaphore.release();
        semaphore.release();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        late.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}
