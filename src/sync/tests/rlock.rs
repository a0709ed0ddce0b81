use std::sync::atomic::{AtomicU32, Ordering};

use super::{Flag, SOON, elsewhere, in_both_scopes, past};
use crate::sync::rlock::{NotOwner, RLock};
use crate::sync::scope::{Private, Scope, Shared};

in_both_scopes! {
    its_owner_acquires_it_again
    nobody_else_may_release
    others_wait_for_the_last_release
    guards_count
    it_can_be_left_at_once_and_taken_again_as_deep
    one_at_a_time
    it_says_how_it_is
}

fn its_owner_acquires_it_again<S: Scope>() {
    let lock = RLock::<S>::default();
    assert_eq!((lock.locked(), lock.is_owned_by_current(), lock.recursion_count()), (false, false, 0));
    lock.acquire();
    assert!(lock.try_acquire() && lock.acquire_timeout(SOON) && lock.acquire_deadline(past()));
    assert_eq!((lock.locked(), lock.is_owned_by_current(), lock.recursion_count()), (true, true, 4));
    for left in (0..4).rev() {
        assert_eq!(lock.release(), Ok(()));
        assert_eq!((lock.locked(), lock.recursion_count()), (left > 0, left));
    }
    assert_eq!(lock.release(), Err(NotOwner));
}

fn nobody_else_may_release<S: Scope>() {
    let lock = RLock::<S>::in_scope();
    assert_eq!(lock.release(), Err(NotOwner));
    lock.acquire();
    elsewhere(|| {
        assert_eq!(lock.release(), Err(NotOwner));
        assert_eq!((lock.locked(), lock.is_owned_by_current(), lock.recursion_count()), (true, false, 0));
        assert!(lock.release_save().is_err());
        assert!(!lock.try_acquire() && !lock.acquire_timeout(SOON) && !lock.acquire_deadline(past()));
    });
    assert_eq!(lock.recursion_count(), 1);
    assert_eq!(lock.release(), Ok(()));
}

fn others_wait_for_the_last_release<S: Scope>() {
    let (lock, inside) = (RLock::<S>::in_scope(), Flag::default());
    (0..3).for_each(|_| lock.acquire());
    std::thread::scope(|s| {
        s.spawn(|| {
            lock.acquire();
            inside.set();
            assert_eq!(lock.recursion_count(), 1);
            lock.release().unwrap();
        });
        for _ in 0..2 {
            lock.release().unwrap();
            std::thread::sleep(SOON);
            assert!(!inside.is_set());
        }
        lock.release().unwrap();
    });
    assert!(inside.is_set() && !lock.locked());
}

fn guards_count<S: Scope>() {
    let lock = RLock::<S>::in_scope();
    {
        let _outer = lock.guard();
        let _inner = lock.try_guard().unwrap();
        assert_eq!(lock.with(|| lock.recursion_count()), 3);
        assert!(elsewhere(|| lock.try_guard().is_none()));
        let payload = crate::unwind::halt(|| lock.with(|| crate::unwind::resume(Box::new(7)))).unwrap_err();
        assert!(payload.is::<i32>());
        assert_eq!(lock.recursion_count(), 2);
    }
    assert!(!lock.locked());
    let guard = lock.guard();
    lock.release().unwrap();
    drop(guard);
    assert!(!lock.locked(), "a guard of a lock that was released by hand does nothing");
}

fn it_can_be_left_at_once_and_taken_again_as_deep<S: Scope>() {
    let lock = RLock::<S>::in_scope();
    assert!(lock.release_save().is_err());
    (0..3).for_each(|_| lock.acquire());
    let saved = lock.release_save().unwrap();
    assert!(!lock.locked());
    elsewhere(|| lock.with(|| assert_eq!(lock.recursion_count(), 1)));
    lock.acquire_restore(saved);
    assert_eq!(lock.recursion_count(), 3);
    (0..3).for_each(|_| lock.release().unwrap());
    assert_eq!(lock.release(), Err(NotOwner));
}

fn one_at_a_time<S: Scope>() {
    let (lock, number) = (RLock::<S>::in_scope(), AtomicU32::new(0));
    let add = || {
        let before = number.load(Ordering::Relaxed);
        std::hint::spin_loop();
        number.store(before + 1, Ordering::Relaxed);
    };
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..1_000 {
                    lock.with(|| {
                        add();
                        lock.with(add);
                    });
                }
            });
        }
    });
    assert_eq!(number.load(Ordering::Relaxed), 8_000);
    assert!(!lock.locked());
}

fn it_says_how_it_is<S: Scope>() {
    let lock = RLock::<S>::in_scope();
    let says = || format!("{lock:?}");
    assert!(says().starts_with("RLock { owner: nobody, count: 0, at: 0x"), "{}", says());
    let guard = lock.guard();
    assert!(format!("{guard:?}").contains("owner: this thread, count: 1"));
    assert!(elsewhere(says).contains("owner: another thread, count: 0"));
}

#[test]
fn errors_say_what_to_do() {
    assert!(NotOwner.to_string().contains("only the thread that acquired"));
}

#[test]
fn an_owner_that_ended_lets_go_in_shared_memory_only() {
    let lock = RLock::<Private>::new();
    elsewhere(|| lock.acquire());
    assert!(!lock.acquire_timeout(SOON));
    let lock = RLock::<Shared>::shared();
    elsewhere(|| (0..3).for_each(|_| lock.acquire()));
    lock.acquire();
    assert_eq!((lock.owner_died(), lock.recursion_count()), (true, 1));
    lock.release().unwrap();
    assert!(!lock.owner_died() && !lock.locked());
}

#[test]
fn it_can_be_reset() {
    let lock = RLock::new();
    elsewhere(|| lock.acquire());
    lock.reset_after_fork();
    assert!(lock.try_acquire());
    assert_eq!(lock.recursion_count(), 1);
}
