//! Functions that run later, or not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use gristmill::thread::{JoinError, StartError, exit};
use gristmill::threading::{Thread, Timer, TimerBuilder, current_thread, spawn};

use crate::stage::{alone, until_closed};
use crate::suite::{boom::boom, ledger::Ledger, tick, until, watch::watch};

const SOON: Duration = Duration::from_millis(2);
const NEVER: Duration = Duration::MAX;

/// Both kinds.
fn kinds(interval: Duration) -> [TimerBuilder; 2] {
    [false, true].map(|dedicated| Timer::builder(interval).dedicated(dedicated))
}

#[test]
fn it_runs_once_and_not_early() {
    let _watched = watch("it_runs_once_and_not_early");
    for builder in kinds(SOON) {
        let (runs, send) = (Arc::new(AtomicUsize::new(0)), mpsc::channel());
        let counter = runs.clone();
        let timer = builder.name("bell").build(move || {
            tick(&counter);
            send.0.send((Instant::now(), current_thread().name())).unwrap();
        });
        assert!(!timer.is_alive() && !timer.is_finished());
        assert_eq!(timer.join(), Err(JoinError::NotStarted));
        let begun = Instant::now();
        timer.start().unwrap();
        assert!(matches!(timer.start(), Err(StartError::AlreadyStarted)));
        timer.join().unwrap();
        let (at, name) = send.1.recv().unwrap();
        assert!(at >= begun + SOON);
        assert_eq!(&*name, "bell");
        assert!(timer.is_finished() && !timer.is_alive() && !timer.cancel());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_cancelled_one_does_not_run_and_drops_its_function_at_once() {
    let _watched = watch("a_cancelled_one_does_not_run_and_drops_its_function_at_once");
    for builder in kinds(NEVER).into_iter().chain(kinds(Duration::from_secs(3_600))) {
        let (ledger, twin) = (Ledger::default(), builder.clone());
        let chit = ledger.chit();
        let timer = builder.build(move || chit.run());
        timer.start().unwrap();
        assert!(timer.is_alive() && !timer.wait_finished_timeout(Duration::ZERO));
        assert!(timer.cancel() && !timer.cancel());
        timer.join().unwrap();
        ledger.settled(0);
        // Before its start, which then is over at once.
        let chit = ledger.chit();
        let timer = twin.build(move || chit.run());
        assert!(timer.cancel() && timer.is_finished());
        timer.start().unwrap();
        timer.join().unwrap();
        ledger.settled(0);
    }
}

#[test]
fn it_runs_or_is_cancelled_and_never_both() {
    let _watched = watch("it_runs_or_is_cancelled_and_never_both");
    for round in 0..200 {
        for builder in kinds(Duration::from_micros(round % 50)) {
            let ledger = Ledger::default();
            let chit = ledger.chit();
            let timer = builder.build(move || chit.run());
            let barrier = Barrier::new(2);
            let cancelled = std::thread::scope(|s| {
                let other = s.spawn(|| {
                    barrier.wait();
                    timer.cancel()
                });
                barrier.wait();
                timer.start().unwrap();
                other.join().unwrap()
            });
            timer.join().unwrap();
            until(|| ledger.dropped() == 1);
            ledger.settled(u64::from(!cancelled));
        }
    }
}

#[test]
fn its_own_function_cannot_join_or_cancel_it() {
    let _watched = watch("its_own_function_cannot_join_or_cancel_it");
    for builder in kinds(SOON) {
        let ((give, take), (send, receive)) = (mpsc::channel::<Timer>(), mpsc::channel());
        let timer = builder.build(move || {
            let own = take.recv().unwrap();
            send.send((own.cancel(), own.join(), own.is_alive())).unwrap();
        });
        give.send(timer.clone()).unwrap();
        timer.start().unwrap();
        timer.join().unwrap();
        assert_eq!(receive.recv().unwrap(), (false, Err(JoinError::CurrentThread), true));
    }
}

/// Its function does not run, and nobody is kept waiting for it.
#[test]
fn one_whose_thread_cannot_be_set_up_is_over() {
    let _watched = watch("one_whose_thread_cannot_be_set_up_is_over");
    for builder in kinds(SOON) {
        let ledger = Ledger::default();
        let chit = ledger.chit();
        let timer = builder.thread(Thread::builder().cpus([])).build(move || chit.run());
        match timer.start() {
            Ok(()) => timer.join().unwrap(),
            Err(error) => assert!(matches!(error, StartError::Setup { .. })),
        }
        timer.wait_finished();
        until(|| ledger.dropped() == 1);
        ledger.settled(0);
    }
}

/// They come in the order of their times, and one that takes long keeps nobody.
#[test]
fn many_on_one_clock() {
    let _watched = watch("many_on_one_clock");
    let (send, receive) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let blocks = Timer::after(Duration::ZERO, move || until_closed(&stopped)).unwrap();
    let timers: Vec<_> = (0..20_u64)
        .rev()
        .map(|number| {
            let send = send.clone();
            let interval = Duration::from_millis(number * 3);
            (number, Timer::after(interval, move || send.send(number).unwrap()).unwrap())
        })
        .collect();
    for (number, timer) in &timers {
        if number % 2 == 1 {
            timer.cancel();
        }
    }
    timers.iter().for_each(|(_, timer)| timer.join().unwrap());
    drop((send, timers));
    let mut ran: Vec<_> = receive.iter().collect();
    ran.sort_unstable();
    // Those whose time had come before they could be cancelled ran too.
    assert!((0..20).step_by(2).all(|number| ran.contains(&number)), "{ran:?}");
    assert!(blocks.is_alive());
    drop(stop);
    blocks.join().unwrap();
}

#[test]
fn thousands_are_cancelled() {
    let _watched = watch("thousands_are_cancelled");
    let ledger = Ledger::default();
    for _ in 0..5 {
        let timers: Vec<_> = (0..1_000)
            .map(|_| {
                let chit = ledger.chit();
                Timer::after(Duration::from_secs(3_600), move || chit.run()).unwrap()
            })
            .collect();
        timers.iter().for_each(|timer| assert!(timer.cancel()));
    }
    ledger.settled(0);
}

#[test]
fn a_panic_or_an_exit_finishes_it() {
    let _watched = watch("a_panic_or_an_exit_finishes_it");
    for builder in kinds(SOON) {
        let (a, b) = (builder.clone().build(|| boom(1)), builder.build(|| exit()));
        for timer in [a, b] {
            timer.start().unwrap();
            timer.wait_finished();
            timer.join().unwrap();
            assert!(timer.is_finished() && !timer.is_alive());
        }
    }
}

#[test]
fn waiting_for_it_with_and_without_a_limit() {
    let _watched = watch("waiting_for_it_with_and_without_a_limit");
    for builder in kinds(NEVER) {
        let timer = builder.build(|| unreachable!());
        timer.start().unwrap();
        assert_eq!(timer.join_timeout(Duration::ZERO), Ok(false));
        assert_eq!(timer.join_timeout(Duration::from_millis(1)), Ok(false));
        let waiter = spawn({
            let timer = timer.clone();
            move || timer.join_timeout(NEVER)
        });
        {
            let _guard = timer.cancel_on_drop();
        }
        assert_eq!(waiter.unwrap().join().unwrap(), Ok(true));
        assert!(timer.wait_finished_timeout(Duration::ZERO));
    }
}

/// Of the calling thread: where it may run, and how nice it is.
fn place() -> (String, String) {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let cpus = status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    (cpus.to_owned(), stat.rsplit(')').next().unwrap().split(' ').nth(17).unwrap().to_owned())
}

/// Not that of the clock, whose first user is tied to a CPU and makes way for everybody.
#[test]
fn it_runs_where_its_starter_may_run() {
    let _watched = watch("it_runs_where_its_starter_may_run");
    alone("timers::it_runs_where_its_starter_may_run", || {
        let started = |builder: TimerBuilder| {
            let (send, receive) = mpsc::channel();
            let timer = builder.build(move || send.send(place()).unwrap());
            timer.start().unwrap();
            (place(), receive)
        };
        let (all, own) = (cpus_in(&place().0), place().1.parse::<i32>().unwrap());
        let tied = Thread::builder().cpus([all[0]]).nice(own.max(10));
        let first = tied.clone().spawn(move || kinds(SOON).map(started)).unwrap().join().unwrap();
        let others = Thread::builder()
            .nice(own.max(5))
            .spawn(move || kinds(SOON).map(started))
            .unwrap()
            .join()
            .unwrap();
        // The clock has been another's since, and this one is tied again.
        let last = tied.spawn(move || kinds(SOON).map(started)).unwrap().join().unwrap();
        for (there, here) in first.into_iter().chain(kinds(SOON).map(started)).chain(others).chain(last) {
            assert_eq!(here.recv().unwrap(), there);
        }
    });
}

/// The CPUs in a list as the kernel writes it.
fn cpus_in(list: &str) -> Vec<usize> {
    let list = list.rsplit(':').next().unwrap().trim();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse().unwrap()..=last.parse().unwrap()
    };
    list.split(',').flat_map(range).collect()
}

/// Where the system gives no thread, the clock's own does.
#[test]
fn it_runs_although_there_is_no_thread() {
    let _watched = watch("it_runs_although_there_is_no_thread");
    alone("timers::it_runs_although_there_is_no_thread", || {
        let (send, receive) = mpsc::channel();
        let (give, take) = mpsc::channel::<Timer>();
        let timer = Timer::new(SOON, move || {
            let own = take.recv().unwrap();
            send.send((own.join(), own.join_timeout(NEVER))).unwrap();
        });
        give.send(timer.clone()).unwrap();
        gristmill::thread::set_stack_size(1 << 46).unwrap();
        timer.start().unwrap();
        timer.join().unwrap();
        let itself = JoinError::CurrentThread;
        assert_eq!(receive.recv().unwrap(), (Err(itself), Err(itself)));
        // Another one that runs there may ask for this one.
        let (send, receive) = mpsc::channel();
        let timer = Timer::after(SOON, move || send.send(timer.join()).unwrap()).unwrap();
        timer.join().unwrap();
        assert_eq!(receive.recv().unwrap(), Ok(()));
        let timer = Timer::builder(SOON).dedicated(true).build(|| ());
        assert!(matches!(timer.start(), Err(StartError::Os(_))));
        gristmill::thread::set_stack_size(0).unwrap();
        timer.start().unwrap();
        timer.join().unwrap();
    });
}
