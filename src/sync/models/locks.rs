//! One owner at a time, and nobody is left asleep.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::{Count, check};
use crate::sync::mutex::Mutex;
use crate::sync::raw::{Died, Limit, Outcome, RawLock};
use crate::sync::rlock::RLock;
use crate::sync::scope::{Private, Shared};
use crate::sync::state::State;
use crate::sync::word::{Plain, Word};

type Raw = RawLock<Plain<false>>;

/// Nobody has it, nobody waits, nobody was promised it.
fn assert_idle<W: Word>(raw: &RawLock<W>) {
    assert_eq!(raw.state(), State::FREE);
}

#[test]
fn models_a_lock_has_one_owner_and_wakes_whoever_waits() {
    check(4, || {
        let lock = Arc::new((Raw::new(), Count::default()));
        let add = |lock: &(Raw, Count)| {
            let _ = lock.0.lock(Limit::Never);
            lock.1.add();
            lock.0.unlock(Died::Forget);
        };
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || (0..2).for_each(|_| add(&lock)))
        };
        add(&lock);
        add(&lock);
        other.join().unwrap();
        assert_eq!(lock.1.get(), 4);
        assert_idle(&lock.0);
    });
}

#[test]
fn models_three_threads_and_a_lock() {
    check(3, || {
        let lock = Arc::new((Raw::new(), Count::default()));
        let add = |lock: &(Raw, Count)| {
            let _ = lock.0.lock(Limit::Never);
            lock.1.add();
            lock.0.unlock(Died::Forget);
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || add(&lock))
            })
            .collect();
        add(&lock);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(lock.1.get(), 3);
        assert_idle(&lock.0);
    });
}

/// The word holds the thread's name; else the same.
#[test]
fn models_a_lock_that_knows_its_owner() {
    check(3, || {
        let lock = Arc::new((RLock::<Private>::in_scope(), Count::default()));
        let add = |lock: &(RLock, Count)| {
            let outer = lock.0.guard();
            lock.1.add();
            let inner = lock.0.guard();
            lock.1.add();
            drop(outer);
            lock.1.add();
            drop(inner);
        };
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || add(&lock))
        };
        add(&lock);
        other.join().unwrap();
        assert_eq!(lock.1.get(), 6);
        assert!(!lock.0.locked());
    });
}

/// Somebody gives up while the lock is being unlocked; the other waiter is not forgotten, whoever was called.
#[test]
fn models_who_gives_up_leaves_the_lock_to_others() {
    check(3, || {
        let lock = Arc::new((Raw::new(), Count::default()));
        let _ = lock.0.lock(Limit::Never);
        let patient = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let _ = lock.0.lock(Limit::Never);
                lock.1.add();
                lock.0.unlock(Died::Forget);
            })
        };
        let hasty = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let got = lock.0.lock(Limit::After(Duration::from_secs(1))) == Outcome::Taken;
                if got {
                    lock.1.add();
                    lock.0.unlock(Died::Forget);
                }
                u32::from(got)
            })
        };
        lock.1.add();
        lock.0.unlock(Died::Forget);
        // In the way of whoever was called.
        let _ = lock.0.lock(Limit::Never);
        lock.1.add();
        lock.0.unlock(Died::Forget);
        patient.join().unwrap();
        let got = hasty.join().unwrap();
        assert_eq!(lock.1.get(), 3 + got);
        // Who gave up may have left word of itself, which costs the next unlocker a call.
        let _ = lock.0.lock(Limit::Never);
        lock.0.unlock(Died::Forget);
        assert_idle(&lock.0);
    });
}

/// The lock is not stolen from the heir, nor lost with it.
#[test]
fn models_who_only_tries_takes_nothing_from_an_heir() {
    check(3, || {
        let lock = Arc::new((Raw::new(), Count::default()));
        let _ = lock.0.lock(Limit::Never);
        let heir = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let _ = lock.0.lock(Limit::Never);
                lock.1.add();
                lock.0.unlock(Died::Forget);
            })
        };
        lock.0.unlock(Died::Forget);
        let got = lock.0.try_lock() == Outcome::Taken;
        if got {
            lock.1.add();
            lock.0.unlock(Died::Forget);
        }
        heir.join().unwrap();
        assert_eq!(lock.1.get(), 1 + u32::from(got));
        assert_idle(&lock.0);
    });
}

#[test]
fn models_a_mutex_and_one_in_shared_memory() {
    check(2, || {
        let mutex = Arc::new(Mutex::new(Count::default()));
        let other = {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || mutex.lock().add())
        };
        mutex.lock().add();
        other.join().unwrap();
        assert_eq!(mutex.lock().get(), 2);
    });
    check(2, || {
        let mutex = Arc::new(Mutex::<_, Shared>::shared(Count::default()));
        let other = {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || mutex.lock().unwrap().add())
        };
        mutex.lock().unwrap().add();
        other.join().unwrap();
        assert_eq!(mutex.lock().unwrap().get(), 2);
    });
}
