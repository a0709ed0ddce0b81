use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Flag, SOON, elsewhere, in_both_scopes, past};
use crate::sync::lock::{Lock, NotLocked};
use crate::sync::scope::{Private, Scope, Shared};

in_both_scopes! {
    it_is_acquired_once_and_released_once
    any_thread_may_release
    a_release_lets_a_waiter_on
    who_gave_up_leaves_the_lock_usable
    no_timeout_is_too_long_and_none_too_short
    guards_release_on_every_way_out
    a_guard_of_a_lock_that_was_released_by_hand_does_nothing
    one_at_a_time
    one_at_a_time_and_some_give_up
    nobody_is_starved
    it_says_how_it_is
}

fn it_is_acquired_once_and_released_once<S: Scope>() {
    let lock = Lock::<S>::default();
    assert!(!lock.locked());
    assert_eq!(lock.release(), Err(NotLocked));
    lock.acquire();
    assert!(lock.locked());
    assert!(!lock.try_acquire() && !elsewhere(|| lock.try_acquire()));
    assert_eq!(lock.release(), Ok(()));
    assert_eq!(lock.release(), Err(NotLocked));
    assert!(lock.try_acquire());
}

fn any_thread_may_release<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    lock.acquire();
    assert_eq!(elsewhere(|| lock.release()), Ok(()));
    assert!(!lock.locked());
}

fn a_release_lets_a_waiter_on<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    lock.acquire();
    std::thread::scope(|s| {
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                s.spawn(|| {
                    lock.acquire();
                    lock.release()
                })
            })
            .collect();
        std::thread::sleep(SOON);
        assert_eq!(lock.release(), Ok(()));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(()));
        }
    });
    assert!(!lock.locked());
}

fn who_gave_up_leaves_the_lock_usable<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    lock.acquire();
    for _ in 0..3 {
        assert!(!lock.acquire_timeout(SOON));
        assert!(!elsewhere(|| lock.acquire_timeout(SOON)));
    }
    assert!(lock.locked());
    assert_eq!(lock.release(), Ok(()));
    assert!(!lock.locked() && lock.acquire_timeout(SOON));
    assert_eq!(lock.release(), Ok(()));
    assert_eq!(lock.release(), Err(NotLocked));
}

fn no_timeout_is_too_long_and_none_too_short<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    assert!(lock.acquire_timeout(Duration::ZERO));
    assert!(!lock.acquire_timeout(Duration::ZERO) && !lock.acquire_deadline(past()));
    std::thread::scope(|s| {
        for timeout in [Duration::MAX, Duration::from_secs(1 << 40)] {
            let lock = &lock;
            s.spawn(move || {
                assert!(lock.acquire_timeout(timeout));
                lock.release().unwrap();
            });
        }
        std::thread::sleep(SOON);
        lock.release().unwrap();
    });
    assert!(lock.acquire_deadline(past()), "nobody is in the way");
}

fn guards_release_on_every_way_out<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    drop(lock.guard());
    assert!(!lock.locked());
    let guard = lock.try_guard().unwrap();
    assert!(lock.try_guard().is_none());
    std::thread::scope(|s| {
        s.spawn(|| drop(guard));
    });
    assert_eq!(lock.with(|| lock.locked()), !lock.locked());
    let payload = crate::unwind::halt(|| lock.with(|| crate::unwind::resume(Box::new(7)))).unwrap_err();
    assert!(payload.is::<i32>() && !lock.locked());
}

fn a_guard_of_a_lock_that_was_released_by_hand_does_nothing<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    let guard = lock.guard();
    lock.release().unwrap();
    drop(guard);
    assert!(!lock.locked());
}

/// Adds without atomicity, and so that a second thread inside would be noticed.
fn add(number: &AtomicU32) {
    let before = number.load(Ordering::Relaxed);
    std::hint::spin_loop();
    number.store(before + 1, Ordering::Relaxed);
}

fn one_at_a_time<S: Scope>() {
    let (lock, number) = (Lock::<S>::in_scope(), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| (0..2_000).for_each(|_| lock.with(|| add(&number))));
        }
    });
    assert_eq!(number.into_inner(), 12_000);
    assert!(!lock.locked());
}

fn one_at_a_time_and_some_give_up<S: Scope>() {
    let (lock, number, taken) = (Lock::<S>::in_scope(), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|s| {
        for thread in 0..6_u64 {
            let (lock, number, taken) = (&lock, &number, &taken);
            s.spawn(move || {
                for round in 0..1_000 {
                    let got = match (thread + round) % 3 {
                        0 => lock.try_acquire(),
                        1 => lock.acquire_timeout(Duration::from_micros(round % 200)),
                        _ => {
                            lock.acquire();
                            true
                        }
                    };
                    if got {
                        add(number);
                        taken.fetch_add(1, Ordering::Relaxed);
                        lock.release().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(number.into_inner(), taken.into_inner());
    assert!(lock.try_acquire());
}

/// A thread that leaves the lock only to take it again lets the other in all the same.
fn nobody_is_starved<S: Scope>() {
    let (lock, got) = (Lock::<S>::in_scope(), Flag::default());
    lock.acquire();
    std::thread::scope(|s| {
        s.spawn(|| {
            lock.acquire();
            got.set();
            lock.release().unwrap();
        });
        while !got.is_set() {
            lock.release().unwrap();
            lock.acquire();
        }
    });
}

fn it_says_how_it_is<S: Scope>() {
    let lock = Lock::<S>::in_scope();
    let at = format!("{:p}", &raw const lock);
    assert_eq!(format!("{lock:?}"), format!("Lock {{ locked: false, at: {at} }}"));
    let guard = lock.guard();
    assert!(format!("{guard:?}").contains("locked: true"));
}

#[test]
fn errors_say_what_to_do() {
    assert!(NotLocked.to_string().contains("once for each time it was acquired"));
}

#[test]
fn the_state_takes_little() {
    assert_eq!(size_of::<Lock<Private>>(), 4);
    assert_eq!(size_of::<Lock<Shared>>(), 8);
}

/// As after a fork, when whoever had it is not there.
#[test]
fn it_can_be_reset() {
    let lock = Lock::new();
    lock.acquire();
    assert!(!lock.acquire_timeout(SOON));
    lock.reset_after_fork();
    assert!(!lock.locked() && lock.try_acquire());
}

/// A process that lives owns its locks, whatever becomes of its threads.
#[test]
fn the_owner_is_the_process() {
    let lock = Lock::shared();
    elsewhere(|| lock.acquire());
    assert!(!lock.try_acquire() && !lock.acquire_timeout(SOON) && !lock.owner_died());
    assert_eq!(lock.release(), Ok(()));
}
