//! Thread objects and the list of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use gristmill::contextvars::{ContextVar, copy_context, set_thread_inherit_context};
use gristmill::thread::{JoinError, StartError, exit, get_ident, get_native_id};
use gristmill::threading::{
    ContextPolicy, JoinFailure, Thread, Timer, active_count, current_thread, enumerate, main_thread, spawn,
};

use crate::stage::{alone, kept_alive};
use crate::suite::{boom::Boom, boom::boom, ledger::Ledger, tick, until, watch::watch};

#[test]
fn a_life() {
    let _watched = watch("a_life");
    let ((go, going), (send, receive)) = (mpsc::channel::<()>(), mpsc::channel());
    let thread = Thread::new(move || {
        send.send((current_thread(), get_ident(), get_native_id())).unwrap();
        going.recv().unwrap();
    });
    assert_eq!((thread.ident(), thread.native_id(), thread.is_alive()), (None, None, false));
    assert_eq!(thread.join(), Err(JoinError::NotStarted));
    assert_eq!(thread.join_timeout(Duration::from_secs(1)), Err(JoinError::NotStarted));
    assert!(!enumerate().contains(&thread));
    thread.start().unwrap();
    assert!(thread.is_alive() && enumerate().contains(&thread));
    let (current, ident, native) = receive.recv().unwrap();
    assert_eq!((&current, Some(ident), Some(native)), (&thread, thread.ident(), thread.native_id()));
    assert!(matches!(thread.start(), Err(StartError::AlreadyStarted)));
    assert!(matches!(thread.set_daemon(true), Err(StartError::AlreadyStarted)));
    assert_eq!(thread.join_timeout(Duration::ZERO), Ok(false));
    assert_eq!(thread.join_timeout(Duration::from_millis(1)), Ok(false));
    go.send(()).unwrap();
    thread.join().unwrap();
    assert!(!thread.is_alive() && !enumerate().contains(&thread));
    assert_eq!(thread.join_timeout(Duration::ZERO), Ok(true));
    assert_eq!((thread.ident(), thread.native_id()), (Some(ident), Some(native)));
    assert!(matches!(thread.start(), Err(StartError::AlreadyStarted)));
}

#[test]
fn what_a_thread_captured_is_dropped_once() {
    let _watched = watch("what_a_thread_captured_is_dropped_once");
    let ledger = Ledger::default();
    let (ran, never, panics) = (ledger.chit(), ledger.chit(), ledger.chit());
    let thread = Thread::new(move || ran.run());
    thread.start().unwrap();
    thread.join().unwrap();
    drop(Thread::new(move || never.run()));
    let thread = Thread::new(move || {
        let _panics = panics;
        boom(1);
    });
    thread.start().unwrap();
    thread.join().unwrap();
    ledger.settled(1);
}

/// The object is as new, and nothing is lost, when the system refuses.
#[test]
fn a_refused_start_can_be_repeated() {
    let _watched = watch("a_refused_start_can_be_repeated");
    alone("objects::a_refused_start_can_be_repeated", || {
        let (ledger, before) = (Ledger::default(), active_count());
        let chit = ledger.chit();
        let thread = Thread::new(move || chit.run());
        gristmill::thread::set_stack_size(1 << 46).unwrap();
        assert!(matches!(thread.start(), Err(StartError::Os(_))));
        assert_eq!((thread.ident(), thread.is_alive(), active_count()), (None, false, before));
        assert_eq!(thread.join(), Err(JoinError::NotStarted));
        thread.set_daemon(true).unwrap();
        gristmill::thread::set_stack_size(0).unwrap();
        thread.start().unwrap();
        thread.join().unwrap();
        ledger.settled(1);
    });
}

#[test]
fn cpus_and_niceness_are_set_before_it_begins() {
    let _watched = watch("cpus_and_niceness_are_set_before_it_begins");
    let cpu = spawn(current_cpu).unwrap().join().unwrap();
    let cpus = Thread::builder().cpus([cpu]).spawn(current_cpu).unwrap().join().unwrap();
    assert_eq!(cpus, cpu);
    fn nice() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit(')').next().unwrap().split(' ').nth(17).unwrap().to_owned()
    }
    assert_eq!(Thread::builder().nice(19).spawn(nice).unwrap().join().unwrap(), "19");
}

fn current_cpu() -> usize {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split(' ').nth(37).unwrap().parse().unwrap()
}

#[test]
fn a_thread_that_cannot_be_set_up_does_nothing() {
    let _watched = watch("a_thread_that_cannot_be_set_up_does_nothing");
    let ledger = Ledger::default();
    for cpus in [vec![], vec![9_999]] {
        let chit = ledger.chit();
        let thread = Thread::builder().cpus(cpus).build(move || chit.run());
        let error = thread.start().unwrap_err();
        assert!(error.to_string().contains("the CPUs to run on"), "{error}");
        thread.join().unwrap();
        let chit = ledger.chit();
        assert!(Thread::builder().cpus([9_999]).spawn(move || chit.run()).is_err());
    }
    until(|| ledger.dropped() == ledger.made());
    ledger.settled(0);
}

#[test]
fn daemons_beget_daemons() {
    let _watched = watch("daemons_beget_daemons");
    fn child(daemon: bool) -> bool {
        Thread::builder().daemon(daemon).spawn(|| Thread::new(|| ()).is_daemon()).unwrap().join().unwrap()
    }
    assert!(child(true));
    assert!(!child(false));
    // As in Python, whoever was started by others is one.
    assert!(std::thread::spawn(|| Thread::new(|| ()).is_daemon()).join().unwrap());
    assert!(std::thread::spawn(|| current_thread().is_daemon()).join().unwrap());
    assert!(!main_thread().is_daemon());
    let thread = Thread::new(|| ());
    thread.set_daemon(false).unwrap();
    assert!(!thread.is_daemon());
}

#[test]
fn results_come_back() {
    let _watched = watch("results_come_back");
    assert_eq!(spawn(|| 6 * 7).unwrap().join().unwrap(), 42);
    match spawn(|| -> u8 { boom(5) }).unwrap().join() {
        Err(JoinFailure::Panicked(payload)) => assert_eq!(payload.downcast_ref::<Boom>(), Some(&Boom(5))),
        other => panic!("{other:?}"),
    }
    assert!(matches!(spawn(|| -> u8 { exit() }).unwrap().join(), Err(JoinFailure::Exited)));
    let ((send, receive), ledger) = (mpsc::channel::<()>(), Ledger::default());
    let chit = ledger.chit();
    let handle = spawn(move || {
        receive.recv().unwrap_err();
        chit
    });
    let handle = handle.unwrap().join_timeout(Duration::ZERO).unwrap_err();
    assert!(!handle.is_finished());
    let thread = handle.thread().clone();
    drop((handle, send));
    thread.join().unwrap();
    ledger.settled(0);
}

/// A result that nobody wants and that panics when it is dropped is reported, and ends nothing else.
#[test]
fn a_result_that_panics_when_it_is_dropped() {
    let _watched = watch("a_result_that_panics_when_it_is_dropped");
    let (send, receive) = mpsc::channel::<()>();
    let handle = spawn(move || {
        receive.recv().unwrap_err();
        crate::suite::boom::quiet();
        crate::suite::boom::Bomb(3)
    })
    .unwrap();
    let thread = handle.thread().clone();
    drop((handle, send));
    thread.join().unwrap();
}

#[test]
fn a_stranger_gets_an_object_and_leaves() {
    let _watched = watch("a_stranger_gets_an_object_and_leaves");
    let thread = std::thread::spawn(|| {
        let thread = current_thread();
        assert_eq!(thread, current_thread());
        assert!(thread.name().starts_with("Dummy-"));
        assert!(thread.is_alive() && thread.is_daemon() && enumerate().contains(&thread));
        assert_eq!(thread.join(), Err(JoinError::CurrentThread));
        assert!(matches!(thread.start(), Err(StartError::AlreadyStarted)));
        assert_eq!((thread.ident(), thread.native_id()), (Some(get_ident()), Some(get_native_id())));
        thread
    })
    .join()
    .unwrap();
    assert_eq!(thread.join(), Err(JoinError::Foreign));
    // std's join waits for its thread-locals.
    assert!(!thread.is_alive() && !enumerate().contains(&thread));
}

/// Whoever asks in a destructor of a thread-local gets an answer, and nobody stays listed.
#[test]
fn asking_with_the_last_breath() {
    let _watched = watch("asking_with_the_last_breath");
    struct Asks(mpsc::Sender<Thread>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let _ = self.0.send(current_thread());
        }
    }
    thread_local!(static FIRST: std::cell::OnceCell<Asks> = const { std::cell::OnceCell::new() });
    let (send, receive) = mpsc::channel();
    for asks_before in [false, true] {
        let send = send.clone();
        std::thread::spawn(move || {
            FIRST.with(|first| drop(first.set(Asks(send))));
            if asks_before {
                let _ = current_thread();
            }
        })
        .join()
        .unwrap();
        let thread = receive.recv().unwrap();
        assert!(!enumerate().contains(&thread));
    }
    // In one of ours the thread is itself until the end.
    let handle = spawn(move || FIRST.with(|first| drop(first.set(Asks(send))))).unwrap();
    let thread = handle.thread().clone();
    handle.join().unwrap();
    assert_eq!(receive.recv().unwrap(), thread);
}

#[test]
fn the_list_is_right_while_threads_come_and_go() {
    let _watched = watch("the_list_is_right_while_threads_come_and_go");
    alone("objects::the_list_is_right_while_threads_come_and_go", || {
        let me = current_thread();
        assert_eq!(enumerate(), [main_thread(), me.clone()]);
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    for _ in 0..100 {
                        let thread = Thread::new(|| assert!(enumerate().contains(&current_thread())));
                        thread.start().unwrap();
                        thread.join().unwrap();
                        assert!(!enumerate().contains(&thread), "joined, so gone");
                    }
                });
            }
            for _ in 0..200 {
                let listed = enumerate();
                assert_eq!(listed[0], main_thread());
                assert_eq!(listed.iter().collect::<HashSet<_>>().len(), listed.len());
            }
        });
        assert_eq!((enumerate(), active_count()), (vec![main_thread(), me], 2));
    });
}

#[test]
fn one_of_many_starts_it() {
    let _watched = watch("one_of_many_starts_it");
    for _ in 0..50 {
        let (runs, barrier) = (Arc::new(AtomicUsize::new(0)), Barrier::new(4));
        let counter = runs.clone();
        let thread = Thread::new(move || tick(&counter));
        let started = AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    barrier.wait();
                    match thread.start() {
                        Ok(()) => tick(&started),
                        Err(error) => assert!(matches!(error, StartError::AlreadyStarted), "{error}"),
                    }
                });
            }
        });
        thread.join().unwrap();
        assert_eq!((runs.load(Ordering::SeqCst), started.into_inner()), (1, 1));
    }
}

#[test]
fn objects_are_shared_freely() {
    fn shared<T: Send + Sync + Clone + Eq + std::hash::Hash + std::fmt::Debug>() {}
    shared::<Thread>();
    let (thread, end) = kept_alive();
    assert_eq!(thread.clone(), thread);
    assert_ne!(thread, Thread::new(|| ()));
    drop(end);
    thread.join().unwrap();
}

#[test]
fn threads_begin_in_the_context_that_was_chosen() {
    let _watched = watch("threads_begin_in_the_context_that_was_chosen");
    alone("objects::threads_begin_in_the_context_that_was_chosen", || {
        static NAME: ContextVar<&str> = ContextVar::new("name");
        let seen = |policy| {
            let builder = Thread::builder().context(policy);
            builder.spawn(|| (NAME.get(), drop(NAME.set("theirs")))).unwrap().join().unwrap().0
        };
        NAME.set("mine");
        assert_eq!(seen(ContextPolicy::Copy), Some("mine"));
        assert_eq!(seen(ContextPolicy::Empty), None);
        set_thread_inherit_context(true);
        assert_eq!(seen(ContextPolicy::default()), Some("mine"));
        set_thread_inherit_context(false);
        assert_eq!(seen(ContextPolicy::default()), None);
        // What it sets in a context of its own stays there; one that somebody is in ends the thread.
        let context = Arc::new(copy_context());
        assert_eq!(seen(ContextPolicy::In(context.clone())), Some("mine"));
        assert_eq!(context.get(&NAME), Some("theirs"));
        let inside = || Thread::builder().context(ContextPolicy::In(context.clone())).spawn(|| ());
        let refused = context.run(|| inside().unwrap().join()).unwrap();
        assert!(matches!(refused, Err(JoinFailure::Panicked(_))));
        assert_eq!(NAME.get(), Some("mine"));
        // It is the context of the moment when the thread, or the timer, is started.
        let (send, receive) = mpsc::channel();
        let copies = Thread::builder().context(ContextPolicy::Copy);
        let (thread_sends, timer_sends) = (send.clone(), send);
        let thread = copies.clone().build(move || thread_sends.send(NAME.get()).unwrap());
        let timer = Timer::builder(Duration::from_millis(1)).thread(copies);
        let timer = timer.build(move || timer_sends.send(NAME.get()).unwrap());
        NAME.set("later");
        thread.start().unwrap();
        timer.start().unwrap();
        NAME.set("too late");
        thread.join().unwrap();
        timer.join().unwrap();
        assert_eq!(receive.iter().collect::<Vec<_>>(), [Some("later"); 2]);
    });
}
