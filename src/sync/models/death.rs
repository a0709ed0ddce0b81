//! Owners that die.

use std::sync::Arc;

use loom::thread;

use super::{Count, check_deaths};
use crate::sync::identity::{Identity, Process, Thread};
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::recover::LockError;
use crate::sync::scope::Shared;
use crate::sys::life::{self, Life};

/// The calling thread is dead for others from now on, and so is its process.
pub(super) fn die() {
    for (id, mark) in [Thread::me().name(), Process::me().name()] {
        life::end(Life { id, mark });
    }
}

/// One of two waiters gets the lock from the dead; the other learns of it if the first does not repair the value, and
/// gets the lock if it does.
#[test]
fn models_one_inherits_from_the_dead() {
    for repair in [false, true] {
        check_deaths(2, move || {
            let mutex = Arc::new(Mutex::<_, Shared>::shared(Count::default()));
            let dying = {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || {
                    std::mem::forget(mutex.lock());
                    die();
                })
            };
            let waiter = move |mutex: &Mutex<Count, Shared>| match mutex.lock() {
                Ok(count) => {
                    count.add();
                    0
                }
                Err(LockError::OwnerDied(count)) => {
                    count.add();
                    if repair {
                        MutexGuard::mark_consistent(&count);
                    }
                    1
                }
                Err(LockError::NotRecoverable) => 10,
            };
            let other = {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || waiter(&mutex))
            };
            let learnt = waiter(&mutex) + other.join().unwrap();
            dying.join().unwrap();
            if repair {
                // It may be last to lock, and then nobody waits for it.
                assert!(learnt <= 1, "{learnt}");
            } else {
                assert!([0, 1, 11].contains(&learnt), "{learnt}");
            }
            match mutex.lock() {
                Ok(count) => assert!(learnt == 1 && repair && count.get() == 2),
                Err(LockError::OwnerDied(count)) => assert!(learnt == 0 && count.get() == 2),
                Err(LockError::NotRecoverable) => assert!(learnt > 0 && !repair),
            };
        });
    }
}
