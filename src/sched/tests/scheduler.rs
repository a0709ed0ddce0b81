//! The scheduler.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use crate::sched::{Bell, Clock, Event, FnClock, ManualClock, NoSuchEvent, Ringer, Scheduler};
use crate::unwind::halt;

type Manual = Scheduler<ManualClock<u64>>;

fn manual() -> Manual {
    Scheduler::with_clock(ManualClock::new(0))
}

/// What ran, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u64>>>);

impl Log {
    fn add(&self, n: u64) -> impl FnOnce(&Manual) + Send + use<> {
        let log = self.clone();
        move |_| log.0.lock().unwrap().push(n)
    }

    fn take(&self) -> Vec<u64> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn what_may_go_to_other_threads_may() {
    fn check<T: Send + Sync>() {}
    check::<Scheduler>();
    check::<Scheduler<FnClock<fn() -> u64, fn(u64)>>>();
    check::<Event<Instant>>();
    check::<Ringer>();
}

#[test]
fn events_come_by_time_then_priority_then_entry() {
    let (scheduler, log) = (manual(), Log::default());
    for (n, (time, priority)) in
        [(3, 0), (1, 2), (1, 1), (2, 0), (1, 1), (1, -5), (3, i64::MIN), (3, i64::MAX)]
            .into_iter()
            .enumerate()
    {
        scheduler.enterabs(time, priority, log.add(n as u64));
    }
    scheduler.clock().advance(3);
    assert_eq!(scheduler.run_pending(), None);
    assert_eq!(log.take(), [5, 2, 4, 1, 3, 6, 0, 7]);
}

#[test]
fn enter_counts_from_now_and_the_past_is_due() {
    let scheduler = Scheduler::with_clock(ManualClock::new(100_i64));
    assert_eq!(scheduler.enter(5, 0, |_| ()).time(), 105);
    assert_eq!(scheduler.enter(-5, 0, |_| ()).time(), 95);
    assert_eq!(scheduler.enter(i64::MAX, 0, |_| ()).time(), i64::MAX);
    assert_eq!(scheduler.run_pending(), Some(5));
    assert_eq!(scheduler.queue().len(), 2);
    let scheduler = Scheduler::new();
    let never = scheduler.enter(Duration::MAX, 0, |_| ());
    assert!(never.time() > Instant::now() + Duration::from_secs(1_000_000_000));
    assert!(scheduler.run_pending() > Some(Duration::from_secs(1_000_000_000)));
}

#[test]
fn cancel_takes_that_very_event() {
    let (scheduler, log) = (manual(), Log::default());
    scheduler.enterabs(1, 1, log.add(1));
    let middle = scheduler.enterabs(1, 1, log.add(2));
    let last = scheduler.enterabs(1, 1, log.add(3));
    assert_eq!(scheduler.cancel(&middle), Ok(()));
    assert_eq!(scheduler.cancel(&middle), Err(NoSuchEvent));
    scheduler.clock().advance(1);
    scheduler.run();
    assert_eq!(log.take(), [1, 3]);
    let error = scheduler.cancel(&last).unwrap_err();
    assert!(error.to_string().contains("not in the queue"), "{error}");
    // One that looks the same, in another scheduler.
    let other = manual();
    let alike: Vec<_> = (0..3).map(|_| other.enterabs(1, 1, log.add(4))).collect();
    let mine = manual();
    mine.enterabs(1, 1, log.add(5));
    assert_eq!(mine.cancel(&alike[0]), Err(NoSuchEvent));
    assert!(!mine.empty());
}

#[test]
fn the_queue_is_shown_in_order_and_is_empty_when_it_is() {
    let scheduler = manual();
    assert!(scheduler.empty() && scheduler.queue().is_empty());
    let late = scheduler.enterabs(5, 0, |_| ());
    let soon = scheduler.enterabs(1, 7, |_| ());
    let also_soon = scheduler.enterabs(1, 3, |_| ());
    assert_eq!(scheduler.queue(), [also_soon, soon, late]);
    assert_eq!((soon.time(), soon.priority(), soon.sequence()), (1, 7, 1));
    assert!(!scheduler.empty());
    assert!(format!("{scheduler:?}").contains("len: 3"));
    for event in scheduler.queue() {
        scheduler.cancel(&event).unwrap();
    }
    assert!(scheduler.empty());
}

#[test]
fn run_pending_runs_what_is_due_and_tells_when_to_come_again() {
    let (scheduler, log) = (manual(), Log::default());
    assert_eq!(scheduler.run_pending(), None);
    for time in [10, 9, 8] {
        scheduler.enterabs(time, 0, log.add(time));
    }
    assert_eq!(scheduler.run_pending(), Some(8));
    assert_eq!(log.take(), [0; 0]);
    scheduler.clock().set(9);
    assert_eq!(scheduler.run_pending(), Some(1));
    assert_eq!(log.take(), [8, 9]);
    scheduler.clock().set(1_000); // late, but not dropped
    assert_eq!(scheduler.run_pending(), None);
    assert_eq!(log.take(), [10]);
}

#[test]
fn run_until_leaves_what_is_later() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let now = Arc::new(Mutex::new(0_u64));
    let (reads, waits) = (Arc::clone(&now), Arc::clone(&now));
    let clock = FnClock::new(move || *reads.lock().unwrap(), move |delay| *waits.lock().unwrap() += delay);
    let scheduler = Scheduler::with_clock(clock);
    for time in [1, 5, 9] {
        let log = Arc::clone(&log);
        scheduler.enterabs(time, 0, move |_| log.lock().unwrap().push(time));
    }
    assert_eq!(scheduler.run_until(5), Some(4));
    assert_eq!(*log.lock().unwrap(), [1, 5]);
    assert_eq!(*now.lock().unwrap(), 5);
    assert_eq!(scheduler.run_until(100), None);
}

/// Whether it is over by now or not.
#[test]
fn run_until_leaves_what_is_later_and_late() {
    let (scheduler, log) = (manual(), Log::default());
    for time in [3, 5, 6, 9] {
        scheduler.enterabs(time, 0, log.add(time));
    }
    scheduler.clock().advance(7);
    assert_eq!(scheduler.run_until(5), Some(0));
    assert_eq!(log.take(), [3, 5]);
    // An action that takes long.
    scheduler.enterabs(7, 0, |scheduler| scheduler.clock().advance(10));
    assert_eq!(scheduler.run_until(8), Some(0));
    assert_eq!(log.take(), [6]);
    assert_eq!(scheduler.run_pending(), None);
    assert_eq!(log.take(), [9]);
}

#[test]
fn a_delay_function_is_asked_for_what_is_left_and_for_nothing_after_each_event() {
    let now = Arc::new(Mutex::new(0_i64));
    let delays = Arc::new(Mutex::new(Vec::new()));
    let (reads, waits, asked) = (Arc::clone(&now), Arc::clone(&now), Arc::clone(&delays));
    let clock = FnClock::new(
        move || *reads.lock().unwrap(),
        move |delay: i64| {
            asked.lock().unwrap().push(delay);
            *waits.lock().unwrap() += (delay + 1) / 2; // comes back early
        },
    );
    let scheduler = Scheduler::with_clock(clock);
    scheduler.enterabs(8, 0, |_| ());
    scheduler.enterabs(8, 0, |_| ());
    scheduler.run();
    assert_eq!(*delays.lock().unwrap(), [8, 4, 2, 1, 0, 0]);
}

#[test]
fn a_panic_comes_out_of_run_and_the_rest_can_be_run() {
    let (scheduler, log) = (manual(), Log::default());
    scheduler.enterabs(0, 0, log.add(1));
    scheduler.enterabs(0, 1, |_| panic!("boom"));
    scheduler.enterabs(0, 2, log.add(2));
    assert!(halt(|| scheduler.run()).is_err());
    assert_eq!((log.take(), scheduler.queue().len()), (vec![1], 1));
    scheduler.run();
    assert_eq!(log.take(), [2]);
    // A clock that panics while it waits leaves the event, and nobody among the sleepers.
    let waits = std::sync::atomic::AtomicU32::new(0);
    let clock = FnClock::new(
        || 0_u64,
        move |_| {
            if waits.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                panic!("no waiting")
            }
        },
    );
    let scheduler = Scheduler::with_clock(clock);
    let event = scheduler.enterabs(1, 0, |_| ());
    assert!(halt(|| scheduler.run()).is_err());
    assert_eq!(scheduler.queue(), [event]);
    scheduler.enterabs(0, 0, move |scheduler| scheduler.cancel(&event).unwrap());
    scheduler.run();
    assert!(scheduler.empty());
}

#[test]
fn actions_may_enter_cancel_and_run() {
    let (scheduler, log) = (manual(), Log::default());
    let doomed = scheduler.enterabs(0, 9, log.add(99));
    let (inner, outer) = (log.clone(), log.clone());
    scheduler.enterabs(0, 0, move |scheduler| {
        scheduler.cancel(&doomed).unwrap();
        scheduler.enterabs(0, 1, inner.add(1));
        assert_eq!(scheduler.queue().len(), 2);
        scheduler.run();
        assert!(scheduler.empty());
        scheduler.enter(0, 0, inner.add(3));
    });
    scheduler.enterabs(0, 2, outer.add(2));
    scheduler.run();
    assert_eq!(log.take(), [1, 2, 3]);
}

#[test]
fn what_an_action_owns_may_use_the_scheduler_as_it_is_dropped() {
    struct Enters(Arc<Manual>, Log);
    impl Drop for Enters {
        fn drop(&mut self) {
            self.0.enterabs(0, 0, self.1.add(7));
        }
    }
    let (scheduler, log) = (Arc::new(manual()), Log::default());
    let enters = Enters(Arc::clone(&scheduler), log.clone());
    let event = scheduler.enterabs(5, 0, move |_| drop(enters));
    scheduler.cancel(&event).unwrap();
    scheduler.run();
    assert_eq!(log.take(), [7]);
}

fn sends(say: &Sender<u64>, n: u64) -> impl FnOnce(&Manual) + Send + use<> {
    let say = say.clone();
    move |_| say.send(n).unwrap()
}

#[test]
fn events_entered_and_cancelled_while_another_thread_runs() {
    let (scheduler, (say, said)) = (manual(), channel());
    scheduler.enter(1, 0, sends(&say, 1));
    scheduler.enter(5, 0, sends(&say, 5));
    thread::scope(|s| {
        s.spawn(|| scheduler.run());
        scheduler.clock().advance(1);
        assert_eq!(said.recv(), Ok(1));
        let third = scheduler.enterabs(3, 0, sends(&say, 3));
        scheduler.enterabs(4, 0, sends(&say, 4));
        scheduler.enterabs(2, 0, sends(&say, 2));
        scheduler.cancel(&third).unwrap();
        scheduler.clock().advance(2);
        assert_eq!(said.recv(), Ok(2));
        scheduler.clock().advance(1);
        assert_eq!(said.recv(), Ok(4));
        assert!(said.try_recv().is_err());
        scheduler.clock().advance(1_000);
        assert_eq!(said.recv(), Ok(5));
    });
    assert!(scheduler.empty());
}

#[test]
fn a_run_that_waits_hears_of_an_earlier_event_and_of_the_last_ones_end() {
    let (scheduler, (say, said)) = (Scheduler::new(), channel());
    let hour = scheduler.enter(Duration::from_secs(3_600), 0, |_| ());
    thread::scope(|s| {
        let runs: Vec<_> = (0..2).map(|_| s.spawn(|| scheduler.run())).collect();
        for n in 0..100 {
            let say = say.clone();
            scheduler.enter(Duration::ZERO, 0, move |_| say.send(n).unwrap());
            assert_eq!(said.recv(), Ok(n));
        }
        // Somebody else's token is no reason to wake for good.
        let say = say.clone();
        scheduler.enter(Duration::from_millis(2), 0, move |_| say.send(100).unwrap());
        assert_eq!(said.recv(), Ok(100));
        scheduler.cancel(&hour).unwrap();
        runs.into_iter().for_each(|run| run.join().unwrap());
    });
    assert!(scheduler.empty());
}

#[test]
fn an_event_never_runs_early() {
    let (scheduler, (say, said)) = (Scheduler::new(), channel());
    for n in 0..20 {
        let say = say.clone();
        let due = Instant::now() + Duration::from_micros(n * 137);
        scheduler.enterabs(due, 0, move |_| say.send((due, Instant::now())).unwrap());
    }
    scheduler.run();
    drop((say, scheduler));
    let ran: Vec<_> = said.iter().collect();
    assert_eq!(ran.len(), 20);
    assert!(ran.iter().all(|(due, at)| at >= due));
}

#[test]
fn a_bell_that_was_rung_does_not_let_wait() {
    let bell = Bell::new();
    assert!(!bell.is_rung());
    bell.wait_timeout(Duration::from_millis(1));
    bell.wait_timeout(Duration::ZERO);
    let ringer = bell.ringer();
    thread::scope(|s| {
        s.spawn(move || ringer.ring());
        bell.wait();
    });
    assert!(bell.is_rung());
    bell.wait_timeout(Duration::MAX);
    bell.wait_deadline(Instant::now() + Duration::from_secs(3_600));
    bell.silence();
    bell.wait_timeout(Duration::from_millis(1));
    assert!(!bell.is_rung());
}

#[test]
fn other_clocks_will_do() {
    struct Wall;
    impl Clock for Wall {
        type Time = SystemTime;

        fn now(&self) -> SystemTime {
            SystemTime::now()
        }

        fn wait(&self, until: SystemTime, bell: &Bell) {
            bell.wait_timeout(until.duration_since(self.now()).unwrap_or_default());
        }
    }
    let (scheduler, (say, said)) = (Scheduler::with_clock(Arc::new(Wall)), channel());
    scheduler.enter(Duration::from_millis(1), 0, move |_| say.send(()).unwrap());
    scheduler.run();
    assert_eq!(said.recv(), Ok(()));
}

#[derive(Debug, Clone)]
enum Step {
    Enter(u64, i64),
    Cancel(usize),
    Advance(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..30_u64, -2..2_i64).prop_map(|(delay, priority)| Step::Enter(delay, priority)),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => (0..20_u64).prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #[test]
    fn it_does_what_a_sorted_list_does(steps in steps()) {
        let (scheduler, log) = (manual(), Log::default());
        let (mut model, mut events, mut now) = (Vec::<(u64, i64, u64)>::new(), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Enter(delay, priority) => {
                    let n = events.len() as u64;
                    events.push(scheduler.enter(delay, priority, log.add(n)));
                    model.push((now + delay, priority, n));
                }
                Step::Cancel(which) if !events.is_empty() => {
                    let which = which % events.len();
                    let before = model.len();
                    model.retain(|(.., n)| *n != which as u64);
                    prop_assert_eq!(scheduler.cancel(&events[which]).is_ok(), model.len() < before);
                }
                Step::Cancel(_) => {}
                Step::Advance(delay) => {
                    now += delay;
                    scheduler.clock().advance(delay);
                    model.sort_unstable();
                    let due = model.partition_point(|(time, ..)| *time <= now);
                    let ran: Vec<u64> = model.drain(..due).map(|(.., n)| n).collect();
                    let next = model.first().map(|(time, ..)| time - now);
                    prop_assert_eq!(scheduler.run_pending(), next);
                    prop_assert_eq!(log.take(), ran);
                }
            }
            model.sort_unstable();
            let queue: Vec<_> = scheduler.queue().iter().map(|e| (e.time(), e.priority(), e.sequence())).collect();
            prop_assert_eq!(&queue, &model);
            prop_assert_eq!(scheduler.empty(), model.is_empty());
        }
    }
}
