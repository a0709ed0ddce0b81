//! How many threads a pool has, what they are called, and who runs tasks besides them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use gristmill::concurrent::futures::{SubmitError, ThreadPoolExecutor};

use crate::held::{hold, pool};
use crate::suite::watch::watch;
use crate::suite::{child, tick, until};

#[test]
fn threads_have_names() {
    let name = || std::thread::current().name().unwrap_or("?").to_owned();
    let named = ThreadPoolExecutor::builder().max_workers(3).thread_name_prefix("grind").build().unwrap();
    for _ in 0..50 {
        let name = named.submit(name).unwrap().result().unwrap();
        let number = name.strip_prefix("grind_").unwrap_or_else(|| panic!("{name}"));
        assert!(number.parse::<usize>().is_ok());
    }
    let usual = ThreadPoolExecutor::builder().max_workers(1).caller_runs(false).build().unwrap();
    let name = usual.submit(name).unwrap().result().unwrap();
    assert!(name.starts_with("ThreadPoolExecutor-") && name.ends_with("_0"), "{name}");
}

#[test]
fn zero_workers_are_none() {
    assert!(ThreadPoolExecutor::new(0).unwrap_err().to_string().contains("workers = 0"));
    assert!(pool(3).max_workers() == 3);
}

#[test]
fn threads_start_when_they_are_needed() {
    let started = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&started);
    let pool =
        ThreadPoolExecutor::builder().max_workers(4).initializer(move || tick(&counts)).build().unwrap();
    let mut holds = Vec::new();
    for running in 1..=4 {
        holds.push(hold(&pool));
        // Who has found work sees to it that somebody looks for more.
        assert!((running..=running + 1).contains(&started.load(Ordering::SeqCst)));
    }
    drop(holds);
    pool.shutdown();
    assert_eq!(started.load(Ordering::SeqCst), 4, "and no more than those");
}

#[test]
fn an_initializer_runs_once_in_each_thread_before_its_tasks() {
    thread_local! { static READY: std::cell::Cell<u32> = const { std::cell::Cell::new(0) }; }
    let pool = ThreadPoolExecutor::builder()
        .max_workers(3)
        .initializer(|| READY.set(READY.get() + 1))
        .build()
        .unwrap();
    for _ in 0..100 {
        assert_eq!(pool.submit(|| READY.get()).unwrap().result().unwrap(), 1);
    }
    assert_eq!(READY.get(), 0, "no caller runs tasks of a pool with an initializer");
}

/// Threads that spare others, and callers, never make more tasks run than there are workers.
#[test]
fn no_more_tasks_run_than_there_are_workers() {
    let _watched = watch("most");
    let pool = pool(2);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..300 {
                    let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                    let task = pool.submit(move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                    task.unwrap().result().unwrap();
                }
            });
        }
    });
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

#[test]
fn callers_run_in_the_mill_when_they_run() {
    let _watched = watch("callers");
    let pool = pool(2);
    let mut threads = HashSet::new();
    for _ in 0..200 {
        let task = pool.submit(|| (std::thread::current().id(), gristmill::worker_index().is_some()));
        let (thread, seated) = task.unwrap().result().unwrap();
        assert!(seated);
        threads.insert(thread);
    }
    assert!(!threads.is_empty());
}

/// The slot of a worker that blocks is free, and no other thread may be started.
#[test]
fn a_caller_with_a_small_stack_runs_no_tasks() {
    let _watched = watch("small stack");
    for _ in 0..20 {
        let pool = ThreadPoolExecutor::builder().max_workers(1).max_spares(0).build().unwrap();
        let (go, wait) = channel::<()>();
        let held = pool.submit(move || gristmill::blocking(|| wait.recv().is_err())).unwrap();
        until(|| held.running());
        let future = pool.submit(|| std::thread::current().id()).unwrap();
        let (ready, begins) = channel();
        let waiter = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            ready.send(()).unwrap();
            future.result().unwrap() == std::thread::current().id()
        });
        begins.recv().unwrap();
        std::thread::yield_now();
        drop(go);
        assert!(!waiter.unwrap().join().unwrap());
    }
}

/// The only thread waits for a task that is behind it in the queue, and the system starts no other.
#[test]
fn a_pool_that_gets_no_more_threads_makes_do_with_those_it_has() {
    let name = "threads::a_pool_that_gets_no_more_threads_makes_do_with_those_it_has";
    if !child::is_child() {
        let output = child::run(name);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let _watched = watch("no more threads");
    let pool = ThreadPoolExecutor::builder().max_workers(1).strict_fifo(true).build().unwrap();
    let (pool, stack) = (Arc::new(pool), 1 << 20);
    pool.submit(|| ()).unwrap().result().unwrap();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let all = pages * 4096 + stack;
    let limit = libc::rlimit { rlim_cur: all, rlim_max: all };
    // SAFETY: it reads the limit, which is this child's own.
    #[allow(unsafe_code, reason = "a test of what the system refuses")]
    let limited = unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
    assert_eq!(limited, 0);
    assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "the limit holds");
    let inner = Arc::clone(&pool);
    let outer = pool.submit(move || inner.submit(|| 5).unwrap().result().unwrap()).unwrap();
    assert_eq!(outer.result().unwrap(), 5);
}

#[test]
fn a_forked_child_is_refused_and_may_make_its_own() {
    let name = "threads::a_forked_child_is_refused_and_may_make_its_own";
    if !child::is_child() {
        let output = child::run(name);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let pool = pool(2);
    assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
    // SAFETY: the child only uses what is made for that, and leaves by `_exit`.
    #[allow(unsafe_code, reason = "a test of forking")]
    match unsafe { libc::fork() } {
        0 => {
            let refused = matches!(pool.submit(|| 1), Err(SubmitError::Forked));
            let own = ThreadPoolExecutor::new(2).unwrap();
            let works = own.submit(|| 5).unwrap().result().is_ok_and(|five| five == 5);
            own.shutdown();
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(!(refused && works))) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: a child of ours.
            assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
            assert_eq!(status, 0);
            assert_eq!(pool.submit(|| 2).unwrap().result().unwrap(), 2);
        }
    }
}

#[test]
fn a_task_near_data_runs_whether_there_is_any_or_not() {
    let _watched = watch("near data");
    let pool = pool(2);
    let data = vec![1_u8; 100_000];
    for data in [&data[..], &[]] {
        assert_eq!(pool.submit_near(data, || 7).unwrap().result().unwrap(), 7);
    }
    pool.shutdown();
    assert!(matches!(pool.submit_near(&data, || 7), Err(SubmitError::Shutdown)));
}
