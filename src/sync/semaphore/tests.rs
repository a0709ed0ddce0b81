use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::sync::tests::in_both_scopes;
use crate::sync::{BoundedSemaphore, OverRelease, Private, Scope, Semaphore};
use crate::unwind::halt;

const SOON: Duration = Duration::from_millis(2);

in_both_scopes! {
    permits_are_counted
    a_timeout_ends_a_wait_and_takes_nothing
    no_more_are_inside_than_there_are_permits
    a_release_of_many_lets_as_many_go
    permits_and_waiters_who_give_up_stay_in_balance
    a_permit_goes_back_when_its_holder_panics
    one_release_too_many_changes_nothing
    a_bounded_one_waits_and_times_out
}

fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn permits_are_counted<S: Scope>() {
    let semaphore = Semaphore::<S>::in_scope(2);
    assert!(semaphore.try_acquire());
    semaphore.acquire();
    assert_eq!(semaphore.available(), 0);
    assert!(!semaphore.try_acquire());
    semaphore.release();
    semaphore.release_n(n(3));
    assert_eq!(semaphore.available(), 4);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { value: 4 }");
    assert_eq!(Semaphore::<S>::default().available(), 1);
}

fn a_timeout_ends_a_wait_and_takes_nothing<S: Scope>() {
    let semaphore = Semaphore::<S>::in_scope(0);
    for timeout in [Duration::ZERO, SOON] {
        assert!(!semaphore.acquire_timeout(timeout));
        assert!(!semaphore.acquire_deadline(Instant::now() + timeout));
        assert!(semaphore.permit_timeout(timeout).is_none());
    }
    semaphore.release();
    assert_eq!(semaphore.available(), 1);
    assert!(semaphore.acquire_timeout(Duration::MAX));
    semaphore.release();
    assert!(semaphore.acquire_timeout(Duration::ZERO));
    semaphore.release();
    assert!(semaphore.acquire_deadline(Instant::now()));
}

fn no_more_are_inside_than_there_are_permits<S: Scope>() {
    let (semaphore, inside, most) = (Semaphore::<S>::in_scope(3), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for _ in 0..500 {
                    let _permit = semaphore.permit();
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, SeqCst);
                }
            });
        }
    });
    assert!((1..=3).contains(&most.into_inner()));
    assert_eq!(semaphore.available(), 3);
}

fn a_release_of_many_lets_as_many_go<S: Scope>() {
    let (go, done) = (Semaphore::<S>::in_scope(0), Semaphore::<S>::in_scope(0));
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                go.acquire();
                done.release();
            });
        }
        go.release_n(n(4));
        (0..4).for_each(|_| done.acquire());
        assert!(!done.acquire_timeout(SOON));
        go.release_n(n(2));
        (0..2).for_each(|_| done.acquire());
    });
    assert_eq!((go.available(), done.available()), (0, 0));
}

fn permits_and_waiters_who_give_up_stay_in_balance<S: Scope>() {
    let (semaphore, taken) = (Semaphore::<S>::in_scope(0), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..200 {
                    if semaphore.acquire_timeout(Duration::from_micros(50)) {
                        taken.fetch_add(1, SeqCst);
                    }
                }
                // Nobody who sleeps for good has been forgotten over those who gave up.
                semaphore.acquire();
                taken.fetch_add(1, SeqCst);
            });
        }
        for _ in 0..804 {
            semaphore.release();
            std::thread::yield_now();
        }
    });
    assert_eq!(taken.into_inner() + semaphore.available(), 804);
}

fn a_permit_goes_back_when_its_holder_panics<S: Scope>() {
    let semaphore = Semaphore::<S>::in_scope(1);
    let bounded = BoundedSemaphore::<S>::in_scope(1);
    let panicked = halt(|| {
        let _permits = (semaphore.permit(), bounded.permit());
        assert!(semaphore.try_permit().is_none() && bounded.try_permit().is_none());
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panicked.is_err());
    assert_eq!((semaphore.available(), bounded.available()), (1, 1));
}

fn one_release_too_many_changes_nothing<S: Scope>() {
    let bounded = BoundedSemaphore::<S>::in_scope(3);
    bounded.acquire();
    let error = bounded.release_n(n(3)).unwrap_err();
    assert_eq!(error, OverRelease { released: 3, available: 2, limit: 3 });
    assert_eq!(error.to_string(), "released 2 permit(s) too many: 2 of 3 are there already");
    assert_eq!(format!("{bounded:?}"), "BoundedSemaphore { value: 2/3 }");
    bounded.release().unwrap();
    assert!(bounded.release().is_err() && bounded.release_n(n(u32::MAX)).is_err());
    assert_eq!((bounded.available(), bounded.bound()), (3, 3));

    let full = Semaphore::<S>::in_scope(Semaphore::<S>::MAX_PERMITS);
    assert!(halt(|| full.release()).is_err());
    assert!(halt(|| full.release_n(n(u32::MAX))).is_err());
    assert_eq!(full.available(), Semaphore::<S>::MAX_PERMITS);
    // The permit of a guard goes nowhere, and that is no reason to panic in a drop.
    let permit = full.permit();
    full.release();
    drop(permit);
    assert_eq!(full.available(), Semaphore::<S>::MAX_PERMITS);
}

fn a_bounded_one_waits_and_times_out<S: Scope>() {
    let bounded = BoundedSemaphore::<S>::in_scope(1);
    bounded.acquire();
    assert!(!bounded.try_acquire() && !bounded.acquire_timeout(SOON));
    assert!(!bounded.acquire_deadline(Instant::now()) && bounded.permit_timeout(SOON).is_none());
    std::thread::scope(|s| {
        s.spawn(|| bounded.acquire());
        bounded.release().unwrap();
    });
    assert_eq!(bounded.available(), 0);
    bounded.release_n(n(1)).unwrap();
    drop(bounded.permit_timeout(SOON).unwrap());
    assert_eq!(BoundedSemaphore::<S>::default().available(), 1);
}

#[test]
fn it_is_one_word() {
    assert_eq!(size_of::<Semaphore>(), 4);
    assert_eq!(size_of::<BoundedSemaphore>(), 8);
}

#[test]
fn more_permits_than_there_may_be_are_refused() {
    assert!(halt(|| Semaphore::<Private>::new(1 << 31)).is_err());
    assert!(halt(|| BoundedSemaphore::<Private>::new(u32::MAX)).is_err());
}
