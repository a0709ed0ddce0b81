//! The `_thread` level.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use gristmill::thread::{
    InvalidSignal, JoinError, MIN_STACK_SIZE, NSIG, StackSizeError, StartError, TIMEOUT_MAX, ThreadHandle,
    TimeoutError, count, exit, get_ident, get_native_id, interrupt_main, is_main_thread, set_stack_size,
    stack_size, start_joinable_thread, start_new_thread, take_interrupt, timeout_from_secs,
};

use crate::stage::{alone, until_closed};
use crate::suite::{ledger::Ledger, tick, until, watch::watch};

#[test]
fn a_detached_thread_has_the_number_that_was_returned() {
    let _watched = watch("a_detached_thread_has_the_number_that_was_returned");
    let (send, receive) = mpsc::channel();
    let told = start_new_thread(move || send.send((get_ident(), get_native_id())).unwrap()).unwrap();
    let (ident, native) = receive.recv().unwrap();
    assert_eq!(ident, told);
    assert_ne!(ident, get_ident());
    assert_ne!(native, get_native_id());
}

#[test]
fn numbers_are_not_used_again() {
    let _watched = watch("numbers_are_not_used_again");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..50 {
        let handle = start_joinable_thread(|| ()).unwrap();
        handle.join().unwrap();
        assert!(seen.insert(handle.ident().unwrap()));
        assert!(seen.insert(std::thread::spawn(get_ident).join().unwrap()));
    }
}

#[test]
fn a_handle_is_for_one_thread() {
    let _watched = watch("a_handle_is_for_one_thread");
    let handle = ThreadHandle::new();
    assert_eq!((handle.ident(), handle.native_id(), handle.is_done()), (None, None, false));
    assert_eq!(handle.join(), Err(JoinError::NotStarted));
    assert_eq!(handle.join_timeout(Duration::ZERO), Err(JoinError::NotStarted));
    handle.start(|| ()).unwrap();
    assert!(matches!(handle.start(|| unreachable!()), Err(StartError::AlreadyStarted)));
    handle.join().unwrap();
    handle.join().unwrap();
    assert!(matches!(handle.start_non_daemon(|| unreachable!()), Err(StartError::AlreadyStarted)));
    assert!(handle.is_done() && handle.join_timeout(Duration::ZERO).unwrap());
}

/// Also when the others know that it is over.
#[test]
fn a_thread_cannot_join_itself() {
    let _watched = watch("a_thread_cannot_join_itself");
    let handle = ThreadHandle::new();
    let own = handle.clone();
    let (send, receive) = mpsc::channel();
    handle.start(move || send.send(own.join()).unwrap()).unwrap();
    assert_eq!(receive.recv().unwrap(), Err(JoinError::CurrentThread));
    handle.join().unwrap();
}

#[test]
fn many_wait_for_one() {
    let _watched = watch("many_wait_for_one");
    for _ in 0..50 {
        let (handle, ends) = (ThreadHandle::new(), Arc::new(AtomicUsize::new(0)));
        let barrier = Arc::new(Barrier::new(5));
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let (handle, ends, barrier) = (handle.clone(), ends.clone(), barrier.clone());
                std::thread::spawn(move || {
                    barrier.wait();
                    until(|| handle.ident().is_some());
                    // Between its number and its start there is a moment when it cannot be joined yet.
                    while handle.join() == Err(JoinError::NotStarted) {
                        std::thread::yield_now();
                    }
                    assert_eq!(ends.load(Ordering::Relaxed), 1, "what the thread did is seen");
                })
            })
            .collect();
        barrier.wait();
        let mark = ends.clone();
        handle.start(move || mark.store(1, Ordering::Relaxed)).unwrap();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    }
}

/// The thread's own thread-locals are dropped before it is done.
#[test]
fn join_comes_after_the_thread_locals() {
    let _watched = watch("join_comes_after_the_thread_locals");
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            for _ in 0..100 {
                std::thread::yield_now();
            }
            tick(&DROPPED);
        }
    }
    thread_local!(static SLOW: Slow = const { Slow });
    for round in 1..=20 {
        let handle = start_joinable_thread(|| SLOW.with(|_| ())).unwrap();
        handle.join().unwrap();
        assert_eq!(DROPPED.load(Ordering::SeqCst), round);
    }
}

#[test]
fn exit_drops_what_the_thread_holds_and_says_nothing() {
    let _watched = watch("exit_drops_what_the_thread_holds_and_says_nothing");
    let Some(stderr) = alone("raw::exit_drops_what_the_thread_holds_and_says_nothing", || {
        let ledger = Ledger::default();
        let chit = ledger.chit();
        let handle = start_joinable_thread(move || {
            let _chit = chit;
            exit()
        })
        .unwrap();
        handle.join().unwrap();
        ledger.settled(0);
    }) else {
        return;
    };
    assert_eq!(stderr, "");
}

#[test]
fn threads_are_counted() {
    let _watched = watch("threads_are_counted");
    alone("raw::threads_are_counted", || {
        assert_eq!(count(), 0);
        let (send, receive) = mpsc::channel::<()>();
        let handle = start_joinable_thread(move || until_closed(&receive)).unwrap();
        assert_eq!(count(), 1);
        set_stack_size(1 << 46).unwrap();
        assert!(matches!(start_new_thread(|| ()), Err(StartError::Os(_))), "nobody has such a stack");
        set_stack_size(0).unwrap();
        assert_eq!(count(), 1);
        drop(send);
        handle.join().unwrap();
        assert_eq!(count(), 0);
    });
}

/// A handle whose start the system refused can be started.
#[test]
fn a_refused_handle_is_as_new() {
    let _watched = watch("a_refused_handle_is_as_new");
    alone("raw::a_refused_handle_is_as_new", || {
        let (handle, ledger) = (ThreadHandle::new(), Ledger::default());
        set_stack_size(1 << 46).unwrap();
        let chit = ledger.chit();
        assert!(matches!(handle.start(|| chit.run()), Err(StartError::Os(_))));
        assert_eq!((handle.ident(), handle.join()), (None, Err(JoinError::NotStarted)));
        set_stack_size(0).unwrap();
        let chit = ledger.chit();
        handle.start(|| chit.run()).unwrap();
        handle.join().unwrap();
        ledger.settled(1);
    });
}

#[test]
fn stacks_have_a_least_size() {
    let _watched = watch("stacks_have_a_least_size");
    alone("raw::stacks_have_a_least_size", || {
        assert_eq!(stack_size(), 0);
        for size in [1, 4_096, MIN_STACK_SIZE - 1, usize::MAX] {
            assert_eq!(set_stack_size(size), Err(StackSizeError(size)));
        }
        assert_eq!(stack_size(), 0);
        let sizes = [262_144, 1 << 20, MIN_STACK_SIZE, 1_000_001, 0];
        let mut before = 0;
        for size in sizes {
            assert_eq!(set_stack_size(size), Ok(before));
            assert_eq!(stack_size(), size);
            before = size;
            start_joinable_thread(|| ()).unwrap().join().unwrap();
        }
    });
}

/// The size that was asked for is there to be used.
#[test]
fn stacks_are_as_large_as_was_said() {
    let _watched = watch("stacks_are_as_large_as_was_said");
    fn fill(depth: usize) -> usize {
        let page = std::hint::black_box([1_u8; 4_096]);
        if depth == 0 { 0 } else { fill(depth - 1) + usize::from(page[depth % 4_096]) }
    }
    let builder = gristmill::threading::Thread::builder().stack_size(64 << 20).unwrap();
    // 32 MiB, in builds of any sort less than twice that.
    assert_eq!(builder.spawn(|| fill(8_000)).unwrap().join().unwrap(), 8_000);
}

#[test]
fn seconds_become_timeouts() {
    assert_eq!(timeout_from_secs(0.0), Ok(Duration::ZERO));
    assert_eq!(timeout_from_secs(1.5), Ok(Duration::from_millis(1_500)));
    assert_eq!(timeout_from_secs(TIMEOUT_MAX.as_secs() as f64), Ok(TIMEOUT_MAX));
    let too_long = TIMEOUT_MAX.as_secs() as f64 + 1.0;
    assert_eq!(timeout_from_secs(too_long), Err(TimeoutError::TooLong(too_long)));
    assert_eq!(timeout_from_secs(f64::INFINITY), Err(TimeoutError::TooLong(f64::INFINITY)));
    assert_eq!(timeout_from_secs(-0.1), Err(TimeoutError::Negative(-0.1)));
    assert_eq!(timeout_from_secs(f64::NAN), Err(TimeoutError::NotANumber));
    assert!(TimeoutError::Negative(-1.0).to_string().contains("must not be negative"));
}

#[test]
fn signals_are_numbered_from_one() {
    for signum in [-1, 0, NSIG, NSIG + 1, i32::MIN, i32::MAX] {
        assert_eq!(interrupt_main(signum), Err(InvalidSignal(signum)));
    }
    assert_eq!(InvalidSignal(65).to_string(), "65 is not a signal; they are numbered from 1 to 64");
}

/// The test harness has the main thread: it is interrupted there by a program of its own, in `runtime.rs`.
#[test]
fn only_the_main_thread_is_interrupted() {
    let _watched = watch("only_the_main_thread_is_interrupted");
    alone("raw::only_the_main_thread_is_interrupted", || {
        assert!(!is_main_thread());
        interrupt_main(2).unwrap();
        assert_eq!(take_interrupt(), None);
        let (send, receive) = mpsc::channel::<()>();
        let handle = start_joinable_thread(move || until_closed(&receive)).unwrap();
        drop(send);
        handle.join_interruptible().unwrap();
        let waited = std::panic::catch_unwind(gristmill::thread::wait_interrupt);
        assert!(waited.is_err(), "it would sleep for ever");
    });
}

/// A worker's slot is somebody else's while it joins.
#[test]
fn a_worker_that_joins_gives_its_slot_away() {
    let _watched = watch("a_worker_that_joins_gives_its_slot_away");
    let mill = crate::suite::closed_mill(1);
    mill.install(|| {
        let (send, receive) = mpsc::channel::<()>();
        gristmill::spawn(move || drop(send));
        start_joinable_thread(move || until_closed(&receive)).unwrap().join().unwrap();
    });
}
