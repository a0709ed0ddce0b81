use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use crate::sync::{Condition, ConditionLock, Lock, NotHeld, Private, RLock, Scope, Shared};
use crate::sys::child::die_after;
use crate::unwind::halt;

const SOON: Duration = Duration::from_millis(2);

/// What the tests use of a lock.
trait Held: ConditionLock + Send + Sync + 'static {
    fn fresh() -> Self;
    fn take(&self);
    fn give(&self);
    fn held(&self) -> bool;
}

impl<S: Scope> Held for Lock<S> {
    fn fresh() -> Self {
        Lock::in_scope()
    }
    fn take(&self) {
        self.acquire();
    }
    fn give(&self) {
        self.release().unwrap();
    }
    fn held(&self) -> bool {
        self.locked()
    }
}

impl<S: Scope> Held for RLock<S> {
    fn fresh() -> Self {
        RLock::in_scope()
    }
    fn take(&self) {
        self.acquire();
    }
    fn give(&self) {
        self.release().unwrap();
    }
    fn held(&self) -> bool {
        self.locked()
    }
}

/// Makes a test of a function for each kind of lock.
macro_rules! with_each_lock {
    ($($name:ident)*) => {
        mod lock { $(#[test] fn $name() { super::$name::<super::Lock<super::Private>>(); })* }
        mod rlock { $(#[test] fn $name() { super::$name::<super::RLock<super::Private>>(); })* }
        mod shared_lock { $(#[test] fn $name() { super::$name::<super::Lock<super::Shared>>(); })* }
        mod shared_rlock { $(#[test] fn $name() { super::$name::<super::RLock<super::Shared>>(); })* }
    };
}

with_each_lock! {
    without_the_lock_nothing_happens
    a_timeout_ends_a_wait_with_the_lock_held
    the_oldest_goes_first
    as_many_go_as_are_told
    who_gave_up_is_out_of_the_queue
    a_predicate_is_looked_at_first_after_calls_and_last
    two_conditions_share_a_lock
    many_to_and_fro
}

fn condition<L: Held>() -> Condition<L> {
    Condition::with_lock(Arc::new(L::fresh()))
}

/// Waits until so many wait; the lock is held then.
fn await_waiters<L: Held>(condition: &Condition<L>, n: usize) {
    loop {
        condition.take();
        if condition.queues.lock().waiting.len() == n {
            return;
        }
        condition.give();
        std::thread::yield_now();
    }
}

fn without_the_lock_nothing_happens<L: Held>() {
    let condition = condition::<L>();
    assert_eq!(condition.wait(), Err(NotHeld));
    assert_eq!(condition.wait_timeout(Duration::ZERO), Err(NotHeld));
    assert_eq!(condition.wait_deadline(Instant::now()), Err(NotHeld));
    assert_eq!(condition.wait_for(|| None::<()>), Err(NotHeld));
    assert_eq!(condition.wait_for_timeout(SOON, || None::<()>), Err(NotHeld));
    assert_eq!(condition.notify(1), Err(NotHeld));
    assert_eq!(condition.notify_all(), Err(NotHeld));
    assert!(NotHeld.to_string().contains("acquire"));
    condition.take();
    condition.notify(0).unwrap();
    condition.notify_all().unwrap();
    // It was not remembered.
    assert_eq!(condition.wait_timeout(SOON), Ok(false));
    condition.give();
}

fn a_timeout_ends_a_wait_with_the_lock_held<L: Held>() {
    let condition = condition::<L>();
    condition.take();
    for timeout in [Duration::ZERO, SOON] {
        assert_eq!(condition.wait_timeout(timeout), Ok(false));
        assert_eq!(condition.wait_deadline(Instant::now() + timeout), Ok(false));
        assert!(condition.held());
    }
    condition.give();
    assert!(!condition.held());
}

fn the_oldest_goes_first<L: Held>() {
    let condition = condition::<L>();
    let order = StdMutex::new(Vec::new());
    std::thread::scope(|s| {
        for n in 0..5 {
            let (condition, order) = (&condition, &order);
            s.spawn(move || {
                condition.take();
                condition.wait().unwrap();
                order.lock().unwrap().push(n);
                condition.give();
            });
            await_waiters(condition, n + 1);
            condition.give();
        }
        for n in 1..=5 {
            condition.take();
            condition.notify(1).unwrap();
            condition.give();
            while order.lock().unwrap().len() < n {
                std::thread::yield_now();
            }
        }
    });
    assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4]);
}

fn as_many_go_as_are_told<L: Held>() {
    let (condition, gone) = (condition::<L>(), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                condition.take();
                condition.wait().unwrap();
                gone.fetch_add(1, Relaxed);
                condition.give();
            });
        }
        await_waiters(&condition, 6);
        condition.notify(2).unwrap();
        assert_eq!(gone.load(Relaxed), 0, "the lock is held");
        condition.give();
        while gone.load(Relaxed) < 2 {
            std::thread::yield_now();
        }
        await_waiters(&condition, 4);
        assert_eq!(gone.load(Relaxed), 2);
        condition.notify_all().unwrap();
        condition.give();
    });
    assert_eq!(gone.into_inner(), 6);
    let queues = condition.queues.lock();
    assert!(queues.waiting.is_empty() && queues.uncalled.is_empty());
}

fn who_gave_up_is_out_of_the_queue<L: Held>() {
    let condition = condition::<L>();
    std::thread::scope(|s| {
        condition.take();
        let patient = s.spawn(|| {
            condition.take();
            let notified = condition.wait_timeout(Duration::MAX);
            condition.give();
            notified
        });
        // First in the queue, and out of it again.
        assert_eq!(condition.wait_timeout(SOON), Ok(false));
        condition.give();
        await_waiters(&condition, 1);
        condition.notify(1).unwrap();
        condition.give();
        assert_eq!(patient.join().unwrap(), Ok(true));
    });
}

fn a_predicate_is_looked_at_first_after_calls_and_last<L: Held>() {
    let condition = condition::<L>();
    condition.take();
    let mut looks = 0;
    assert_eq!(condition.wait_for(|| Some(7)), Ok(7));
    let look = || {
        looks += 1;
        (looks > 2).then_some(looks)
    };
    assert_eq!(condition.wait_for_timeout(SOON, look), Ok(None));
    assert_eq!(looks, 2, "at first, and when the time is up");
    let mut last = [None, Some(9)].into_iter();
    assert_eq!(condition.wait_for_timeout(Duration::ZERO, || last.next().unwrap()), Ok(Some(9)));
    condition.give();
    let items = AtomicU32::new(0);
    std::thread::scope(|s| {
        s.spawn(|| {
            condition.take();
            for _ in 0..3 {
                items.fetch_add(1, Relaxed);
                condition.notify_all().unwrap();
            }
            condition.give();
        });
        condition.take();
        let three = || Some(items.load(Relaxed)).filter(|&n| n == 3);
        assert_eq!(condition.wait_for(three), Ok(3));
        condition.give();
    });
}

fn two_conditions_share_a_lock<L: Held>() {
    const ROOM: u32 = 2;
    let lock = Arc::new(L::fresh());
    let (not_full, not_empty) = (Condition::with_lock(Arc::clone(&lock)), Condition::with_lock(lock));
    let items = AtomicU32::new(0);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                for _ in 0..300 {
                    not_full.take();
                    not_full.wait_for(|| (items.load(Relaxed) < ROOM).then_some(())).unwrap();
                    items.fetch_add(1, Relaxed);
                    not_empty.notify(1).unwrap();
                    not_full.give();
                }
            });
            s.spawn(|| {
                for _ in 0..300 {
                    not_empty.take();
                    not_empty.wait_for(|| (items.load(Relaxed) > 0).then_some(())).unwrap();
                    items.fetch_sub(1, Relaxed);
                    not_full.notify(1).unwrap();
                    not_empty.give();
                }
            });
        }
    });
    assert_eq!(items.into_inner(), 0);
}

/// Waits that end by calls, by time, and both at once.
fn many_to_and_fro<L: Held>() {
    let (condition, items) = (condition::<L>(), AtomicU32::new(0));
    std::thread::scope(|s| {
        for patience in [Duration::from_micros(20), Duration::MAX, Duration::MAX] {
            let (condition, items) = (&condition, &items);
            s.spawn(move || {
                let mut taken = 0;
                while taken < 200 {
                    condition.take();
                    let item = || (items.load(Relaxed) > 0).then_some(());
                    if condition.wait_for_timeout(patience, item).unwrap().is_some() {
                        items.fetch_sub(1, Relaxed);
                        taken += 1;
                    }
                    condition.give();
                }
            });
        }
        for _ in 0..600 {
            condition.take();
            items.fetch_add(1, Relaxed);
            condition.notify(1).unwrap();
            condition.give();
        }
    });
    assert_eq!(items.into_inner(), 0);
}

#[test]
fn a_lock_that_is_held_thrice_is_released_and_held_thrice_again() {
    let condition = Condition::new();
    std::thread::scope(|s| {
        (0..3).for_each(|_| condition.acquire());
        s.spawn(|| condition.with(|| condition.notify(1).unwrap()));
        condition.wait().unwrap();
        assert_eq!(condition.recursion_count(), 3);
        assert_eq!(condition.wait_timeout(SOON), Ok(false));
        assert_eq!(condition.recursion_count(), 3);
    });
}

#[test]
fn a_stranger_may_not_notify() {
    let condition = Condition::default();
    std::thread::scope(|s| {
        let _held = condition.guard();
        let stranger = s.spawn(|| (condition.notify(1), condition.wait_timeout(SOON)));
        assert_eq!(stranger.join().unwrap(), (Err(NotHeld), Err(NotHeld)));
    });
    assert!(format!("{condition:?}").ends_with("waiters: 0 }"));
}

/// A lock of somebody else's that panics when it is to be acquired again.
#[derive(Default)]
struct Bad(Lock);

impl ConditionLock for Bad {
    type Saved = ();
    fn release_save(&self) -> Result<(), NotHeld> {
        self.0.release().map_err(|_| NotHeld)
    }
    fn acquire_restore(&self, (): ()) {
        std::panic::resume_unwind(Box::new(()));
    }
    fn is_owned(&self) -> bool {
        true
    }
}

#[test]
fn a_lock_that_panics_or_lies_leaves_no_ticket_behind() {
    let condition = Condition::with_lock(Arc::new(Bad::default()));
    // It says that it is held, and is not.
    assert_eq!(condition.wait(), Err(NotHeld));
    assert!(condition.queues.lock().waiting.is_empty());
    std::thread::scope(|s| {
        let waiters = [(); 2].map(|()| {
            s.spawn(|| {
                condition.0.acquire();
                halt(|| condition.wait()).is_err()
            })
        });
        while condition.queues.lock().waiting.len() < 2 {
            std::thread::yield_now();
        }
        condition.notify_all().unwrap();
        // The first calls the next although it panics.
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
    let queues = condition.queues.lock();
    assert!(queues.waiting.is_empty() && queues.uncalled.is_empty());
}

/// A notification in a forked child is not for a thread that only its parent has.
#[test]
fn a_forked_child_has_none_of_its_parents_waiters() {
    let condition = Condition::new();
    let count = |n: u32| {
        while !format!("{condition:?}").contains(&format!("waiters: {n}")) {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|s| {
        s.spawn(|| {
            let _held = condition.guard();
            condition.wait().unwrap();
        });
        count(1);
        condition.acquire();
        die_after(|| {
            assert!(format!("{condition:?}").contains("waiters: 0"));
            std::thread::scope(|s| {
                let waiter = s.spawn(|| {
                    let _held = condition.guard();
                    condition.wait_timeout(Duration::from_secs(60)).unwrap()
                });
                condition.release().unwrap();
                count(1);
                condition.with(|| condition.notify(1).unwrap());
                assert!(waiter.join().unwrap());
            });
        });
        condition.notify(1).unwrap();
        condition.release().unwrap();
    });
}
