//! What thread pools have and other executors do not.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gristmill::concurrent::futures::{
    BrokenExecutor, Ended, FutureState, Promise, Shutdown, SubmitError, Task, TaskError, ThreadPoolExecutor,
    WhenFull,
};
use gristmill::contextvars::ContextVar;
use gristmill::{CancelToken, Priority};

use crate::suite::watch::watch;
use crate::suite::{boom, child, tick, until};

fn pool(workers: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(workers).unwrap()
}

/// A task that holds a worker until it is let go.
fn hold(pool: &ThreadPoolExecutor) -> Sender<()> {
    let (go, wait) = channel::<()>();
    let (started, start): (Sender<()>, Receiver<()>) = channel();
    let held = pool.submit(move || {
        started.send(()).unwrap();
        let _ = wait.recv();
    });
    start.recv().unwrap();
    drop(held.unwrap());
    go
}

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

#[test]
fn an_initializer_that_fails_breaks_the_pool() {
    let _watched = watch("initializer");
    boom::quiet();
    for panics in [true, false] {
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let pool = if panics {
            builder.initializer(|| boom::boom(1))
        } else {
            builder.try_initializer(|| Err("no licence".into()))
        };
        let pool = pool.build().unwrap();
        let mut broken = 0;
        // What is submitted before a worker has started is taken, and ends with the pool.
        let pending: Vec<_> = (0..50).map_while(|_| pool.submit(|| 1).ok()).collect();
        for future in pending {
            let error = future.result().unwrap_err();
            assert!(matches!(error, TaskError::Broken(BrokenExecutor::BrokenThreadPool { .. })), "{error}");
            assert!(panics || error.to_string().contains("no licence"), "{error}");
            broken += 1;
        }
        until(|| pool.submit(|| 1).is_err());
        let error = pool.submit(|| 1).unwrap_err();
        assert!(matches!(error, SubmitError::Broken(_)), "{error} after {broken}");
        pool.shutdown();
    }
}

#[test]
fn tasks_of_a_strict_pool_start_in_order() {
    let pool = ThreadPoolExecutor::builder().max_workers(1).strict_fifo(true).build().unwrap();
    let pool = Arc::new(pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |n: u32| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(n)
    };
    let go = hold(&pool);
    for n in 0..100 {
        drop(pool.submit(note(n)).unwrap());
    }
    let (inner, later) = (Arc::clone(&pool), note(101));
    let nested = pool.submit(move || drop(inner.submit(later).unwrap())).unwrap();
    drop(pool.submit(note(100)).unwrap());
    drop(go);
    nested.result().unwrap();
    pool.shutdown();
    assert!(order.lock().unwrap().iter().copied().eq(0..102), "{order:?}");
}

#[test]
fn urgent_tasks_go_first() {
    let pool = pool(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let go = hold(&pool);
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        let order = Arc::clone(&order);
        drop(pool.task().priority(priority).submit(move || order.lock().unwrap().push(priority)).unwrap());
    }
    drop(go);
    pool.shutdown();
    assert_eq!(*order.lock().unwrap(), [Priority::High, Priority::Normal, Priority::Low]);
}

#[test]
fn a_task_may_have_a_deadline() {
    let _watched = watch("deadline");
    let pool = pool(1);
    let go = hold(&pool);
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let soon = Instant::now() + Duration::from_millis(5);
    let late = pool.task().deadline(soon).submit(move || runs.store(true, Ordering::SeqCst)).unwrap();
    until(|| Instant::now() > soon);
    drop(go);
    assert!(matches!(late.result(), Err(TaskError::Expired)));
    assert!(!ran.load(Ordering::SeqCst), "it was not started any more");
    let soon = Instant::now() + Duration::from_millis(5);
    let endless = pool.task().deadline(soon).submit(|| -> u8 {
        loop {
            gristmill::checkpoint();
            std::thread::yield_now();
        }
    });
    assert!(matches!(endless.unwrap().result(), Err(TaskError::Expired)));
    let far = Instant::now() + Duration::from_secs(3600);
    assert_eq!(pool.task().deadline(far).submit(|| 1).unwrap().result().unwrap(), 1);
}

#[test]
fn a_task_runs_under_the_token_that_it_was_submitted_under() {
    let _watched = watch("token");
    let (pool, token) = (Arc::new(pool(1)), CancelToken::new());
    let go = hold(&pool);
    let inner = Arc::clone(&pool);
    let never = token.run(move || inner.submit(|| 1).unwrap()).unwrap();
    token.cancel();
    drop(go);
    assert!(matches!(never.result(), Err(TaskError::Cancelled)));
    let (token, inner) = (CancelToken::new(), Arc::clone(&pool));
    let endless = token
        .run(move || {
            inner.submit(|| {
                loop {
                    gristmill::checkpoint();
                    std::thread::yield_now();
                }
            })
        })
        .unwrap();
    let endless: gristmill::concurrent::futures::Future<()> = endless.unwrap();
    until(|| endless.running());
    token.cancel();
    assert!(matches!(endless.exception(), Some(TaskError::Cancelled)));
    assert_eq!(endless.state(), FutureState::CancelledAndNotified);
}

#[test]
fn a_task_runs_in_the_context_of_its_submitter() {
    static USER: ContextVar<&str> = ContextVar::new("user");
    for caller_runs in [true, false] {
        let pool = ThreadPoolExecutor::builder().max_workers(1).caller_runs(caller_runs).build().unwrap();
        USER.set("ada");
        let seen = pool.submit(|| (USER.get(), USER.set("changed")).0).unwrap();
        USER.set("brian");
        assert_eq!(seen.result().unwrap(), Some("ada"));
        assert_eq!(USER.get(), Some("brian"), "what a task sets stays in it");
        assert_eq!(pool.scope(|scope| scope.submit(|| USER.get()).result().unwrap()).unwrap(), Some("brian"));
    }
}

#[test]
fn a_full_pool_does_as_it_was_told() {
    let _watched = watch("full");
    let build =
        |when| ThreadPoolExecutor::builder().max_workers(1).max_pending(2).when_full(when).build().unwrap();
    let refuses = build(WhenFull::Refuse);
    let go = hold(&refuses);
    let queued = [refuses.submit(|| 1).unwrap(), refuses.submit(|| 2).unwrap()];
    assert!(matches!(refuses.submit(|| 3), Err(SubmitError::Full)));
    assert!(queued[0].cancel());
    let third = refuses.submit(|| 3).unwrap();
    assert!(matches!(refuses.submit(|| 4), Err(SubmitError::Full)), "cancelling made room for one");
    drop(go);
    assert_eq!(third.result().unwrap(), 3);
    refuses.shutdown();

    let here = build(WhenFull::CallerRuns);
    let go = hold(&here);
    let id = || std::thread::current().id();
    let queued = [here.submit(id).unwrap(), here.submit(id).unwrap()];
    let ran = here.submit(id).unwrap();
    assert!(ran.done());
    assert_eq!(ran.result().unwrap(), id());
    drop(go);
    drop(queued);

    let waits = build(WhenFull::Wait);
    let go = hold(&waits);
    std::thread::scope(|s| {
        let submitters: Vec<_> = (0..4)
            .map(|_| s.spawn(|| (0..100).map(|n| waits.submit(move || n).unwrap()).collect::<Vec<_>>()))
            .collect();
        until(|| matches!(waits.try_submit(|| 0), Err(SubmitError::Full)));
        drop(go);
        for submitter in submitters {
            let sum: i32 = submitter.join().unwrap().into_iter().map(|f| f.result().unwrap()).sum();
            assert_eq!(sum, 4950);
        }
    });

    // One who waits for room hears of the end.
    let closes = build(WhenFull::Wait);
    let go = hold(&closes);
    let queued = [closes.submit(|| ()).unwrap(), closes.submit(|| ()).unwrap()];
    std::thread::scope(|s| {
        let refused = s.spawn(|| closes.submit(|| ()));
        std::thread::yield_now();
        closes.shutdown_with(Shutdown::new().wait(false));
        assert!(matches!(refused.join().unwrap(), Err(SubmitError::Shutdown)));
    });
    drop(go);
    assert!(queued.into_iter().all(|future| future.result().is_ok()));
}

/// A worker that waits for room in its own pool's queue gives its place to another.
#[test]
fn a_full_pool_may_be_submitted_to_from_within() {
    let _watched = watch("full from within");
    let pool = ThreadPoolExecutor::builder().max_workers(1).max_pending(1).build().unwrap();
    let pool = Arc::new(pool);
    let inner = Arc::clone(&pool);
    let sum = pool.submit(move || {
        let futures: Vec<_> = (0..50).map(|n| inner.submit(move || n).unwrap()).collect();
        futures.into_iter().map(|future| future.result().unwrap()).sum::<i32>()
    });
    assert_eq!(sum.unwrap().result().unwrap(), 1225);
}

/// What is not the pool's tasks goes on as it was when a pool gives those up.
#[test]
fn jobs_that_are_no_tasks_keep_their_priority_when_tasks_are_cancelled() {
    let _watched = watch("keep priority");
    let pool = ThreadPoolExecutor::builder().max_workers(1).strict_fifo(true).build().unwrap();
    let mill = pool.mill().clone();
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |priority| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(priority)
    };
    let (later, (go, wait)) = (note(Priority::Normal), channel::<()>());
    let (started, start) = channel();
    let held = pool.submit(move || {
        started.send(()).unwrap();
        let _ = wait.recv();
        gristmill::spawn(later);
    });
    start.recv().unwrap();
    for priority in [Priority::Low, Priority::High] {
        mill.spawn_with(priority, note(priority)).unwrap();
    }
    let task = pool.submit(|| ()).unwrap();
    pool.shutdown_with(Shutdown::new().wait(false).cancel_futures(true));
    assert!(task.cancelled());
    drop(go);
    held.unwrap().result().unwrap();
    pool.shutdown();
    assert_eq!(*order.lock().unwrap(), [Priority::High, Priority::Normal, Priority::Low]);
}

fn tree(pool: &Arc<ThreadPoolExecutor>, depth: u32, ran: &Arc<AtomicUsize>) {
    tick(ran);
    for _ in 0..if depth == 0 { 0 } else { 2 } {
        let (inner, counts) = (Arc::clone(pool), Arc::clone(ran));
        drop(pool.submit(move || tree(&inner, depth - 1, &counts)).unwrap());
    }
}

/// More tasks wait for room in the queue than there are threads.
#[test]
fn tasks_that_submit_to_their_own_full_pool_do_not_use_up_its_threads() {
    let _watched = watch("tree");
    for strict in [false, true] {
        let builder = ThreadPoolExecutor::builder().max_workers(1).max_pending(1).max_spares(3);
        let pool = Arc::new(builder.strict_fifo(strict).build().unwrap());
        let ran = Arc::default();
        tree(&pool, 7, &ran);
        until(|| ran.load(Ordering::SeqCst) == 255);
        pool.shutdown();
    }
}

#[test]
fn a_pool_may_be_shut_down_and_dropped_by_its_own_tasks() {
    let _watched = watch("within");
    for drops in [false, true] {
        for workers in [1, 2] {
            let pool = Arc::new(pool(workers));
            let (hand_over, taken) = channel::<Arc<ThreadPoolExecutor>>();
            let inside = pool.submit(move || {
                let own = taken.recv().unwrap();
                let last = own.submit(|| 1).unwrap();
                if drops {
                    drop(own);
                } else {
                    own.shutdown();
                    assert!(matches!(own.submit(|| 2), Err(SubmitError::Shutdown)));
                }
                last.result().unwrap()
            });
            let inside = inside.unwrap();
            hand_over.send(Arc::clone(&pool)).unwrap();
            drop(pool);
            assert_eq!(inside.result().unwrap(), 1);
        }
    }
}

#[test]
fn a_pool_that_is_not_waited_for_finishes_all_the_same() {
    let _watched = watch("detached");
    let pool = pool(1);
    let go = hold(&pool);
    let last = pool.submit(|| 7).unwrap();
    pool.shutdown_with(Shutdown::new().wait(false));
    drop(pool);
    drop(go);
    assert_eq!(last.result().unwrap(), 7);
}

#[test]
fn a_task_that_was_cancelled_drops_what_it_holds_at_once() {
    let pool = pool(1);
    let go = hold(&pool);
    let value = Arc::new(());
    let captured = Arc::clone(&value);
    let future = pool.submit(move || drop(captured)).unwrap();
    assert_eq!(Arc::strong_count(&value), 2);
    assert!(future.cancel());
    assert_eq!(Arc::strong_count(&value), 1);
    drop(go);
    pool.shutdown();
    assert_eq!(future.state(), FutureState::CancelledAndNotified, "the worker has come by");
}

#[test]
fn a_task_lets_go_of_what_it_holds_before_it_is_done() {
    let pool = pool(1);
    let value = Arc::new(());
    for _ in 0..100 {
        let captured = Arc::clone(&value);
        let (send, receive) = channel();
        let weak = Arc::downgrade(&value);
        let future = pool.submit(move || drop(captured)).unwrap();
        future.add_done_callback(move |_| send.send(weak.strong_count()).unwrap());
        assert_eq!(receive.recv().unwrap(), 1);
    }
}

#[test]
fn scoped_tasks_borrow() {
    let _watched = watch("scoped");
    for caller_runs in [true, false] {
        let pool = ThreadPoolExecutor::builder().max_workers(1).caller_runs(caller_runs).build().unwrap();
        let numbers: Vec<u64> = (0..1000).collect();
        let mut squares = vec![0; 1000];
        let sum = pool
            .scope(|scope| {
                for (square, &number) in squares.iter_mut().zip(&numbers) {
                    drop(scope.submit(move || *square = number * number));
                }
                let sums: Vec<_> = numbers
                    .chunks(100)
                    .map(|chunk| scope.submit(move || chunk.iter().sum::<u64>()))
                    .collect();
                sums.into_iter().map(|sum| sum.result().unwrap()).sum::<u64>()
            })
            .unwrap();
        assert_eq!(sum, 499_500);
        assert_eq!(squares[999], 998_001);
        boom::quiet();
        let failed = pool.scope(|scope| scope.submit(|| -> () { boom::boom(1) }).result()).unwrap();
        assert!(matches!(failed, Err(TaskError::Panicked { .. })));
        pool.shutdown();
        assert!(matches!(pool.scope(|_| ()), Err(SubmitError::Shutdown)));
    }
}

#[test]
fn a_promise_goes_through_its_states() {
    let (mut promise, future) = Promise::new();
    assert_eq!(future.state(), FutureState::Pending);
    assert!(promise.set_running_or_notify_cancel().unwrap());
    assert_eq!(future.state(), FutureState::Running);
    assert!(future.running() && !future.cancel());
    assert!(promise.set_running_or_notify_cancel().is_err());
    promise.set_result(3).unwrap();
    assert_eq!(future.state(), FutureState::Finished);
    assert!(!future.cancel());
    assert!(format!("{future:?}").contains("returned: \"i32\""), "{future:?}");

    let (mut promise, future) = Promise::<u8>::new();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&ended);
    future.add_done_callback(move |how| note.lock().unwrap().push(how));
    assert!(future.cancel() && future.cancel());
    assert_eq!(*ended.lock().unwrap(), [Ended::Cancelled], "callbacks run once");
    assert!(promise.is_cancelled());
    assert!(!promise.set_running_or_notify_cancel().unwrap());
    assert_eq!(future.state(), FutureState::CancelledAndNotified);
    assert!(promise.set_running_or_notify_cancel().is_err());
    assert!(promise.set_result(1).is_err());

    let (promise, future) = Promise::<u8>::new();
    promise.set_exception(std::io::Error::other("disk")).unwrap();
    match future.result() {
        Err(TaskError::Failed(source)) => assert!(source.downcast_ref::<std::io::Error>().is_some()),
        other => panic!("{other:?}"),
    }
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

#[test]
fn a_token_is_in_place_wherever_its_task_runs() {
    let _watched = watch("in place");
    let token = CancelToken::new();
    let (task, future) = token
        .run(|| {
            Task::new(|| {
                loop {
                    gristmill::checkpoint();
                    std::thread::yield_now();
                }
            })
        })
        .unwrap();
    let future: gristmill::concurrent::futures::Future<()> = future;
    let runner = std::thread::spawn(move || task.run());
    until(|| future.running());
    token.cancel();
    assert!(matches!(future.result(), Err(TaskError::Cancelled)));
    runner.join().unwrap();
}

/// A task that waits does not run what its pool, which broke meanwhile, gives up.
#[test]
fn who_waits_in_a_broken_pool_does_not_run_what_has_not_started() {
    let _watched = watch("broken");
    let starts = AtomicUsize::new(0);
    let pool = ThreadPoolExecutor::builder().max_workers(1).try_initializer(move || {
        let is_first = starts.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first { Ok(()) } else { Err("no second licence".into()) }
    });
    let pool = Arc::new(pool.build().unwrap());
    let inner = Arc::clone(&pool);
    let outer = pool.submit(move || {
        let futures = [1, 2].map(|n| inner.submit(move || n).unwrap());
        let (go, wait) = channel::<()>();
        let (told, tell) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        for future in &futures {
            let (wait, told) = (Arc::clone(&wait), told.clone());
            future.add_done_callback(move |_| {
                told.send(()).unwrap();
                let _ = wait.lock().unwrap().recv();
            });
        }
        // The thread that stands in for this one breaks the pool, draws one of them, and is held by its callback.
        gristmill::blocking(|| tell.recv().unwrap());
        let later = std::thread::spawn(move || {
            std::thread::yield_now();
            drop(go);
        });
        let ends = futures.map(|future| future.result().is_ok());
        later.join().unwrap();
        ends
    });
    assert_eq!(outer.unwrap().result().unwrap(), [false, false]);
}

/// What an initializer fails with is the user's, and may panic when it is shown.
#[test]
fn an_error_that_cannot_be_shown_breaks_the_pool_all_the_same() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            boom::boom(1)
        }
    }
    impl std::error::Error for Unspeakable {}
    let _watched = watch("unspeakable");
    boom::quiet();
    let pool = ThreadPoolExecutor::builder().max_workers(1).try_initializer(|| Err(Box::new(Unspeakable)));
    let pool = pool.build().unwrap();
    until(|| pool.submit(|| 1).is_err());
    assert!(matches!(pool.submit(|| 1), Err(SubmitError::Broken(_))));
}

/// The only thread waits for a task that is behind it in the queue, and the system starts no other.
#[test]
fn a_pool_that_gets_no_more_threads_makes_do_with_those_it_has() {
    let name = "pools::a_pool_that_gets_no_more_threads_makes_do_with_those_it_has";
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
    let name = "pools::a_forked_child_is_refused_and_may_make_its_own";
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

/// Callbacks of what a broken or cancelling pool gives up run under the task's token, which nobody else may have any more.
#[test]
fn a_callback_of_a_task_that_was_given_up_finds_its_token_alive() {
    let _watched = watch("given up");
    for round in 0..10 {
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let pool = ThreadPoolExecutor::builder().max_workers(1).try_initializer(move || {
            let _ = wait.lock().unwrap().recv();
            Err("no licence".into())
        });
        let pool = pool.build().unwrap();
        let future = CancelToken::new().run(|| pool.submit(|| 1).unwrap()).unwrap();
        let (send, receive) = channel();
        future.add_done_callback(move |_| {
            // Whatever was freed just now is used for these.
            let _others: Vec<_> = (0..200).map(|_| vec![1_u8; 40]).collect();
            send.send(CancelToken::new().run(|| 1)).unwrap();
        });
        drop(go);
        assert_eq!(receive.recv().unwrap(), Ok(1), "in round {round}");
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
