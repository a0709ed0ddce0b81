//! The wheel.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::sched::{Job, NoSuchTimer, TimerId, TimerThread, TimerWheel, WheelClosed};
use crate::unwind::halt;

const MS: Duration = Duration::from_millis(1);

fn here(job: Job) {
    job();
}

#[test]
fn what_may_go_to_other_threads_may() {
    fn check<T: Send + Sync>() {}
    check::<TimerWheel<fn(Job)>>();
    check::<TimerThread<fn(Job)>>();
    check::<TimerId>();
}

/// A job that adds to a count.
fn adds(to: &Arc<AtomicUsize>, n: usize) -> impl FnOnce() + Send + use<> {
    let to = Arc::clone(to);
    move || {
        to.fetch_add(n, Ordering::Relaxed);
    }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enter(u64),
    Cancel(usize),
    Advance(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let delays = || prop_oneof![0..3_000_u64, 0..10_000_000_u64, Just(u64::MAX / 4)];
    let step = prop_oneof![
        5 => delays().prop_map(Step::Enter),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => delays().prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// Nanoseconds of a clock that we turn ourselves.
    #[test]
    fn nothing_is_early_nor_later_than_the_resolution(steps in steps(), resolution in 1..5_000_u64) {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let wheel = TimerWheel::with_resolution(here, Duration::from_nanos(resolution));
        // After the wheel: what is due before that is in no order but that of entry.
        let begin = Instant::now();
        let (mut heap, mut ids, mut now) = (BinaryHeap::new(), Vec::new(), 0_u64);
        for step in steps {
            match step {
                Step::Enter(delay) => {
                    let Some(due) = now.checked_add(delay) else { continue };
                    let (log, n) = (Arc::clone(&ran), ids.len());
                    let job = move || log.lock().unwrap().push(n);
                    ids.push((due, wheel.enter_at(begin + Duration::from_nanos(due), job).unwrap()));
                    heap.push(std::cmp::Reverse((due, n)));
                }
                Step::Cancel(which) if !ids.is_empty() => {
                    let which = which % ids.len();
                    let there = heap.iter().any(|entry| entry.0.1 == which);
                    heap.retain(|entry| entry.0.1 != which);
                    prop_assert_eq!(wheel.cancel(ids[which].1).is_ok(), there);
                }
                Step::Cancel(_) => {}
                Step::Advance(delay) => {
                    now = now.saturating_add(delay).min(u64::MAX / 2);
                    let next = wheel.advance(begin + Duration::from_nanos(now));
                    prop_assert!(next.is_none_or(|next| next > begin + Duration::from_nanos(now)));
                    let ran = std::mem::take(&mut *ran.lock().unwrap());
                    prop_assert!(ran.iter().all(|&n| ids[n].0 <= now));
                    heap.retain(|entry| !ran.contains(&entry.0.1));
                    // The wheel began a little earlier than `begin`, so its ticks lie up to one resolution off.
                    let late = now.saturating_sub(resolution);
                    prop_assert!(heap.peek().is_none_or(|entry| entry.0.0 >= late));
                    let ticks: Vec<u64> = ran.iter().map(|&n| ids[n].0 / resolution).collect();
                    prop_assert!(ticks.windows(2).all(|two| two[0] <= two[1] + 1));
                }
            }
            prop_assert_eq!(wheel.len(), heap.len());
        }
    }
}

#[test]
fn one_deadlines_jobs_come_in_order_of_entry() {
    let (send, receive) = channel();
    let wheel = TimerWheel::new(here);
    let due = Instant::now() + 70 * MS;
    for n in 0..1_000 {
        let send = send.clone();
        wheel.enter_at(due, move || send.send(n).unwrap()).unwrap();
    }
    assert!(wheel.advance(due - MS).is_some_and(|next| next <= due + wheel.resolution()));
    assert_eq!(receive.try_iter().count(), 0);
    assert_eq!(wheel.advance(due + wheel.resolution()), None);
    assert!(receive.try_iter().eq(0..1_000));
}

/// To a wheel they are all due at its first tick, however far apart they are.
#[test]
fn deadlines_before_the_wheel_began_come_in_order_of_entry() {
    let (send, receive) = channel();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_micros(1) {}
    let wheel = TimerWheel::with_resolution(here, Duration::from_nanos(1));
    for delay in [700, 3, 500, 0] {
        let send = send.clone();
        wheel.enter_at(begin + Duration::from_nanos(delay), move || send.send(delay).unwrap()).unwrap();
    }
    assert_eq!(wheel.advance(begin), None);
    assert!(receive.try_iter().eq([700, 3, 500, 0]));
}

#[test]
fn a_name_is_good_for_one_timer_of_one_wheel() {
    let (wheel, other) = (TimerWheel::new(here), TimerWheel::new(here));
    let first = wheel.enter_after(Duration::from_secs(60), || ()).unwrap();
    let alike = other.enter_after(Duration::from_secs(60), || ()).unwrap();
    assert_eq!(wheel.cancel(alike), Err(NoSuchTimer));
    assert_eq!(wheel.cancel(first), Ok(()));
    let second = wheel.enter_after(Duration::from_secs(60), || ()).unwrap();
    assert_ne!(first, second);
    let error = wheel.cancel(first).unwrap_err();
    assert!(error.to_string().contains("not waiting"), "{error}");
    wheel.advance(Instant::now() + Duration::from_secs(100));
    assert_eq!(wheel.cancel(second), Err(NoSuchTimer));
}

#[test]
fn what_is_over_runs_at_the_next_advance_and_what_is_never_does_not() {
    let (send, receive) = channel();
    let wheel = TimerWheel::new(here);
    let now = Instant::now();
    for (n, deadline) in [now - Duration::from_secs(1).min(now.elapsed()), now].into_iter().enumerate() {
        let send = send.clone();
        wheel.enter_at(deadline, move || send.send(n).unwrap()).unwrap();
    }
    let never = wheel.enter_after(Duration::MAX, || unreachable!("never")).unwrap();
    wheel.advance(now + 2 * MS);
    assert!(receive.try_iter().eq(0..2));
    assert_eq!(wheel.advance(now + Duration::from_secs(1_000_000_000)), None);
    assert_eq!((wheel.len(), wheel.cancel(never)), (1, Ok(())));
}

#[test]
fn all_due_jobs_are_handed_over_before_a_panic_goes_on() {
    let ran = Arc::new(AtomicUsize::new(0));
    let wheel = TimerWheel::new(here);
    let now = Instant::now();
    for n in 0..300 {
        let ran = Arc::clone(&ran);
        let job = move || {
            ran.fetch_add(1, Ordering::Relaxed);
            assert!(n % 100 != 50, "job {n}");
        };
        wheel.enter_at(now, job).unwrap();
    }
    let payload = halt(|| wheel.advance(now + 2 * MS)).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("job 50"));
    assert_eq!((ran.load(Ordering::Relaxed), wheel.len()), (300, 0));
}

#[test]
fn jobs_may_enter_cancel_and_advance() {
    let ran = Arc::new(AtomicUsize::new(0));
    let wheel = Arc::new(TimerWheel::new(here));
    let now = Instant::now();
    let doomed = wheel.enter_at(now + 5 * MS, || unreachable!("cancelled")).unwrap();
    let (inside, count) = (Arc::clone(&wheel), Arc::clone(&ran));
    wheel
        .enter_at(now, move || {
            inside.cancel(doomed).unwrap();
            inside.enter_at(now, adds(&count, 1)).unwrap();
            inside.advance(now + 2 * MS);
            inside.enter_at(now + 3 * MS, adds(&count, 10)).unwrap();
        })
        .unwrap();
    assert!(wheel.advance(now + 2 * MS).is_some());
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    wheel.advance(now + 5 * MS);
    assert_eq!(ran.load(Ordering::Relaxed), 11);
}

#[test]
fn what_waits_is_dropped_with_the_wheel_and_by_a_shutdown() {
    let drops = Arc::new(AtomicUsize::new(0));
    let fill = |wheel: &TimerWheel<fn(Job)>| {
        for n in 0..100 {
            let counted = Counted(Arc::clone(&drops));
            wheel.enter_after(n * n * MS + MS * 1_000, move || drop(counted)).unwrap();
        }
    };
    let wheel = TimerWheel::new(here as fn(Job));
    fill(&wheel);
    drop(wheel);
    assert_eq!(drops.load(Ordering::Relaxed), 100);
    let wheel = TimerWheel::new(here as fn(Job));
    fill(&wheel);
    assert_eq!((wheel.shutdown(), wheel.shutdown()), (100, 0));
    assert_eq!(drops.load(Ordering::Relaxed), 200);
    let counted = Counted(Arc::clone(&drops));
    assert_eq!(wheel.enter_after(MS, move || drop(counted)), Err(WheelClosed));
    assert_eq!(drops.load(Ordering::Relaxed), 201);
    assert_eq!(wheel.advance(Instant::now() + Duration::from_secs(100)), None);
    wheel.run(); // returns at once
}

#[test]
fn a_drop_that_panics_does_not_keep_others_from_being_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb")
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let wheel = TimerWheel::new(here);
    for _ in 0..3 {
        let (bomb, counted) = (Bomb, Counted(Arc::clone(&drops)));
        wheel.enter_after(MS, move || drop(bomb)).unwrap();
        wheel.enter_after(MS, move || drop(counted)).unwrap();
    }
    drop(wheel);
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[test]
fn a_thread_drives_it_hears_of_earlier_timers_and_survives_panics() {
    let (send, receive) = channel();
    let wheel = TimerWheel::with_resolution(here, Duration::from_micros(100)).start().unwrap();
    wheel.enter_after(Duration::from_secs(3_600), || ()).unwrap();
    for n in 0..50 {
        let send = send.clone();
        let due = Instant::now() + Duration::from_micros(n * 7 % 300);
        wheel.enter_at(due, move || send.send((n, Instant::now() >= due)).unwrap()).unwrap();
        assert_eq!(receive.recv(), Ok((n, true)));
        if n % 10 == 0 {
            wheel.enter_after(Duration::ZERO, || panic!("in a timer's job")).unwrap();
        }
    }
    assert_eq!(wheel.shutdown(), 1);
}

#[test]
fn the_thread_may_drop_itself() {
    let (send, receive) = channel();
    let held = Arc::new(Mutex::new(None));
    let wheel = TimerWheel::new(here).start().unwrap();
    let inside = Arc::clone(&held);
    let (ready, go) = channel();
    wheel
        .enter_after(Duration::ZERO, move || {
            go.recv().unwrap();
            drop(inside.lock().unwrap().take());
            send.send(()).unwrap();
        })
        .unwrap();
    *held.lock().unwrap() = Some(wheel);
    ready.send(()).unwrap();
    receive.recv().unwrap();
}

#[test]
fn every_timer_runs_or_is_cancelled_and_never_both() {
    const TIMERS: usize = 400;
    let (ran, cancelled) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let wheel = TimerWheel::with_resolution(here, Duration::from_micros(10)).start().unwrap();
    thread::scope(|s| {
        for thread in 0..3 {
            let (wheel, ran, cancelled) = (&wheel, &ran, &cancelled);
            s.spawn(move || {
                for n in 0..TIMERS {
                    let delay = Duration::from_micros((n * 31 + thread) as u64 % 200);
                    let id = wheel.enter_after(delay, adds(ran, 1));
                    if n % 2 == 0 {
                        thread::yield_now();
                        let gone = wheel.cancel(id.unwrap()).is_ok();
                        cancelled.fetch_add(usize::from(gone), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (send, receive) = channel();
    // Due after all others: those are at most 200 us off.
    wheel.enter_after(Duration::from_millis(1), move || send.send(()).unwrap()).unwrap();
    receive.recv().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed) + cancelled.load(Ordering::Relaxed), 3 * TIMERS);
}
