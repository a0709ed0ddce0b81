//! Waits that must not be missed, under loom. A wake-up that is lost leaves a thread asleep for ever, which loom
//! reports as a deadlock.

use std::sync::Arc;
use std::time::Instant;

use loom::thread;

use super::{Bell, Job, ManualClock, Scheduler, TimerWheel};
use crate::prim::models::check;

/// A scheduler whose clock stands still, with an event that is never due.
fn stopped() -> (Arc<Scheduler<ManualClock<u64>>>, super::Event<u64>) {
    let scheduler = Arc::new(Scheduler::with_clock(ManualClock::new(0)));
    let never = scheduler.enterabs(9, 0, |_| unreachable!("the clock stands still"));
    (scheduler, never)
}

#[test]
fn models_a_waiting_run_hears_of_an_earlier_event() {
    check(3, || {
        let (scheduler, never) = stopped();
        let there = Arc::clone(&scheduler);
        let other = thread::spawn(move || {
            there.enterabs(0, 0, move |scheduler| scheduler.cancel(&never).unwrap());
        });
        scheduler.run();
        other.join().unwrap();
        assert!(scheduler.empty());
    });
}

#[test]
fn models_a_waiting_run_hears_that_nothing_is_left() {
    check(3, || {
        let (scheduler, never) = stopped();
        let there = Arc::clone(&scheduler);
        let other = thread::spawn(move || there.cancel(&never).unwrap());
        scheduler.run();
        other.join().unwrap();
    });
}

#[test]
fn models_two_waiting_runs_share_the_events_and_both_return() {
    check(3, || {
        let (scheduler, never) = stopped();
        let there = Arc::clone(&scheduler);
        let other = thread::spawn(move || there.run());
        let there = Arc::clone(&scheduler);
        let third = thread::spawn(move || there.cancel(&never).unwrap());
        scheduler.run();
        other.join().unwrap();
        third.join().unwrap();
    });
}

#[test]
fn models_a_waiting_run_hears_the_clock_strike() {
    check(3, || {
        let scheduler = Arc::new(Scheduler::with_clock(ManualClock::new(0_u64)));
        scheduler.enterabs(2, 0, |scheduler| assert_eq!(scheduler.clock().now(), 2));
        let there = Arc::clone(&scheduler);
        let other = thread::spawn(move || {
            there.clock().advance(1);
            there.clock().advance(1);
        });
        scheduler.run();
        other.join().unwrap();
        assert!(scheduler.empty());
    });
}

#[test]
fn models_a_bell_that_rings_between_two_looks_is_heard() {
    check(3, || {
        let bell = Bell::new();
        let ringer = bell.ringer();
        let other = thread::spawn(move || ringer.ring());
        bell.wait();
        assert!(bell.is_rung());
        other.join().unwrap();
    });
}

#[test]
fn models_who_drives_a_wheel_hears_of_a_timer_and_of_the_end() {
    check(3, || {
        let now = Instant::now();
        let wheel = Arc::new(TimerWheel::new(|job: Job| job()));
        let there = Arc::clone(&wheel);
        // Due at once by the driver's clock. Nothing else would ever wake it.
        let other = thread::spawn(move || {
            let inside = Arc::clone(&there);
            let shut = move || {
                inside.shutdown();
            };
            there.enter_at(now, shut).unwrap();
        });
        wheel.drive(|| now, |bell, _| bell.wait());
        other.join().unwrap();
        assert!(wheel.enter_at(now, || ()).is_err());
    });
}

#[test]
fn models_who_drives_a_wheel_hears_of_the_end_alone() {
    check(3, || {
        let now = Instant::now();
        let wheel = Arc::new(TimerWheel::new(|job: Job| job()));
        let there = Arc::clone(&wheel);
        let other = thread::spawn(move || there.shutdown());
        wheel.drive(|| now, |bell, _| bell.wait());
        assert_eq!(other.join().unwrap(), 0);
    });
}

#[test]
fn models_a_timer_is_run_cancelled_or_dropped_and_only_one_of_these() {
    check(3, || {
        let now = Instant::now();
        let ran = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let wheel = Arc::new(TimerWheel::new(|job: Job| job()));
        let count = Arc::clone(&ran);
        let run = move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        let id = wheel.enter_at(now, run).unwrap();
        let there = Arc::clone(&wheel);
        let cancels = thread::spawn(move || usize::from(there.cancel(id).is_ok()));
        let there = Arc::clone(&wheel);
        let drives = thread::spawn(move || there.advance(now));
        let dropped = wheel.shutdown();
        drives.join().unwrap();
        let cancelled = cancels.join().unwrap();
        assert_eq!(dropped + cancelled + ran.load(std::sync::atomic::Ordering::Relaxed), 1);
    });
}
