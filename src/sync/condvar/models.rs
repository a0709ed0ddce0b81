//! Nobody who was counted before a notification sleeps through it, also not when the crowd is moved to the mutex.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::sync::models::check;
use crate::sync::{Condvar, Mutex};

struct Bin {
    items: Mutex<u32>,
    changed: Condvar,
}

fn bin() -> Arc<Bin> {
    Arc::new(Bin { items: Mutex::new(0), changed: Condvar::new() })
}

impl Bin {
    fn take(&self) {
        *self.changed.wait_while(self.items.lock(), |items| *items == 0) -= 1;
    }

    fn put(&self, n: u32) {
        *self.items.lock() += n;
    }
}

fn takers<const N: usize>(bin: &Arc<Bin>) -> [thread::JoinHandle<()>; N] {
    [(); N].map(|()| {
        let bin = Arc::clone(bin);
        thread::spawn(move || bin.take())
    })
}

fn join<const N: usize>(takers: [thread::JoinHandle<()>; N]) {
    takers.into_iter().for_each(|taker| taker.join().unwrap());
}

#[test]
fn models_one_call_after_unlocking() {
    check(3, || {
        let bin = bin();
        let takers = takers::<1>(&bin);
        bin.put(1);
        bin.changed.notify_one();
        join(takers);
        assert_eq!(bin.changed.crowd().0, 0);
    });
}

#[test]
fn models_each_of_two_calls_reaches_one() {
    check(2, || {
        let bin = bin();
        let takers = takers::<2>(&bin);
        for _ in 0..2 {
            bin.put(1);
            bin.changed.notify_one();
        }
        join(takers);
    });
}

/// The crowd is moved to the mutex by the first that comes.
#[test]
fn models_a_crowd_is_called() {
    check(2, || {
        let bin = bin();
        let takers = takers::<2>(&bin);
        bin.put(2);
        bin.changed.notify_all();
        join(takers);
        assert_eq!(bin.changed.crowd().0, 0);
    });
}

#[test]
fn models_a_crowd_is_called_under_the_lock() {
    check(2, || {
        let bin = bin();
        let takers = takers::<2>(&bin);
        let mut items = bin.items.lock();
        *items += 2;
        bin.changed.notify_all();
        drop(items);
        join(takers);
    });
}

/// Its time is up while it is being called, or moved: what it was told, or owes, the other gets.
#[test]
fn models_who_is_late_keeps_no_call() {
    check(2, || {
        let bin = bin();
        let hasty = Arc::clone(&bin);
        let hasty = thread::spawn(move || {
            let hour = Duration::from_secs(3600);
            let (mut items, in_time) =
                hasty.changed.wait_while_timeout(hasty.items.lock(), hour, |items| *items == 0);
            if in_time {
                *items -= 1;
            }
            in_time
        });
        let patient = takers::<1>(&bin);
        bin.put(1);
        bin.changed.notify_one();
        if hasty.join().unwrap() {
            bin.put(1);
            bin.changed.notify_one();
        }
        join(patient);
    });
}

/// A crowd is called while one of it leaves as its time is up, which may take the mark before the call is made.
#[test]
fn models_who_is_late_passes_the_crowd_on() {
    check(2, || {
        let bin = bin();
        let hasty = Arc::clone(&bin);
        let hasty = thread::spawn(move || {
            let hour = Duration::from_secs(3600);
            // It may take the mark as it leaves, and the call as it is there again.
            for _ in 0..2 {
                drop(hasty.changed.wait_timeout(hasty.items.lock(), hour));
            }
        });
        let patient = takers::<1>(&bin);
        bin.put(1);
        bin.changed.notify_all();
        join(patient);
        hasty.join().unwrap();
        assert_eq!(bin.changed.crowd().0, 0);
    });
}

/// Three: one is called, two are moved, and the mutex's rules call the last.
#[test]
fn models_those_who_are_moved_are_called_in_turn() {
    check(2, || {
        let bin = bin();
        let takers = takers::<3>(&bin);
        bin.put(3);
        bin.changed.notify_all();
        join(takers);
    });
}
