//! What a forked child finds.

#![allow(unsafe_code, reason = "forks")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gristmill::sched::{Job, TimerWheel};
use gristmill::thread::{
    Ident, ThreadHandle, count, get_ident, get_native_id, is_main_thread, start_joinable_thread,
};
use gristmill::threading::{
    JoinFailure, Local, Thread, Timer, active_count, current_thread, enumerate, main_thread, register_atexit,
    set_excepthook, shutdown, spawn,
};

use crate::stage::{alone, kept_alive, until_closed};
use crate::suite::watch::watch;

/// Forks; the child runs `f` and ends with status 0 if that returns. Waits for it.
fn in_fork(f: impl FnOnce()) {
    // SAFETY: the child uses what a fork leaves intact (the C library repairs its own allocator) and ends.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(if ended.is_ok() { 0 } else { 1 }) };
    }
    assert_eq!(status_of(pid), 0, "the child failed");
}

fn status_of(pid: i32) -> i32 {
    let mut status = -1;
    // SAFETY: waits for our own child; `status` is writable.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

/// The child can do all that the parent can.
fn everything_works() {
    let thread = Thread::new(|| assert!(enumerate().contains(&current_thread())));
    thread.start().unwrap();
    thread.join().unwrap();
    assert_eq!(spawn(|| 42).unwrap().join().unwrap(), 42);
    start_joinable_thread(|| ()).unwrap().join().unwrap();
    let timer = Timer::after(Duration::from_millis(1), || ()).unwrap();
    timer.join().unwrap();
    let local = Local::new(|| 1);
    local.with_mut(|one| *one += 1);
    assert_eq!(local.get(), Some(2));
    let (send, receive) = mpsc::channel();
    let send = Mutex::new(send);
    set_excepthook(Some(Arc::new(move |args| send.lock().unwrap().send(args.to_string()).unwrap())));
    let thread = Thread::builder().name("t").build(|| panic!("told"));
    thread.start().unwrap();
    thread.join().unwrap();
    set_excepthook(None);
    assert_eq!(receive.recv().unwrap(), "thread 't' panicked: told");
}

#[test]
fn a_stranger_that_forks_becomes_the_main_thread() {
    let _watched = watch("a_stranger_that_forks_becomes_the_main_thread");
    alone("forks::a_stranger_that_forks_becomes_the_main_thread", || {
        let (other, end) = kept_alive();
        let handle = ThreadHandle::new();
        let (stop, stopped) = mpsc::channel::<()>();
        handle.start_non_daemon(move || until_closed(&stopped)).unwrap();
        let (old_main, me, ident) = (main_thread(), current_thread(), get_ident());
        assert!(me.name().starts_with("Dummy-") && !is_main_thread());
        let late = Timer::after(Duration::from_secs(3_600), || ()).unwrap();
        in_fork(|| {
            assert!(is_main_thread());
            assert_eq!((get_ident(), current_thread(), main_thread()), (ident, me.clone(), me.clone()));
            assert_eq!((&*me.name(), me.is_daemon(), me.is_alive()), ("MainThread", false, true));
            assert_eq!(me.native_id(), Some(get_native_id()));
            assert_eq!((enumerate(), active_count(), count()), (vec![me.clone()], 1, 0));
            assert!(!other.is_alive() && !old_main.is_alive() && handle.is_done());
            assert_eq!((other.join(), handle.join(), old_main.join()), (Ok(()), Ok(()), Ok(())));
            assert!(!late.is_alive());
            late.join().unwrap();
            late.cancel();
            everything_works();
            assert_eq!(enumerate(), std::slice::from_ref(&me));
            // The end of the child waits for nobody of the parent's.
            assert!(shutdown());
        });
        assert!(other.is_alive() && late.is_alive() && me.name().starts_with("Dummy-"));
        late.cancel();
        drop((end, stop));
        other.join().unwrap();
        handle.join().unwrap();
    });
}

#[test]
fn one_that_never_asked_becomes_the_main_thread() {
    let _watched = watch("one_that_never_asked_becomes_the_main_thread");
    alone("forks::one_that_never_asked_becomes_the_main_thread", || {
        let (_other, _end) = kept_alive();
        in_fork(|| {
            std::thread::spawn(|| assert_eq!(&*main_thread().name(), "MainThread")).join().unwrap();
            assert_eq!((current_thread(), enumerate()), (main_thread(), vec![main_thread()]));
            assert_eq!(main_thread().ident(), Some(get_ident()));
            everything_works();
        });
    });
}

/// It keeps its name, and goes on in its own function.
#[test]
fn one_of_ours_that_forks() {
    let _watched = watch("one_of_ours_that_forks");
    alone("forks::one_of_ours_that_forks", || {
        let thread = Thread::builder().name("forks").daemon(false).spawn(|| {
            let me = current_thread();
            in_fork(|| {
                assert_eq!((main_thread(), current_thread()), (me.clone(), me.clone()));
                assert_eq!((&*me.name(), me.is_alive(), count()), ("forks", true, 1));
                assert_eq!(me.native_id(), Some(get_native_id()));
                everything_works();
                assert!(shutdown());
            });
            // A child of the child.
            in_fork(|| in_fork(everything_works));
        });
        thread.unwrap().join().unwrap();
    });
}

/// The thread's function returns in the child, which was forked in it: the child ends, with status 0.
#[test]
fn a_raw_thread_that_forks_may_return() {
    let _watched = watch("a_raw_thread_that_forks_may_return");
    alone("forks::a_raw_thread_that_forks_may_return", || {
        let (send, receive) = mpsc::channel();
        let forks = move || {
            // SAFETY: as in `in_fork`.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                assert!(is_main_thread());
                everything_works();
            } else {
                send.send(pid).unwrap();
            }
        };
        start_joinable_thread(forks.clone()).unwrap().join().unwrap();
        assert_eq!(status_of(receive.recv().unwrap()), 0);
        let thread = Thread::builder().daemon(false).build(forks);
        thread.start().unwrap();
        thread.join().unwrap();
        assert_eq!(status_of(receive.recv().unwrap()), 0);
    });
}

/// What others do while a test forks.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Threads,
    Timers,
    Hooks,
    Locals,
}

/// Forks in the middle of what others do.
fn fork_among(others: &[Doing], in_child: impl Fn()) {
    let (stop, local) = (std::sync::atomic::AtomicBool::new(false), Local::new(|| vec![1]));
    let order = std::sync::atomic::Ordering::Relaxed;
    let begun = std::sync::Barrier::new(others.len() + 1);
    std::thread::scope(|s| {
        for &doing in others {
            let (stop, local, begun) = (&stop, &local, &begun);
            s.spawn(move || {
                begun.wait();
                while !stop.load(order) {
                    match doing {
                        Doing::Threads => drop(spawn(|| current_thread().name()).unwrap().join().unwrap()),
                        Doing::Timers => {
                            Timer::after(Duration::from_micros(50), || ()).unwrap().join().unwrap()
                        }
                        Doing::Hooks => {
                            let before = set_excepthook(Some(Arc::new(|_| ())));
                            current_thread().set_name("renamed");
                            drop(set_excepthook(before));
                        }
                        Doing::Locals => {
                            local.with_mut(|numbers| numbers.push(1));
                            assert_eq!(Local::new(|| 1).get(), Some(1));
                            let _: (Vec<Thread>, Ident) = (enumerate(), get_ident());
                        }
                    }
                }
            });
        }
        begun.wait();
        for _ in 0..40 {
            in_fork(|| {
                in_child();
                assert_eq!(local.get(), Some(vec![1]));
                register_atexit(|| ()).unwrap();
                assert!(shutdown());
            });
        }
        stop.store(true, order);
    });
}

#[test]
fn forks_while_others_work() {
    let _watched = watch("forks_while_others_work");
    alone("forks::forks_while_others_work", || {
        // No threads begin or end meanwhile: the standard library has a lock around both (it notes where stacks end), and a
        // child in which that is held for good can start no thread.
        fork_among(&[Doing::Hooks, Doing::Locals, Doing::Locals], everything_works);
    });
}

#[test]
fn forks_while_threads_begin_and_end() {
    let _watched = watch("forks_while_threads_begin_and_end");
    alone("forks::forks_while_threads_begin_and_end", || {
        let others = [Doing::Threads, Doing::Timers, Doing::Hooks, Doing::Locals];
        fork_among(&others, || {
            assert_eq!(enumerate(), [current_thread()]);
            current_thread().set_name("child");
            let late = Timer::new(Duration::from_secs(3_600), || ());
            late.cancel();
            let local = Local::new(|| 1);
            local.with_mut(|one| *one += 1);
            assert_eq!(local.get(), Some(2));
            set_excepthook(None);
        });
    });
}

/// The value of a thread that is not in the child is not given back there.
#[test]
fn a_result_that_was_left_behind() {
    let _watched = watch("a_result_that_was_left_behind");
    alone("forks::a_result_that_was_left_behind", || {
        let (stop, stopped) = mpsc::channel::<()>();
        let handle = Mutex::new(Some(spawn(move || until_closed(&stopped)).unwrap()));
        in_fork(|| {
            let handle = handle.lock().unwrap().take().unwrap();
            assert!(matches!(handle.join(), Err(JoinFailure::Gone)));
        });
        drop(stop);
        let handle = handle.lock().unwrap().take();
        handle.unwrap().join().unwrap();
    });
}

/// Its thread is not in the child, which neither waits for it nor takes its timers away.
#[test]
fn a_wheel_whose_thread_was_left_behind() {
    let _watched = watch("a_wheel_whose_thread_was_left_behind");
    alone("forks::a_wheel_whose_thread_was_left_behind", || {
        let wheel = TimerWheel::new(|job: Job| job()).start().unwrap();
        let dropped = Arc::new(());
        let witness = Arc::clone(&dropped);
        wheel.enter_after(Duration::from_secs(3_600), move || drop(witness)).unwrap();
        let wheel = Mutex::new(Some(wheel));
        in_fork(|| {
            drop(wheel.lock().unwrap().take());
            assert_eq!(Arc::strong_count(&dropped), 2);
        });
        drop(wheel.lock().unwrap().take());
        assert_eq!(Arc::strong_count(&dropped), 1);
    });
}

/// A child that is forked while another thread locks something in shared memory for the first time in its process.
#[test]
fn a_first_lock_in_shared_memory_in_the_middle_of_a_fork() {
    static STAGE: AtomicUsize = AtomicUsize::new(0);
    static DELAY: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn about_to_fork() {
        STAGE.store(1, Ordering::SeqCst);
        while STAGE.load(Ordering::SeqCst) == 1 {
            std::thread::yield_now();
        }
        // Not too early, and not too late.
        for _ in 0..DELAY.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
    }
    let _watched = watch("a_first_lock_in_shared_memory_in_the_middle_of_a_fork");
    alone("forks::a_first_lock_in_shared_memory_in_the_middle_of_a_fork", || {
        let lock = || drop(gristmill::sync::Mutex::shared(()).lock().unwrap());
        for round in 0..50 {
            DELAY.store(round * 16, Ordering::SeqCst);
            // A process in which nobody has locked anything yet.
            in_fork(|| {
                // SAFETY: the handler touches an atomic only.
                assert_eq!(unsafe { libc::pthread_atfork(Some(about_to_fork), None, None) }, 0);
                std::thread::scope(|s| {
                    s.spawn(|| {
                        while STAGE.load(Ordering::SeqCst) == 0 {
                            std::thread::yield_now();
                        }
                        STAGE.store(2, Ordering::SeqCst);
                        lock();
                    });
                    in_fork(|| {
                        // SAFETY: ends a child that waits for a thread which it has not.
                        unsafe { libc::alarm(10) };
                        lock();
                    });
                });
            });
        }
    });
}

/// Handlers of others, which run while ours hold what a fork must find whole.
#[test]
fn handlers_of_others_may_ask_for_names() {
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn ask() {
        NAMES.fetch_add(current_thread().name().len(), Ordering::SeqCst);
    }
    let _watched = watch("handlers_of_others_may_ask_for_names");
    alone("forks::handlers_of_others_may_ask_for_names", || {
        // SAFETY: the handler is for this test's forks, in which no other thread keeps it waiting.
        assert_eq!(unsafe { libc::pthread_atfork(Some(ask), Some(ask), Some(ask)) }, 0);
        let name = current_thread().name().len();
        in_fork(|| assert!(NAMES.load(Ordering::SeqCst) >= 2 * name));
        assert_eq!(NAMES.load(Ordering::SeqCst), 2 * name);
    });
}
