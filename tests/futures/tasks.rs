//! What a task runs under, what it holds, and what becomes of its future.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gristmill::CancelToken;
use gristmill::concurrent::futures::{
    Ended, FutureState, Promise, SubmitError, Task, TaskError, ThreadPoolExecutor,
};
use gristmill::contextvars::ContextVar;

use crate::held::{hold, pool};
use crate::suite::watch::watch;
use crate::suite::{boom, until};

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
