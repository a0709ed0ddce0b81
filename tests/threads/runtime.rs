//! The end of the process. Each test has a process to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gristmill::thread::{JoinError, ShuttingDown, StartError, ThreadHandle, start_new_thread};
use gristmill::threading::{
    Runtime, Thread, Timer, main_thread, register_atexit, set_excepthook, shutdown, spawn,
};

use crate::stage::{alone, times, until_closed};
use crate::suite::{ledger::Ledger, tick, until, watch::watch};

#[test]
fn threads_are_waited_for_and_daemons_are_not() {
    let _watched = watch("threads_are_waited_for_and_daemons_are_not");
    alone("runtime::threads_are_waited_for_and_daemons_are_not", || {
        let (stop, stopped) = mpsc::channel::<()>();
        let ended = Arc::new(AtomicUsize::new(0));
        let daemon = Thread::builder().daemon(true).build(move || until_closed(&stopped));
        daemon.start().unwrap();
        let chain = {
            let ended = ended.clone();
            Thread::builder().daemon(false).build(move || {
                std::thread::sleep(Duration::from_millis(5));
                // Threads may be started as long as others are waited for.
                let last = ended.clone();
                Thread::new(move || tick(&last)).start().unwrap();
                tick(&ended);
            })
        };
        chain.start().unwrap();
        let raw = ThreadHandle::new();
        let raw_ended = ended.clone();
        raw.start_non_daemon(move || {
            std::thread::sleep(Duration::from_millis(10));
            tick(&raw_ended);
        })
        .unwrap();
        let timer_ended = ended.clone();
        let timer = Timer::builder(Duration::from_millis(15)).daemon(false);
        timer.build(move || tick(&timer_ended)).start().unwrap();
        assert!(shutdown());
        assert_eq!(ended.load(Ordering::SeqCst), 4);
        assert!(raw.is_done() && !chain.is_alive() && daemon.is_alive());
        assert_eq!(daemon.join(), Err(JoinError::ShuttingDown));
        assert_eq!(daemon.join_timeout(Duration::ZERO), Err(JoinError::ShuttingDown));
        assert_eq!(chain.join(), Ok(()));
        drop(stop);
        until(|| !daemon.is_alive());
        assert_eq!(daemon.join(), Ok(()), "one that has ended can be joined");
    });
}

#[test]
fn late_starts_are_refused() {
    let _watched = watch("late_starts_are_refused");
    alone("runtime::late_starts_are_refused", || {
        let ledger = Ledger::default();
        let early = Timer::builder(Duration::from_secs(3_600)).daemon(true).build({
            let chit = ledger.chit();
            move || chit.run()
        });
        early.start().unwrap();
        assert!(shutdown());
        assert!(!shutdown(), "the second does nothing");
        for daemon in [false, true] {
            let chit = ledger.chit();
            let thread = Thread::builder().daemon(daemon).build(move || chit.run());
            assert!(matches!(thread.start(), Err(StartError::ShuttingDown)));
            assert_eq!(thread.join(), Err(JoinError::NotStarted));
            let chit = ledger.chit();
            let timer = Timer::builder(Duration::ZERO).daemon(daemon).build(move || chit.run());
            assert!(matches!(timer.start(), Err(StartError::ShuttingDown)));
        }
        let chit = ledger.chit();
        assert!(matches!(start_new_thread(|| chit.run()), Err(StartError::ShuttingDown)));
        let chit = ledger.chit();
        assert_eq!(register_atexit(|| chit.run()), Err(ShuttingDown));
        assert!(early.cancel());
        ledger.settled(0);
    });
}

#[test]
fn hooks_run_last_first_before_threads_are_waited_for() {
    let _watched = watch("hooks_run_last_first_before_threads_are_waited_for");
    let Some(stderr) = alone("runtime::hooks_run_last_first_before_threads_are_waited_for", || {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = mpsc::channel::<()>();
        let note = |what: &'static str| {
            let order = order.clone();
            move || order.lock().unwrap().push(what)
        };
        register_atexit(note("first registered")).unwrap();
        register_atexit(move || drop(stop)).unwrap();
        register_atexit(|| panic!("a hook broke")).unwrap();
        register_atexit(|| assert_eq!(register_atexit(|| ()), Err(ShuttingDown))).unwrap();
        register_atexit(note("last registered")).unwrap();
        let ends = note("thread");
        let thread = Thread::builder().daemon(false).build(move || {
            until_closed(&stopped);
            std::thread::sleep(Duration::from_millis(5));
            ends();
        });
        thread.start().unwrap();
        shutdown();
        assert_eq!(*order.lock().unwrap(), ["last registered", "first registered", "thread"]);
    }) else {
        return;
    };
    assert_eq!(times(&stderr, "a hook broke"), 1, "{stderr}");
}

/// Others may wait for the main thread; it ends when the process begins to.
#[test]
fn the_main_thread_can_be_joined() {
    let _watched = watch("the_main_thread_can_be_joined");
    alone("runtime::the_main_thread_can_be_joined", || {
        let main = main_thread();
        assert!(main.is_alive());
        assert_eq!(main.join_timeout(Duration::ZERO), Ok(false));
        let waiter = spawn(|| main_thread().join()).unwrap();
        assert!(matches!(waiter.thread().set_daemon(false), Err(StartError::AlreadyStarted)));
        shutdown();
        until(|| waiter.is_finished());
        assert!(!main.is_alive());
        assert_eq!(main.join(), Ok(()));
    });
}

/// The thread that shuts down need not be the main thread, and does not wait for itself.
#[test]
fn any_thread_may_shut_down() {
    let _watched = watch("any_thread_may_shut_down");
    alone("runtime::any_thread_may_shut_down", || {
        let thread = Thread::builder().daemon(false).build(|| assert!(shutdown()));
        thread.start().unwrap();
        thread.join().unwrap();
        assert!(!shutdown());
    });
}

#[test]
fn a_guard_shuts_down_even_when_it_is_passed_by_a_panic() {
    let _watched = watch("a_guard_shuts_down_even_when_it_is_passed_by_a_panic");
    alone("runtime::a_guard_shuts_down_even_when_it_is_passed_by_a_panic", || {
        let thread = Thread::builder().daemon(false).build(|| std::thread::sleep(Duration::from_millis(5)));
        let main = std::panic::catch_unwind(|| {
            let _runtime = Runtime::new();
            thread.start().unwrap();
            panic!("main failed");
        });
        assert!(main.is_err() && !thread.is_alive() && !shutdown());
    });
}

/// Starting while the end begins: a thread that was started is waited for, one that was not says so.
#[test]
fn nobody_is_started_and_forgotten() {
    let _watched = watch("nobody_is_started_and_forgotten");
    alone("runtime::nobody_is_started_and_forgotten", || {
        set_excepthook(None);
        let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (started, ended) = (started.clone(), ended.clone());
                std::thread::spawn(move || {
                    loop {
                        let ended = ended.clone();
                        match Thread::builder().daemon(false).build(move || tick(&ended)).start() {
                            Ok(()) => tick(&started),
                            Err(StartError::ShuttingDown) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        until(|| started.load(Ordering::SeqCst) > 20);
        shutdown();
        let at_the_end = ended.load(Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(at_the_end, started.load(Ordering::SeqCst));
    });
}
