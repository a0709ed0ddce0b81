use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use super::{Flag, LONGER_THAN_A_LOOK, SOON, elsewhere, in_both_scopes, past};
use crate::sync::recover::LockError;
use crate::sync::rwlock::RwLock;
use crate::sync::rwlock::guards::{RwLockReadGuard, RwLockWriteGuard};
use crate::sync::scope::{Private, Scope, Shared};
use crate::sys::child::{die_after, mapped};

in_both_scopes! {
    many_read_or_one_writes
    who_gave_up_leaves_the_lock_usable
    a_waiting_writer_keeps_readers_out_and_lets_them_in_when_it_gives_up
    a_writer_becomes_a_reader
    no_writer_comes_between
    readers_see_whole_values
    readers_do_not_starve_a_writer
    writers_do_not_starve_a_reader
    a_panic_unlocks
    it_says_how_it_is
}

/// Both scopes, where nobody dies.
trait Living: Scope {
    fn read<T: ?Sized>(lock: &RwLock<T, Self>) -> RwLockReadGuard<'_, T, Self>;
    fn write<T: ?Sized>(lock: &RwLock<T, Self>) -> RwLockWriteGuard<'_, T, Self>;
    /// By a try, by a timeout, by a deadline.
    fn try_read<T>(lock: &RwLock<T, Self>) -> [Option<RwLockReadGuard<'_, T, Self>>; 3];
    fn try_write<T>(lock: &RwLock<T, Self>) -> [Option<RwLockWriteGuard<'_, T, Self>>; 3];
    fn write_timeout<T>(lock: &RwLock<T, Self>, timeout: Duration) -> Option<RwLockWriteGuard<'_, T, Self>>;
    fn read_timeout<T>(lock: &RwLock<T, Self>, timeout: Duration) -> Option<RwLockReadGuard<'_, T, Self>>;
}

impl Living for Private {
    fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
        lock.read()
    }
    fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
        lock.write()
    }
    fn try_read<T>(lock: &RwLock<T>) -> [Option<RwLockReadGuard<'_, T>>; 3] {
        [lock.try_read(), lock.read_timeout(SOON), lock.read_deadline(past())]
    }
    fn try_write<T>(lock: &RwLock<T>) -> [Option<RwLockWriteGuard<'_, T>>; 3] {
        [lock.try_write(), lock.write_timeout(SOON), lock.write_deadline(past())]
    }
    fn write_timeout<T>(lock: &RwLock<T>, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        lock.write_timeout(timeout)
    }
    fn read_timeout<T>(lock: &RwLock<T>, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        lock.read_timeout(timeout)
    }
}

impl Living for Shared {
    fn read<T: ?Sized>(lock: &RwLock<T, Shared>) -> RwLockReadGuard<'_, T, Shared> {
        lock.read().unwrap()
    }
    fn write<T: ?Sized>(lock: &RwLock<T, Shared>) -> RwLockWriteGuard<'_, T, Shared> {
        lock.write().unwrap()
    }
    fn try_read<T>(lock: &RwLock<T, Shared>) -> [Option<RwLockReadGuard<'_, T, Shared>>; 3] {
        [lock.try_read(), lock.read_timeout(SOON), lock.read_deadline(past())].map(Result::unwrap)
    }
    fn try_write<T>(lock: &RwLock<T, Shared>) -> [Option<RwLockWriteGuard<'_, T, Shared>>; 3] {
        [lock.try_write(), lock.write_timeout(SOON), lock.write_deadline(past())].map(Result::unwrap)
    }
    fn write_timeout<T>(
        lock: &RwLock<T, Shared>,
        timeout: Duration,
    ) -> Option<RwLockWriteGuard<'_, T, Shared>> {
        lock.write_timeout(timeout).unwrap()
    }
    fn read_timeout<T>(
        lock: &RwLock<T, Shared>,
        timeout: Duration,
    ) -> Option<RwLockReadGuard<'_, T, Shared>> {
        lock.read_timeout(timeout).unwrap()
    }
}

/// Can others read, and write? By all ways the same.
fn open<S: Living>(lock: &RwLock<u32, S>) -> (bool, bool) {
    let reads = elsewhere(|| S::try_read(lock).map(|guard| guard.is_some()));
    assert!(reads.iter().all(|&read| read == reads[0]), "{reads:?}");
    // One at a time.
    let writes = elsewhere(|| {
        let [first, others @ ..] = S::try_write(lock);
        (first.is_some(), others.iter().any(Option::is_some))
    });
    assert!(!writes.1);
    (reads[0], writes.0)
}

fn many_read_or_one_writes<S: Living>() {
    let mut lock = RwLock::<_, S>::in_scope(1);
    assert_eq!(open(&lock), (true, true));
    let readers = [S::read(&lock), S::read(&lock)];
    assert_eq!(open(&lock), (true, false));
    assert!(lock.is_locked() && !lock.is_written());
    assert_eq!(readers.iter().map(|guard| **guard).sum::<u32>(), 2);
    drop(readers);
    let mut writer = S::write(&lock);
    *writer += 1;
    assert_eq!(open(&lock), (false, false));
    assert!(lock.is_locked() && lock.is_written());
    drop(writer);
    assert_eq!(open(&lock), (true, true));
    assert!(!lock.is_locked() && !lock.is_written());
    assert_eq!(S::try_write(&lock).iter().flatten().count(), 1);
    *lock.get_mut() += 1;
    let whole: &RwLock<[u32], S> = &RwLock::in_scope([1, 2]);
    S::write(whole)[0] = S::read(&lock).pow(2);
    assert_eq!(*S::read(whole), [9, 2]);
    assert_eq!(lock.into_inner() + RwLock::<u32, S>::default().into_inner(), 3);
}

fn who_gave_up_leaves_the_lock_usable<S: Living>() {
    let lock = RwLock::<_, S>::in_scope(1);
    let reader = S::read(&lock);
    assert!(elsewhere(|| S::write_timeout(&lock, SOON).is_none()));
    assert_eq!(open(&lock), (true, false));
    std::thread::scope(|s| {
        s.spawn(|| *S::write_timeout(&lock, Duration::MAX).unwrap() += 1);
        drop(reader);
    });
    let writer = S::write(&lock);
    assert_eq!(*writer, 2);
    assert!(elsewhere(|| S::read_timeout(&lock, SOON).is_none() && S::write_timeout(&lock, SOON).is_none()));
    std::thread::scope(|s| {
        s.spawn(|| assert_eq!(*S::read_timeout(&lock, Duration::MAX).unwrap(), 2));
        drop(writer);
    });
    assert_eq!(open(&lock), (true, true));
}

fn a_waiting_writer_keeps_readers_out_and_lets_them_in_when_it_gives_up<S: Living>() {
    let lock = RwLock::<_, S>::in_scope(1);
    let reader = S::read(&lock);
    let kept_out = Flag::default();
    std::thread::scope(|s| {
        let writer = s.spawn(|| {
            while !kept_out.is_set() {
                assert!(S::write_timeout(&lock, SOON).is_none());
            }
        });
        while !kept_out.is_set() {
            if S::try_read(&lock).iter().any(Option::is_none) {
                kept_out.set();
            }
            assert!(S::read_timeout(&lock, Duration::MAX).is_some(), "in the end");
        }
        writer.join().unwrap();
    });
    drop(reader);
    assert_eq!(open(&lock), (true, true));
}

fn a_writer_becomes_a_reader<S: Living>() {
    let lock = RwLock::<_, S>::in_scope(1);
    let mut writer = S::write(&lock);
    *writer = 7;
    std::thread::scope(|s| {
        let waiters = [(); 2].map(|()| s.spawn(|| *S::read(&lock)));
        std::thread::sleep(SOON);
        let reader = RwLockWriteGuard::downgrade(writer);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 7);
        }
        assert_eq!((*reader, open(&lock)), (7, (true, false)));
    });
    assert_eq!(open(&lock), (true, true));
}

fn no_writer_comes_between<S: Living>() {
    let lock = RwLock::<_, S>::in_scope(0_u32);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                for _ in 0..500 {
                    let mut writer = S::write(&lock);
                    *writer += 1;
                    let mine = *writer;
                    assert_eq!(*RwLockWriteGuard::downgrade(writer), mine);
                }
            });
        }
    });
    assert_eq!(lock.into_inner(), 1_500);
}

fn readers_see_whole_values<S: Living>() {
    let lock = RwLock::<_, S>::in_scope([0_u32; 2]);
    std::thread::scope(|s| {
        for thread in 0..4 {
            let lock = &lock;
            s.spawn(move || {
                for round in 0..1_000 {
                    if (round + thread) % 4 == 0 {
                        let mut pair = S::write(lock);
                        pair[0] += 1;
                        std::hint::spin_loop();
                        pair[1] += 1;
                    } else {
                        let pair = S::read(lock);
                        assert_eq!(pair[0], pair[1]);
                    }
                }
            });
        }
    });
    assert_eq!(lock.into_inner(), [1_000; 2]);
}

/// At any moment one of two reads.
fn readers_do_not_starve_a_writer<S: Living>() {
    let (lock, written) = (RwLock::<_, S>::in_scope(0), Flag::default());
    let turn = AtomicU32::new(0);
    std::thread::scope(|s| {
        for reader in 0..2 {
            let (lock, written, turn) = (&lock, &written, &turn);
            s.spawn(move || {
                while !written.is_set() {
                    let _guard = S::read(lock);
                    // Until the other reads, or cannot.
                    turn.store(reader, Ordering::SeqCst);
                    for _ in 0..1_000 {
                        if turn.load(Ordering::SeqCst) != reader || written.is_set() {
                            break;
                        }
                        std::thread::yield_now();
                    }
                }
            });
        }
        *S::write(&lock) += 1;
        written.set();
    });
    assert_eq!(lock.into_inner(), 1);
}

fn writers_do_not_starve_a_reader<S: Living>() {
    let (lock, read) = (RwLock::<_, S>::in_scope(0_u64), Flag::default());
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while !read.is_set() {
                    *S::write(&lock) += 1;
                }
            });
        }
        for _ in 0..10 {
            drop(S::read(&lock));
        }
        read.set();
    });
}

fn a_panic_unlocks<S: Living>() {
    let lock = RwLock::<_, S>::in_scope(1);
    for write in [false, true] {
        let panicked = crate::unwind::halt(|| -> () {
            let _guards = if write { (None, Some(S::write(&lock))) } else { (Some(S::read(&lock)), None) };
            crate::unwind::resume(Box::new(7))
        });
        assert!(panicked.is_err());
        assert_eq!(open(&lock), (true, true));
    }
}

fn it_says_how_it_is<S: Living>() {
    let lock = RwLock::<_, S>::in_scope("grist");
    assert_eq!(format!("{lock:?}"), "RwLock { data: \"grist\" }");
    let guard = S::read(&lock);
    assert_eq!(format!("{lock:?} {guard} {guard:?}"), "RwLock { data: \"grist\" } grist \"grist\"");
    drop(guard);
    let guard = S::write(&lock);
    assert_eq!(format!("{lock:?} {guard} {guard:?}"), "RwLock { data: <locked> } grist \"grist\"");
    drop(guard);
    assert!(!lock.is_locked());
}

#[test]
fn the_state_takes_little() {
    assert_eq!(size_of::<RwLock<()>>(), 8);
    assert_eq!(size_of::<RwLock<(), Shared>>(), 256);
}

#[test]
fn it_can_be_a_static_and_made_from_a_value() {
    static LOCK: RwLock<u32> = RwLock::new(1);
    static SHARED: RwLock<u32, Shared> = RwLock::shared(1);
    assert_eq!(*LOCK.read() + *SHARED.read().unwrap() + RwLock::from(1).into_inner(), 3);
}

#[test]
fn whoever_locks_next_learns_of_a_writers_death_and_repairs() {
    let lock = mapped(RwLock::shared(0));
    for round in 0..4 {
        die_after(|| {
            let mut guard = lock.write().unwrap();
            *guard += 1;
            std::mem::forget(guard);
        });
        let error = match round {
            0 => lock.read().err(),
            1 => lock.write().err(),
            // It takes a moment until the kernel knows.
            2 => std::iter::repeat_with(|| lock.try_read().err()).find_map(|error| error),
            _ => std::iter::repeat_with(|| lock.try_write().err()).find_map(|error| error),
        };
        let mut guard = error.unwrap().into_guard().unwrap();
        *guard += 10;
        assert!(elsewhere(|| lock.try_read().unwrap().is_none()));
        RwLockWriteGuard::mark_consistent(&guard);
        drop(guard);
        assert_eq!(*lock.read().unwrap(), 11 * (round + 1));
    }
}

#[test]
fn a_value_that_nobody_repaired_is_given_up() {
    let lock = mapped(RwLock::shared(0));
    die_after(|| std::mem::forget(lock.write()));
    assert!(matches!(lock.read(), Err(LockError::OwnerDied(_))));
    assert!(matches!(lock.read(), Err(LockError::NotRecoverable)));
    assert!(matches!(lock.write(), Err(LockError::NotRecoverable)));
    assert!(matches!(lock.try_read(), Err(LockError::NotRecoverable)));
    assert!(matches!(lock.try_write(), Err(LockError::NotRecoverable)));
    assert!(matches!(lock.read_deadline(past()), Err(LockError::NotRecoverable)));
}

#[test]
fn a_reader_that_died_is_in_nobodys_way() {
    let lock = mapped(RwLock::shared(1));
    die_after(|| std::mem::forget(lock.read()));
    *lock.write().unwrap() += 1;
    die_after(|| std::mem::forget([lock.read(), lock.read()]));
    while lock.try_write().unwrap().is_none() {
        // It takes a moment until the kernel knows.
        std::thread::yield_now();
    }
    assert!(!lock.is_locked());
}

#[test]
fn who_repaired_the_value_may_go_on_as_a_reader() {
    let lock = mapped(RwLock::shared(1));
    die_after(|| std::mem::forget(lock.write()));
    let seated = loop {
        // It takes a moment until the kernel knows.
        match lock.try_read() {
            Ok(None) => std::thread::yield_now(),
            Err(LockError::OwnerDied(guard)) => {
                RwLockWriteGuard::mark_consistent(&guard);
                break RwLockWriteGuard::downgrade(guard);
            }
            other => panic!("{other:?}"),
        }
    };
    elsewhere(|| {
        assert!(lock.try_write().unwrap().is_none() && lock.write_timeout(SOON).unwrap().is_none());
    });
    drop(seated);
    assert!(lock.write().is_ok());
}

/// Their threads have ended, and what they lent has not.
#[test]
fn guards_that_leaked_keep_the_lock() {
    static READ: RwLock<u32, Shared> = RwLock::shared(0);
    static READER: AtomicPtr<RwLockReadGuard<'_, u32, Shared>> = AtomicPtr::new(std::ptr::null_mut());
    let lent: &u32 = elsewhere(|| {
        let guard = Box::leak(Box::new(READ.read().unwrap()));
        READER.store(guard, Ordering::Relaxed);
        &**guard
    });
    assert!(READ.write_timeout(LONGER_THAN_A_LOOK).unwrap().is_none());
    assert!(READ.try_write().unwrap().is_none());
    assert_eq!(*lent, 0);
    static WRITTEN: RwLock<u32, Shared> = RwLock::shared(0);
    static WRITER: AtomicPtr<RwLockWriteGuard<'_, u32, Shared>> = AtomicPtr::new(std::ptr::null_mut());
    let lent: &mut u32 = elsewhere(|| {
        let guard = Box::leak(Box::new(WRITTEN.write().unwrap()));
        WRITER.store(guard, Ordering::Relaxed);
        &mut **guard
    });
    assert!(WRITTEN.read_timeout(LONGER_THAN_A_LOOK).unwrap().is_none());
    assert!(WRITTEN.try_read().unwrap().is_none());
    *lent += 1;
}

#[test]
fn readers_beyond_the_seats_wait_for_one() {
    let lock = RwLock::shared(1);
    let mut readers: Vec<_> = (0..30).map(|_| lock.read().unwrap()).collect();
    assert!(lock.try_read().unwrap().is_none() && lock.read_timeout(SOON).unwrap().is_none());
    std::thread::scope(|s| {
        let more = s.spawn(|| *lock.read().unwrap());
        std::thread::sleep(SOON);
        readers.pop();
        assert_eq!(more.join().unwrap(), 1);
    });
    drop(readers);
    assert!(lock.try_write().unwrap().is_some());
}

#[test]
fn all_zero_memory_is_unlocked() {
    let zero = MaybeUninit::<RwLock<u32, Shared>>::zeroed();
    // SAFETY: as promised, for a `u32`, of which all-zero bytes are a value.
    let lock = unsafe { zero.assume_init() };
    assert_eq!(*lock.read().unwrap(), 0);
    *lock.write().unwrap() += 1;
    assert_eq!(lock.into_inner(), 1);
}
