//! A worker that sleeps in one of our own locks costs no slot: the mill's only worker waits for what its own job ends.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use gristmill::spawn;
use gristmill::sync::{Lock, Mutex, RLock, RwLock, Shared};

use crate::suite::{closed_mill, mill, watch::watch};

/// A thread outside is in `hold` until a job has run, in a mill whose only worker is in `wait` then.
fn alone<L: Send + Sync + 'static>(lock: L, hold: fn(&L, &dyn Fn()), wait: fn(&L)) {
    let lock = Arc::new(lock);
    for mill in [mill(1), closed_mill(1)] {
        for _ in 0..50 {
            let (held, is_held) = channel();
            let (done, is_done) = channel();
            std::thread::scope(|s| {
                let outside = Arc::clone(&lock);
                s.spawn(move || {
                    hold(&outside, &|| {
                        held.send(()).unwrap();
                        is_done.recv().unwrap();
                    });
                });
                is_held.recv().unwrap();
                let lock = Arc::clone(&lock);
                mill.install(move || {
                    spawn(move || done.send(()).unwrap());
                    wait(&lock);
                });
            });
        }
    }
}

#[test]
fn in_a_lock_that_a_job_releases() {
    let _watched = watch("in_a_lock_that_a_job_releases");
    for mill in [mill(1), closed_mill(1)] {
        for _ in 0..50 {
            mill.install(|| {
                let lock = Arc::new(Lock::new());
                lock.acquire();
                let other = Arc::clone(&lock);
                spawn(move || other.release().unwrap());
                lock.acquire();
            });
        }
    }
}

#[test]
fn in_a_lock() {
    let _watched = watch("in_a_lock");
    alone(
        Lock::new(),
        |lock, held| lock.with(held),
        |lock| {
            assert!(lock.acquire_timeout(Duration::MAX));
            lock.release().unwrap();
        },
    );
}

#[test]
fn in_a_reentrant_lock() {
    let _watched = watch("in_a_reentrant_lock");
    alone(RLock::new(), |lock, held| lock.with(held), |lock| lock.with(|| ()));
}

#[test]
fn in_a_mutex() {
    let _watched = watch("in_a_mutex");
    let hold = |mutex: &Mutex<()>, held: &dyn Fn()| {
        let _guard = mutex.lock();
        held();
    };
    alone(Mutex::new(()), hold, |mutex| drop(mutex.lock()));
}

#[test]
fn in_a_mutex_in_shared_memory() {
    let _watched = watch("in_a_mutex_in_shared_memory");
    let hold = |mutex: &Mutex<(), Shared>, held: &dyn Fn()| {
        let _guard = mutex.lock().unwrap();
        held();
    };
    alone(Mutex::shared(()), hold, |mutex| drop(mutex.lock().unwrap()));
}

#[test]
fn in_a_lock_for_readers_and_writers() {
    let _watched = watch("in_a_lock_for_readers_and_writers");
    let write = |lock: &RwLock<()>, held: &dyn Fn()| {
        let _guard = lock.write();
        held();
    };
    let read = |lock: &RwLock<()>, held: &dyn Fn()| {
        let _guard = lock.read();
        held();
    };
    alone(RwLock::new(()), write, |lock| drop(lock.read()));
    alone(RwLock::new(()), write, |lock| drop(lock.write()));
    alone(RwLock::new(()), read, |lock| drop(lock.write()));
}

#[test]
fn in_a_lock_for_readers_and_writers_in_shared_memory() {
    let _watched = watch("in_a_lock_for_readers_and_writers_in_shared_memory");
    let write = |lock: &RwLock<(), Shared>, held: &dyn Fn()| {
        let _guard = lock.write().unwrap();
        held();
    };
    let read = |lock: &RwLock<(), Shared>, held: &dyn Fn()| {
        let _guard = lock.read().unwrap();
        held();
    };
    alone(RwLock::shared(()), write, |lock| drop(lock.read().unwrap()));
    alone(RwLock::shared(()), read, |lock| drop(lock.write().unwrap()));
}
