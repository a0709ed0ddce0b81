use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use super::{Flag, LONGER_THAN_A_LOOK, SOON, elsewhere, in_both_scopes, past};
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::recover::LockError;
use crate::sync::reentrant::{ReentrantMutex, ReentrantMutexGuard};
use crate::sync::scope::{Private, Scope, Shared};
use crate::sys::child::{die_after, mapped};

in_both_scopes! {
    it_guards_a_value
    it_is_locked_once
    who_gave_up_leaves_the_lock_usable
    a_panic_unlocks_and_poisons_nothing
    one_at_a_time
    it_says_how_it_is
    a_reentrant_one_is_locked_again_by_its_owner
}

/// Both scopes, where nobody dies.
trait Living: Scope {
    fn lock<T: ?Sized>(mutex: &Mutex<T, Self>) -> MutexGuard<'_, T, Self>;
    fn try_lock<T>(mutex: &Mutex<T, Self>) -> Option<MutexGuard<'_, T, Self>>;
    fn timeout<T>(mutex: &Mutex<T, Self>, timeout: Duration) -> Option<MutexGuard<'_, T, Self>>;
    fn deadline<T>(mutex: &Mutex<T, Self>, deadline: Instant) -> Option<MutexGuard<'_, T, Self>>;
    fn again<T>(mutex: &ReentrantMutex<T, Self>) -> ReentrantMutexGuard<'_, T, Self>;
    fn try_again<T>(mutex: &ReentrantMutex<T, Self>) -> [Option<ReentrantMutexGuard<'_, T, Self>>; 3];
}

impl Living for Private {
    fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }
    fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock()
    }
    fn timeout<T>(mutex: &Mutex<T>, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        mutex.lock_timeout(timeout)
    }
    fn deadline<T>(mutex: &Mutex<T>, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        mutex.lock_deadline(deadline)
    }
    fn again<T>(mutex: &ReentrantMutex<T>) -> ReentrantMutexGuard<'_, T> {
        mutex.lock()
    }
    fn try_again<T>(mutex: &ReentrantMutex<T>) -> [Option<ReentrantMutexGuard<'_, T>>; 3] {
        [mutex.try_lock(), mutex.lock_timeout(SOON), mutex.lock_deadline(past())]
    }
}

impl Living for Shared {
    fn lock<T: ?Sized>(mutex: &Mutex<T, Shared>) -> MutexGuard<'_, T, Shared> {
        mutex.lock().unwrap()
    }
    fn try_lock<T>(mutex: &Mutex<T, Shared>) -> Option<MutexGuard<'_, T, Shared>> {
        mutex.try_lock().unwrap()
    }
    fn timeout<T>(mutex: &Mutex<T, Shared>, timeout: Duration) -> Option<MutexGuard<'_, T, Shared>> {
        mutex.lock_timeout(timeout).unwrap()
    }
    fn deadline<T>(mutex: &Mutex<T, Shared>, deadline: Instant) -> Option<MutexGuard<'_, T, Shared>> {
        mutex.lock_deadline(deadline).unwrap()
    }
    fn again<T>(mutex: &ReentrantMutex<T, Shared>) -> ReentrantMutexGuard<'_, T, Shared> {
        mutex.lock().unwrap()
    }
    fn try_again<T>(mutex: &ReentrantMutex<T, Shared>) -> [Option<ReentrantMutexGuard<'_, T, Shared>>; 3] {
        [mutex.try_lock().unwrap(), mutex.lock_timeout(SOON).unwrap(), mutex.lock_deadline(past()).unwrap()]
    }
}

fn it_guards_a_value<S: Living>() {
    let mut mutex = Mutex::<_, S>::in_scope(vec![1]);
    S::lock(&mutex).push(2);
    mutex.get_mut().push(3);
    assert!(std::ptr::eq(MutexGuard::mutex(&S::lock(&mutex)), &mutex));
    assert_eq!(mutex.into_inner(), [1, 2, 3]);
    let whole: &Mutex<[i32], S> = &Mutex::in_scope([1, 2]);
    S::lock(whole)[0] = 7;
    assert_eq!(*S::lock(whole), [7, 2]);
    assert_eq!(*S::lock(&Mutex::<i32, S>::default()), 0);
}

fn it_is_locked_once<S: Living>() {
    let mutex = Mutex::<_, S>::in_scope(1);
    let guard = S::lock(&mutex);
    assert!(mutex.is_locked());
    assert!(S::try_lock(&mutex).is_none());
    assert!(elsewhere(|| S::try_lock(&mutex).is_none()));
    assert!(S::timeout(&mutex, Duration::ZERO).is_none() && S::deadline(&mutex, past()).is_none());
    drop(guard);
    assert!(!mutex.is_locked());
    assert!(S::try_lock(&mutex).is_some() && S::timeout(&mutex, Duration::ZERO).is_some());
    assert!(S::deadline(&mutex, past()).is_some(), "nobody is in the way");
}

fn who_gave_up_leaves_the_lock_usable<S: Living>() {
    let mutex = Mutex::<_, S>::in_scope(1);
    let guard = S::lock(&mutex);
    assert!(elsewhere(|| S::timeout(&mutex, SOON).is_none()));
    assert!(S::timeout(&mutex, SOON).is_none());
    std::thread::scope(|s| {
        s.spawn(|| *S::timeout(&mutex, Duration::MAX).unwrap() += 1);
        drop(guard);
    });
    assert_eq!(*S::lock(&mutex), 2);
}

fn a_panic_unlocks_and_poisons_nothing<S: Living>() {
    let mutex = Mutex::<_, S>::in_scope(1);
    let payload = crate::unwind::halt(|| -> () {
        *S::lock(&mutex) = 2;
        let _guard = S::lock(&mutex);
        crate::unwind::resume(Box::new(7))
    })
    .unwrap_err();
    assert!(payload.is::<i32>());
    assert_eq!(*S::lock(&mutex), 2);
}

fn one_at_a_time<S: Living>() {
    let mutex = Mutex::<_, S>::in_scope(0_u64);
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| (0..2_000).for_each(|_| *S::lock(&mutex) += 1));
        }
    });
    assert_eq!(*S::lock(&mutex), 12_000);
    assert!(!mutex.is_locked());
}

fn it_says_how_it_is<S: Living>() {
    let mutex = Mutex::<_, S>::in_scope("grist");
    assert_eq!(format!("{mutex:?}"), "Mutex { data: \"grist\" }");
    let guard = S::lock(&mutex);
    assert_eq!(format!("{mutex:?} {guard} {guard:?}"), "Mutex { data: <locked> } grist \"grist\"");
    let mutex = ReentrantMutex::<_, S>::in_scope("grist");
    let guard = S::again(&mutex);
    assert_eq!(format!("{mutex:?} {guard} {guard:?}"), "ReentrantMutex { data: \"grist\" } grist \"grist\"");
    assert_eq!(elsewhere(|| format!("{mutex:?}")), "ReentrantMutex { data: <locked> }");
}

fn a_reentrant_one_is_locked_again_by_its_owner<S: Living>() {
    let mut mutex = ReentrantMutex::<_, S>::in_scope(Cell::new(0));
    assert!(!mutex.is_locked() && !mutex.is_owned_by_current());
    let add = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..500 {
                    let outer = S::again(&mutex);
                    add(&outer);
                    S::try_again(&mutex).iter().flatten().for_each(|guard| add(guard));
                    drop(outer);
                }
            });
        }
    });
    let outer = S::again(&mutex);
    assert!(mutex.is_locked() && mutex.is_owned_by_current());
    assert!(elsewhere(|| S::try_again(&mutex).iter().all(Option::is_none) && !mutex.is_owned_by_current()));
    drop(outer);
    assert!(!mutex.is_locked());
    add(mutex.get_mut());
    assert_eq!(mutex.into_inner().get(), 8_001);
    assert_eq!(ReentrantMutex::<u32, S>::default().into_inner(), 0);
}

#[test]
fn the_state_takes_little() {
    assert_eq!(size_of::<Mutex<()>>(), 4);
    assert_eq!(size_of::<Mutex<u32>>(), 8);
    assert_eq!(size_of::<Mutex<(), Shared>>(), 8);
    assert_eq!(size_of::<ReentrantMutex<()>>(), 16);
}

#[test]
fn it_can_be_a_static_and_made_from_a_value() {
    static MUTEX: Mutex<u32> = Mutex::new(1);
    static SHARED: Mutex<u32, Shared> = Mutex::shared(1);
    static REENTRANT: ReentrantMutex<u32> = ReentrantMutex::new(1);
    assert_eq!(*MUTEX.lock() + *SHARED.lock().unwrap() + *REENTRANT.lock(), 3);
    assert_eq!(Mutex::from(1).into_inner() + ReentrantMutex::from(1).into_inner(), 2);
}

/// Locks, and ends with the lock.
fn die_with(mutex: &Mutex<u32, Shared>) {
    die_after(|| {
        let mut guard = mutex.lock().unwrap();
        *guard += 1;
        std::mem::forget(guard);
    });
}

#[test]
fn the_next_owner_learns_of_a_death_and_repairs() {
    let mutex = mapped(Mutex::shared(0));
    for round in 0..3 {
        die_with(mutex);
        let died = match round {
            0 => mutex.lock().map(Some),
            1 => mutex.lock_timeout(Duration::MAX),
            // It takes a moment until the kernel knows.
            _ => loop {
                match mutex.try_lock() {
                    Ok(None) => std::thread::yield_now(),
                    other => break other,
                }
            },
        };
        let Err(LockError::OwnerDied(mut guard)) = died else { panic!("{died:?}") };
        *guard += 10;
        assert!(elsewhere(|| mutex.try_lock().unwrap().is_none()), "the next owner lives");
        MutexGuard::mark_consistent(&guard);
        drop(guard);
        assert_eq!(*mutex.lock().unwrap(), 11 * (round + 1));
    }
}

#[test]
fn a_value_that_nobody_repaired_is_given_up() {
    let mutex = mapped(Mutex::shared(0));
    die_with(mutex);
    let died = mutex.lock();
    std::thread::scope(|s| {
        let lost = |lock: fn(&Mutex<_, _>) -> bool| lock(mutex);
        let waiters = [
            s.spawn(move || lost(|mutex| matches!(mutex.lock(), Err(LockError::NotRecoverable)))),
            s.spawn(move || {
                lost(|mutex| matches!(mutex.lock_timeout(Duration::MAX), Err(LockError::NotRecoverable)))
            }),
        ];
        assert!(matches!(died, Err(LockError::OwnerDied(_))));
        drop(died);
        for waiter in waiters {
            assert!(waiter.join().unwrap());
        }
    });
    assert!(matches!(mutex.lock(), Err(LockError::NotRecoverable)));
    assert!(matches!(mutex.try_lock(), Err(LockError::NotRecoverable)));
    assert!(matches!(mutex.lock_deadline(past()), Err(LockError::NotRecoverable)));
}

/// Of several that sleep one gets the lock from the dead, the others from that one.
#[test]
fn one_of_the_waiters_inherits() {
    let (mutex, locked) = mapped((Mutex::shared(0), Flag::default()));
    std::thread::scope(|s| {
        s.spawn(|| {
            die_after(|| {
                std::mem::forget(mutex.lock());
                locked.set();
                std::thread::sleep(SOON);
            });
        });
        locked.wait();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                s.spawn(|| match mutex.lock() {
                    Ok(mut guard) => {
                        *guard += 1;
                        0
                    }
                    Err(error) => {
                        let guard = error.into_guard().unwrap();
                        MutexGuard::mark_consistent(&guard);
                        1
                    }
                })
            })
            .collect();
        let died: i32 = waiters.into_iter().map(|waiter| waiter.join().unwrap()).sum();
        assert_eq!(died, 1);
    });
    assert_eq!(*mutex.lock().unwrap(), 2);
}

/// Its thread has ended, and what it lent has not.
#[test]
fn a_guard_that_leaked_keeps_the_lock() {
    static MUTEX: Mutex<u32, Shared> = Mutex::shared(0);
    static LEAKED: AtomicPtr<MutexGuard<'_, u32, Shared>> = AtomicPtr::new(std::ptr::null_mut());
    let lent: &mut u32 = elsewhere(|| {
        let guard = Box::leak(Box::new(MUTEX.lock().unwrap()));
        LEAKED.store(guard, Ordering::Relaxed);
        &mut **guard
    });
    assert!(MUTEX.lock_timeout(LONGER_THAN_A_LOOK).unwrap().is_none());
    assert!(MUTEX.try_lock().unwrap().is_none());
    *lent += 1;
}

#[test]
fn a_reentrant_one_learns_of_a_death_too() {
    let mutex = ReentrantMutex::shared(0);
    let die = || elsewhere(|| std::mem::forget([mutex.lock(), mutex.lock()]));
    die();
    let Err(LockError::OwnerDied(guard)) = mutex.lock() else { panic!("its owner died") };
    let inner = mutex.lock().unwrap();
    ReentrantMutexGuard::mark_consistent(&inner);
    drop((guard, inner));
    assert!(!mutex.is_locked());
    die();
    let Err(LockError::OwnerDied(guard)) = mutex.lock() else { panic!("its owner died") };
    drop(mutex.lock());
    assert!(mutex.lock().is_ok(), "as long as it is held");
    drop(guard);
    assert!(matches!(mutex.lock(), Err(LockError::NotRecoverable)));
}

#[test]
fn all_zero_memory_is_unlocked() {
    let zero = MaybeUninit::<(Mutex<u32, Shared>, ReentrantMutex<u32, Shared>)>::zeroed();
    // SAFETY: as promised, for a `u32`, of which all-zero bytes are a value.
    let (mutex, reentrant) = unsafe { zero.assume_init() };
    assert_eq!(*mutex.lock().unwrap() + *reentrant.lock().unwrap(), 0);
}
