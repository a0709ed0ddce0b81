use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::sync::tests::in_both_scopes;
use crate::sync::{Condvar, LockError, Mutex, MutexGuard, Private, Scope, Shared};
use crate::sys::child::{die_after, mapped};
use crate::unwind::halt;

const SOON: Duration = Duration::from_millis(2);

type Guard<'a, T, S> = MutexGuard<'a, T, S>;

/// The two scopes' methods, where nobody dies.
trait Waits: Scope {
    fn lock<T>(mutex: &Mutex<T, Self>) -> Guard<'_, T, Self>;
    fn wait<'a, T>(condvar: &Condvar<Self>, guard: Guard<'a, T, Self>) -> Guard<'a, T, Self>;
    fn wait_timeout<'a, T>(
        condvar: &Condvar<Self>,
        guard: Guard<'a, T, Self>,
        timeout: Duration,
    ) -> (Guard<'a, T, Self>, bool);
    fn wait_deadline<'a, T>(
        condvar: &Condvar<Self>,
        guard: Guard<'a, T, Self>,
        deadline: Instant,
    ) -> (Guard<'a, T, Self>, bool);
    fn wait_while<'a, T>(
        condvar: &Condvar<Self>,
        guard: Guard<'a, T, Self>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Guard<'a, T, Self>;
    fn wait_while_timeout<'a, T>(
        condvar: &Condvar<Self>,
        guard: Guard<'a, T, Self>,
        timeout: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> (Guard<'a, T, Self>, bool);
}

macro_rules! waits {
    ($scope:ty, |$result:ident| $plain:expr) => {
        impl Waits for $scope {
            fn lock<T>(mutex: &Mutex<T, Self>) -> Guard<'_, T, Self> {
                let $result = mutex.lock();
                $plain
            }
            fn wait<'a, T>(condvar: &Condvar<Self>, guard: Guard<'a, T, Self>) -> Guard<'a, T, Self> {
                let $result = condvar.wait(guard);
                $plain
            }
            fn wait_timeout<'a, T>(
                condvar: &Condvar<Self>,
                guard: Guard<'a, T, Self>,
                timeout: Duration,
            ) -> (Guard<'a, T, Self>, bool) {
                let $result = condvar.wait_timeout(guard, timeout);
                $plain
            }
            fn wait_deadline<'a, T>(
                condvar: &Condvar<Self>,
                guard: Guard<'a, T, Self>,
                deadline: Instant,
            ) -> (Guard<'a, T, Self>, bool) {
                let $result = condvar.wait_deadline(guard, deadline);
                $plain
            }
            fn wait_while<'a, T>(
                condvar: &Condvar<Self>,
                guard: Guard<'a, T, Self>,
                condition: impl FnMut(&mut T) -> bool,
            ) -> Guard<'a, T, Self> {
                let $result = condvar.wait_while(guard, condition);
                $plain
            }
            fn wait_while_timeout<'a, T>(
                condvar: &Condvar<Self>,
                guard: Guard<'a, T, Self>,
                timeout: Duration,
                condition: impl FnMut(&mut T) -> bool,
            ) -> (Guard<'a, T, Self>, bool) {
                let $result = condvar.wait_while_timeout(guard, timeout, condition);
                $plain
            }
        }
    };
}
waits!(Private, |result| result);
waits!(Shared, |result| result.unwrap());

in_both_scopes! {
    a_timeout_ends_a_wait_with_the_lock_held
    a_condition_that_is_false_at_once_is_not_waited_for
    a_turn_goes_to_and_fro
    all_are_called_one_after_the_other
    each_of_many_notifications_reaches_somebody
    notified_or_late_no_item_is_lost
    as_many_are_called_as_are_told
    crowds_come_and_go
    a_notification_before_the_wait_is_not_remembered
}

struct Pair<T, S: Scope>(Mutex<T, S>, Condvar<S>);

fn pair<T, S: Scope>(value: T) -> Pair<T, S> {
    Pair(Mutex::in_scope(value), Condvar::in_scope())
}

fn waiters<S: Scope>(condvar: &Condvar<S>) -> u32 {
    condvar.crowd().waiters()
}

fn a_timeout_ends_a_wait_with_the_lock_held<S: Waits>() {
    let Pair(mutex, changed) = pair::<_, S>(0);
    for timeout in [Duration::ZERO, SOON] {
        let mut guard = S::lock(&mutex);
        loop {
            let notified;
            (guard, notified) = S::wait_timeout(&changed, guard, timeout);
            assert!(mutex.is_locked());
            if !notified {
                break;
            }
        }
        while {
            let notified;
            (guard, notified) = S::wait_deadline(&changed, guard, Instant::now() + timeout);
            notified
        } {}
        let in_time;
        (guard, in_time) = S::wait_while_timeout(&changed, guard, timeout, |n| *n == 0);
        assert!(!in_time);
        *guard = 0;
    }
    assert!(!mutex.is_locked());
    assert_eq!(waiters(&changed), 0);
    assert_eq!(format!("{changed:?}"), "Condvar { waiters: 0 }");
}

fn a_condition_that_is_false_at_once_is_not_waited_for<S: Waits>() {
    let Pair(mutex, changed) = pair::<_, S>(1);
    assert_eq!(*S::wait_while(&changed, S::lock(&mutex), |n| *n == 0), 1);
    assert!(S::wait_while_timeout(&changed, S::lock(&mutex), Duration::ZERO, |n| *n == 0).1);
}

fn a_notification_before_the_wait_is_not_remembered<S: Waits>() {
    let Pair(mutex, changed) = pair::<_, S>(());
    changed.notify_one();
    changed.notify_n(3);
    changed.notify_all();
    let in_time = S::wait_while_timeout(&changed, S::lock(&mutex), SOON, |()| true).1;
    assert!(!in_time);
}

fn a_turn_goes_to_and_fro<S: Waits>() {
    let Pair(mutex, changed) = pair::<_, S>(0);
    std::thread::scope(|s| {
        for me in 0..2 {
            let (mutex, changed) = (&mutex, &changed);
            s.spawn(move || {
                for _ in 0..1_000 {
                    let mut guard = S::lock(mutex);
                    while *guard % 2 != me {
                        guard = S::wait(changed, guard);
                    }
                    *guard += 1;
                    drop(guard);
                    changed.notify_one();
                }
            });
        }
    });
    assert_eq!(mutex.into_inner(), 2_000);
}

/// Waits until so many wait, and holds the lock then: all of them have unlocked it.
fn await_waiters<'a, T, S: Waits>(Pair(mutex, changed): &'a Pair<T, S>, n: u32) -> Guard<'a, T, S> {
    loop {
        let guard = S::lock(mutex);
        if waiters(changed) >= n {
            return guard;
        }
        drop(guard);
        std::thread::yield_now();
    }
}

fn all_are_called_one_after_the_other<S: Waits>() {
    let bin = pair::<_, S>((false, 0));
    for under_the_lock in [false, true] {
        std::thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    let mut guard = S::wait_while(&bin.1, S::lock(&bin.0), |(open, _)| !*open);
                    guard.1 += 1;
                });
            }
            let mut guard = await_waiters(&bin, 8);
            guard.0 = true;
            if under_the_lock {
                bin.1.notify_all();
                drop(guard);
            } else {
                drop(guard);
                bin.1.notify_all();
            }
        });
        assert_eq!(*S::lock(&bin.0), (true, 8));
        *S::lock(&bin.0) = (false, 0);
        assert_eq!(bin.1.crowd().0, 0, "no mark is left");
    }
}

fn each_of_many_notifications_reaches_somebody<S: Waits>() {
    let Pair(mutex, changed) = pair::<_, S>(0_u32);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..300 {
                    *S::wait_while(&changed, S::lock(&mutex), |n| *n == 0) -= 1;
                }
            });
        }
        for _ in 0..1_200 {
            *S::lock(&mutex) += 1;
            changed.notify_one();
        }
    });
    assert_eq!(mutex.into_inner(), 0);
}

/// Some waiters give up; those who do not must not miss what the others were told.
fn notified_or_late_no_item_is_lost<S: Waits>() {
    let Pair(mutex, changed) = pair::<_, S>(0_u32);
    let taken = AtomicU32::new(0);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                for _ in 0..300 {
                    let timeout = Duration::from_micros(30);
                    let (mut guard, in_time) =
                        S::wait_while_timeout(&changed, S::lock(&mutex), timeout, |n| *n == 0);
                    if in_time {
                        *guard -= 1;
                        taken.fetch_add(1, Relaxed);
                    }
                }
            });
            s.spawn(|| {
                for _ in 0..300 {
                    *S::wait_while(&changed, S::lock(&mutex), |n| *n == 0) -= 1;
                    taken.fetch_add(1, Relaxed);
                }
            });
        }
        for _ in 0..1_200 {
            *S::lock(&mutex) += 1;
            changed.notify_one();
        }
    });
    assert_eq!(mutex.into_inner() + taken.into_inner(), 1_200);
}

fn as_many_are_called_as_are_told<S: Waits>() {
    let bin = pair::<_, S>(0_u32);
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| *S::wait_while(&bin.1, S::lock(&bin.0), |n| *n == 0) -= 1);
        }
        for n in [2, 0, 1, 3] {
            let mut guard = await_waiters(&bin, n);
            *guard += n;
            drop(guard);
            bin.1.notify_n(n as usize);
            while *S::lock(&bin.0) > 0 {
                std::thread::yield_now();
            }
        }
    });
    assert_eq!(waiters(&bin.1), 0);
}

/// Rounds of a crowd that is called, against threads that wait a moment, single calls, and a busy mutex.
fn crowds_come_and_go<S: Waits>() {
    let bin = pair::<_, S>(0_u32);
    let over = AtomicU32::new(0);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                for round in 1..=200 {
                    drop(S::wait_while(&bin.1, S::lock(&bin.0), |n| *n < round));
                }
                over.fetch_add(1, Relaxed);
            });
        }
        s.spawn(|| {
            while over.load(Relaxed) < 3 {
                drop(S::wait_timeout(&bin.1, S::lock(&bin.0), Duration::from_micros(20)));
            }
        });
        while over.load(Relaxed) < 3 {
            *S::lock(&bin.0) += 1;
            bin.1.notify_all();
            bin.1.notify_one();
            std::thread::yield_now();
        }
    });
    assert_eq!(bin.1.crowd().0, 0);
}

#[test]
fn it_is_two_words() {
    assert_eq!(size_of::<Condvar>(), 16);
}

#[test]
fn two_mutexes_at_a_time_are_refused() {
    let (first, second, changed) = (Mutex::new(false), Mutex::new(()), Condvar::new());
    std::thread::scope(|s| {
        s.spawn(|| drop(changed.wait_while(first.lock(), |done| !*done)));
        while waiters(&changed) == 0 {
            std::thread::yield_now();
        }
        drop(first.lock());
        let panicked = halt(|| changed.wait_timeout(second.lock(), SOON).1);
        assert!(panicked.is_err());
        assert!(!second.is_locked());
        assert_eq!(waiters(&changed), 1);
        *first.lock() = true;
        changed.notify_all();
    });
    // One after the other is fine.
    assert!(!changed.wait_while_timeout(second.lock(), Duration::ZERO, |()| true).1);
}

/// The waiter comes back to a lock whose owner has died, and passes its call on.
#[test]
fn a_death_meanwhile_is_told_to_who_waited() {
    let bin = mapped(pair::<_, Shared>(0));
    std::thread::scope(|s| {
        let waiters = [(); 3].map(|()| {
            s.spawn(|| match bin.1.wait(bin.0.lock().unwrap()) {
                Err(LockError::OwnerDied(mut guard)) => {
                    *guard += 1;
                    MutexGuard::mark_consistent(&guard);
                    true
                }
                Ok(_) => false,
                Err(LockError::NotRecoverable) => unreachable!(),
            })
        });
        drop(await_waiters(bin, 3));
        die_after(|| {
            let guard = bin.0.lock().unwrap();
            bin.1.notify_all();
            std::mem::forget(guard);
        });
        let told = waiters.map(|waiter| waiter.join().unwrap());
        assert_eq!(told.iter().filter(|&&told| told).count(), 1);
    });
    assert_eq!(*bin.0.lock().unwrap(), 1);
}

#[test]
fn a_lock_that_is_lost_ends_all_waits() {
    let bin = mapped(pair::<_, Shared>(0));
    std::thread::scope(|s| {
        let waiters = [(); 3].map(|()| {
            s.spawn(|| match bin.1.wait(bin.0.lock().unwrap()) {
                // Not marked: the lock is lost when this guard goes.
                Err(LockError::OwnerDied(_)) => 1,
                Err(LockError::NotRecoverable) => 10,
                Ok(_) => 100,
            })
        });
        drop(await_waiters(bin, 3));
        die_after(|| {
            let guard = bin.0.lock().unwrap();
            bin.1.notify_all();
            std::mem::forget(guard);
        });
        let ends: u32 = waiters.map(|waiter| waiter.join().unwrap()).iter().sum();
        assert_eq!(ends, 21);
    });
}
