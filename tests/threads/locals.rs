//! Values of which each thread has its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};

use gristmill::thread::get_ident;
use gristmill::threading::{Local, LocalError, current_thread, enumerate, spawn};

use crate::suite::boom::{Bomb, boom, caught, quiet};
use crate::suite::{ledger::Chit, ledger::Ledger, tick, watch::watch};

#[test]
fn threads_see_their_own() {
    let _watched = watch("threads_see_their_own");
    let local = Local::unset();
    local.set(0);
    let barrier = Barrier::new(4);
    std::thread::scope(|s| {
        for number in 1..=4 {
            let (local, barrier) = (&local, &barrier);
            s.spawn(move || {
                assert_eq!(local.try_with(|_| ()), Err(LocalError::Unset));
                assert_eq!((local.get(), local.is_set(), local.take()), (None, false, None));
                local.set(number);
                barrier.wait();
                assert_eq!(local.get(), Some(number));
                local.with_mut(|value| *value *= 10);
                barrier.wait();
                assert_eq!(local.take(), Some(number * 10));
                assert_eq!(local.get(), None);
            });
        }
    });
    assert_eq!(local.get(), Some(0));
}

#[test]
fn a_bag_of_attributes() {
    let _watched = watch("a_bag_of_attributes");
    let bag: Local<HashMap<&str, u32>> = Local::new(HashMap::new);
    bag.with_mut(|bag| bag.insert("sacks", 3));
    std::thread::scope(|s| {
        s.spawn(|| {
            assert_eq!(bag.with(|bag| bag.get("sacks").copied()), None);
        });
    });
    assert_eq!(bag.with(|bag| bag["sacks"]), 3);
}

#[test]
fn init_runs_once_a_thread() {
    let _watched = watch("init_runs_once_a_thread");
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    let local = Local::new(move || {
        tick(&counter);
        get_ident()
    });
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    for _ in 0..3 {
        assert_eq!(local.get(), Some(get_ident()));
    }
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| (0..3).for_each(|_| assert_eq!(local.get(), Some(get_ident()))));
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert_eq!(local.take(), Some(get_ident()));
    assert_eq!(local.get(), Some(get_ident()));
    assert_eq!(runs.load(Ordering::SeqCst), 5);
}

#[test]
fn an_init_that_fails_can_be_tried_again() {
    let _watched = watch("an_init_that_fails_can_be_tried_again");
    let tries = AtomicUsize::new(0);
    let tries: &'static AtomicUsize = Box::leak(Box::new(tries));
    let local = Local::new(|| if tries.fetch_add(1, Ordering::SeqCst) == 0 { boom(1) } else { 7 });
    assert_eq!(caught(|| local.get()), Some(1));
    assert_eq!(local.get(), Some(7));
}

#[test]
fn an_init_that_asks_for_itself_is_told_so() {
    let _watched = watch("an_init_that_asks_for_itself_is_told_so");
    static LOCAL: OnceLock<Local<bool>> = OnceLock::new();
    let local =
        LOCAL.get_or_init(|| Local::new(|| LOCAL.get().unwrap().try_with(|_| ()) == Err(LocalError::InUse)));
    assert_eq!(local.get(), Some(true));
}

#[test]
fn what_is_in_use_is_not_changed() {
    let _watched = watch("what_is_in_use_is_not_changed");
    let (local, other) = (Local::new(|| 1), Local::new(|| 2));
    local.with(|one| {
        assert_eq!(local.try_with(|again| again + one), Ok(2));
        assert_eq!(local.try_with_mut(|_| ()), Err(LocalError::InUse));
        other.with_mut(|two| *two += one);
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| local.set(5)));
        assert!(replaced.is_err());
    });
    local.with_mut(|_| assert_eq!(local.try_with(|_| ()), Err(LocalError::InUse)));
    assert_eq!(caught(|| local.with_mut(|_| boom(2))), Some(2));
    local.set(6);
    assert_eq!((local.get(), other.get()), (Some(6), Some(3)));
    assert_eq!(format!("{local:?}"), "Local(Some(6))");
}

#[test]
fn values_go_with_their_thread() {
    let _watched = watch("values_go_with_their_thread");
    let (ledger, local) = (Ledger::default(), Arc::new(Local::unset()));
    for round in 1..=20 {
        let (chit, theirs) = (ledger.chit(), local.clone());
        spawn(move || theirs.set(chit)).unwrap().join().unwrap();
        assert_eq!(ledger.dropped(), round, "dropped before the join was over");
    }
    local.set(ledger.chit());
    drop(local);
    ledger.settled(0);
}

/// Objects are dropped while the threads that have values in them end.
#[test]
fn values_are_dropped_once_whoever_goes_first() {
    let _watched = watch("values_are_dropped_once_whoever_goes_first");
    let ledger = Ledger::default();
    for _ in 0..200 {
        let local = Arc::new(Local::unset());
        let barrier = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (local, barrier, chit) = (local.clone(), barrier.clone(), ledger.chit());
                std::thread::spawn(move || {
                    local.set(chit);
                    drop(local);
                    barrier.wait();
                })
            })
            .collect();
        barrier.wait();
        drop(local);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    ledger.settled(0);
}

/// What a value does when it is dropped: makes others, in its own object and in another; asks who it is.
#[test]
fn values_that_touch_locals_when_they_are_dropped() {
    let _watched = watch("values_that_touch_locals_when_they_are_dropped");
    struct Busy {
        depth: u32,
        home: Arc<Local<RefCell<Option<Busy>>>>,
        other: Arc<Local<Chit>>,
        ledger: Ledger,
    }
    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = current_thread().name();
            self.other.set(self.ledger.chit());
            if let Some(depth) = self.depth.checked_sub(1) {
                let (home, other) = (self.home.clone(), self.other.clone());
                let next = Busy { depth, home, other, ledger: self.ledger.clone() };
                self.home.set(RefCell::new(Some(next)));
            }
        }
    }
    let (ledger, home, other) = (Ledger::default(), Arc::new(Local::unset()), Arc::new(Local::unset()));
    let busy = Busy { depth: 3, home: home.clone(), other: other.clone(), ledger: ledger.clone() };
    spawn(move || busy.home.clone().set(RefCell::new(Some(busy)))).unwrap().join().unwrap();
    drop((home, other));
    assert_eq!(ledger.made(), 4);
    ledger.settled(0);
}

#[test]
fn a_value_that_panics_when_it_is_dropped_ends_nothing() {
    let _watched = watch("a_value_that_panics_when_it_is_dropped_ends_nothing");
    quiet();
    let local = Arc::new(Local::new(|| Bomb(1)));
    let theirs = local.clone();
    spawn(move || theirs.with(|_| ())).unwrap().join().unwrap();
    let theirs = local.clone();
    std::thread::spawn(move || theirs.with(|_| ())).join().unwrap();
    local.with(|_| ());
    drop(local);
}

/// A thread that outlives many objects does not keep what it knew of them.
#[test]
fn thousands_of_objects() {
    let _watched = watch("thousands_of_objects");
    let ledger = Ledger::default();
    let kept: Vec<_> = (0..100).map(Local::with_default).collect();
    for _ in 0..5_000 {
        let (local, theirs) = (Local::unset(), ledger.clone());
        local.set(theirs.chit());
    }
    for (number, local) in kept.iter().enumerate() {
        assert_eq!(local.get(), Some(number));
    }
    ledger.settled(0);
}

/// A worker's own, as any thread's.
#[test]
fn strangers_have_values_too() {
    let _watched = watch("strangers_have_values_too");
    let local: &'static Local<Mutex<u32>> = Box::leak(Box::new(Local::new(|| Mutex::new(0))));
    let mill = crate::suite::closed_mill(2);
    let counts = mill.broadcast(move |_| {
        local.with(|count| *count.lock().unwrap() += 1);
        local.with(|count| *count.lock().unwrap())
    });
    assert_eq!(counts, [1, 1]);
    drop(mill);
    assert!(!enumerate().iter().any(|thread| thread.name().starts_with("gm-")));
}
