//! Guards that a forked child has copies of: they stand for nothing there.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sync::raw::{Died, Limit, Outcome, RawLock};
use crate::sync::rwlock::seated::SEATS;
use crate::sync::state::State;
use crate::sync::word::Plain;
use crate::sync::{
    BoundedSemaphore, Lock, LockError, Mutex, MutexGuard, RLock, ReentrantMutex, ReentrantMutexGuard, RwLock,
    RwLockWriteGuard, Semaphore,
};
use crate::sys::child::{die_after, mapped};

/// A guard, and what a child that is forked while there is one has of it.
struct Copied<G>(ManuallyDrop<G>);

impl<G> Copied<G> {
    /// Of a guard that is gone by the time of the fork: the child may get the lock itself.
    fn of(guard: G) -> Copied<G> {
        let guard = ManuallyDrop::new(guard);
        // SAFETY: only one of the two is dropped here. The other is dropped in the child, as its copy.
        drop(unsafe { std::ptr::read(guard.deref()) });
        Copied(guard)
    }

    /// Of a guard that is there as long as the child runs, and is dropped then.
    fn show(guard: G, in_child: impl FnOnce(G)) {
        let guard = ManuallyDrop::new(guard);
        // SAFETY: as in `of`: this process drops only the guard below.
        let copy = ManuallyDrop::new(unsafe { std::ptr::read(guard.deref()) });
        die_after(|| in_child(ManuallyDrop::into_inner(copy)));
        drop(ManuallyDrop::into_inner(guard));
    }

    fn take(self) -> G {
        ManuallyDrop::into_inner(self.0)
    }
}

#[test]
fn of_a_mutex() {
    let mutex = mapped(Mutex::shared(0));
    let copy = Copied::of(mutex.lock().unwrap());
    die_after(|| {
        let own = mutex.lock().unwrap();
        drop(copy.take());
        assert!(mutex.try_lock().unwrap().is_none(), "it has it still");
        drop(own);
        assert!(mutex.try_lock().unwrap().is_some());
    });
    Copied::show(mutex.lock().unwrap(), drop);
    drop(mutex.lock().unwrap());
}

#[test]
fn of_a_reentrant_mutex() {
    let mutex = mapped(ReentrantMutex::shared(0));
    let copy = Copied::of(mutex.lock().unwrap());
    die_after(|| {
        let own = mutex.lock().unwrap();
        drop(copy.take());
        assert!(mutex.is_owned_by_current(), "it has it still");
        drop(own);
        assert!(!mutex.is_locked());
    });
}

#[test]
fn of_a_lock() {
    let lock = mapped(Lock::shared());
    Copied::show(lock.guard(), |copy| {
        drop(copy);
        assert!(lock.locked(), "its parent has it still");
    });
    assert!(lock.try_acquire());
}

#[test]
fn of_an_rlock() {
    let lock = mapped(RLock::shared());
    let copy = Copied::of(lock.guard());
    die_after(|| {
        lock.acquire();
        drop(copy.take());
        assert_eq!(lock.recursion_count(), 1, "it has it still");
        lock.release().unwrap();
    });
}

#[test]
fn of_a_reader() {
    let lock = mapped(RwLock::shared(0));
    let copy = Copied::of(lock.read().unwrap());
    die_after(|| {
        // Of all seats one has the number that is in the copy.
        let own: Vec<_> = (0..SEATS).map(|_| lock.read().unwrap()).collect();
        drop(copy.take());
        assert!(lock.try_read().unwrap().is_none(), "it has all seats still");
        drop(own);
    });
    assert!(!lock.is_locked());
}

#[test]
fn of_a_writer() {
    let lock = mapped(RwLock::shared(0));
    let copies = [(); 2].map(|()| Copied::of(lock.write().unwrap()));
    die_after(|| {
        let [dropped, downgraded] = copies;
        let own = lock.write().unwrap();
        drop(dropped.take());
        let reader = RwLockWriteGuard::downgrade(downgraded.take());
        assert!(lock.is_written() && lock.try_read().unwrap().is_none(), "it has it still");
        drop((own, reader));
        assert!(!lock.is_locked());
    });
}

/// What the owner that has it from one that died did not repair, a copy does not say is in order.
#[test]
fn of_one_that_is_to_repair() {
    let (mutex, lock) = mapped((Mutex::shared(0), RwLock::shared(0)));
    let reentrant = mapped(ReentrantMutex::shared(0));
    die_after(|| std::mem::forget((mutex.lock(), lock.write(), reentrant.lock())));
    let Err(LockError::OwnerDied(guard)) = mutex.lock() else { panic!("its owner died") };
    Copied::show(guard, |copy| MutexGuard::mark_consistent(&copy));
    assert!(matches!(mutex.lock(), Err(LockError::NotRecoverable)));
    let Err(LockError::OwnerDied(guard)) = lock.write() else { panic!("its owner died") };
    Copied::show(guard, |copy| RwLockWriteGuard::mark_consistent(&copy));
    assert!(matches!(lock.write(), Err(LockError::NotRecoverable)));
    let Err(LockError::OwnerDied(guard)) = reentrant.lock() else { panic!("its owner died") };
    Copied::show(guard, |copy| ReentrantMutexGuard::mark_consistent(&copy));
    assert!(matches!(reentrant.lock(), Err(LockError::NotRecoverable)));
}

#[test]
fn of_a_permit() {
    let (one, bounded) = mapped((Semaphore::shared(1), BoundedSemaphore::shared(1)));
    Copied::show((one.permit(), bounded.permit()), |copies| {
        drop(copies);
        assert_eq!((one.available(), bounded.available()), (0, 0), "its parent has them still");
    });
    assert_eq!((one.available(), bounded.available()), (1, 1));
}

/// What only its own process sees was copied with the guard.
#[test]
fn of_a_private_lock_they_are_good() {
    let (mutex, one) = (Mutex::new(0), Semaphore::new(1));
    let (lock, reentrant, rlock) = (Lock::new(), ReentrantMutex::new(0), RLock::new());
    let guards = (mutex.lock(), one.permit(), lock.guard(), reentrant.lock(), rlock.guard());
    Copied::show(guards, |copies| {
        drop(copies);
        assert!(mutex.try_lock().is_some() && one.available() == 1 && !lock.locked());
        assert!(!reentrant.is_locked() && !rlock.locked());
    });
}

/// The heir to whom a lock is promised is a thread of the parent.
#[test]
fn a_childs_lock_is_not_kept_for_a_thread_that_it_has_not() {
    let (lock, over) = (RawLock::<Plain<false>>::new(), AtomicBool::new(false));
    let take = || assert_eq!(lock.lock(Limit::Never), Outcome::Taken);
    take();
    std::thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                take();
                lock.unlock(Died::Forget);
            }
        });
        while !lock.state().has_heir() {
            // It becomes the heir when it has waited for long, wakes, and finds that another has been faster.
            lock.unlock(Died::Forget);
            take();
        }
        die_after(|| {
            lock.unlock(Died::Forget);
            assert_eq!(lock.try_lock(), Outcome::Taken);
            lock.unlock(Died::Forget);
            take();
            lock.unlock(Died::Forget);
            assert_eq!(lock.state(), State::FREE);
        });
        over.store(true, Ordering::Relaxed);
        lock.unlock(Died::Forget);
    });
    assert_eq!(lock.state(), State::FREE);
}
