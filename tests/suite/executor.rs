//! What every executor must do, whatever its workers are: one suite, generic over the executor.
//!
//! It uses only functions with an argument and a result that could cross to another process. An executor joins by a
//! [`Subject`] (how to make one) and one line of `conforms!`.

use std::time::Duration;

use gristmill::concurrent::futures::{
    Calls, Ended, Executor, ExecutorBase as _, Future, ReturnWhen, Shutdown, SubmitError, TaskError,
    as_completed, wait,
};

use crate::suite::{boom, until};

/// `fn` pointers, so that those of executors in other processes are of the same type.
pub(crate) type Call = fn(u64) -> u64;

/// An executor under test.
pub(crate) trait Subject {
    type Executor: Executor
        + Calls<Call, u64, u64>
        + Calls<fn(String) -> usize, String, usize>
        + Calls<fn((u64, u64)) -> u64, (u64, u64), u64>;

    /// A new one.
    fn make() -> Self::Executor;

    /// Is a task still pending when `submit` returns? Not so for those without workers.
    const DEFERS: bool = true;
}

fn double(n: u64) -> u64 {
    2 * n
}

fn slowly(n: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(n));
    n
}

fn fails(n: u64) -> u64 {
    boom::quiet();
    std::panic::panic_any(format!("no {n}"))
}

fn fails_if_odd(n: u64) -> u64 {
    if n % 2 == 1 { fails(n) } else { n }
}

/// A task that takes some time is submitted, and `look` sees it before it is over: at the first attempt, unless this thread
/// is kept from running.
fn in_the_middle<S: Subject>(pool: &S::Executor, look: impl Fn(Future<u64>) -> Option<()>) {
    for _ in 0..50 {
        if look(call::<S>(pool, slowly, 60)).is_some() {
            return;
        }
    }
    panic!("it is never in the middle");
}

fn call<S: Subject>(pool: &S::Executor, f: Call, n: u64) -> Future<u64> {
    pool.call(f, n).unwrap()
}

pub(crate) fn results_come_back<S: Subject>() {
    let pool = S::make();
    assert!(pool.max_workers() >= 1);
    let futures: Vec<_> = (0..100).map(|n| call::<S>(&pool, double, n)).collect();
    for (n, future) in futures.into_iter().enumerate() {
        assert_eq!(future.result().unwrap(), 2 * n as u64);
    }
    let length: fn(String) -> usize = |text| text.len();
    assert_eq!(pool.call(length, "grist".to_owned()).unwrap().result().unwrap(), 5);
}

pub(crate) fn a_result_may_be_taken_once_and_looked_at_often<S: Subject>() {
    let pool = S::make();
    let mut future = call::<S>(&pool, double, 21);
    assert_eq!(future.result_ref().unwrap(), &42);
    assert_eq!(future.result_ref().unwrap(), &42);
    assert!(future.exception().is_none());
    assert_eq!(future.result_timeout(Duration::from_secs(60)).unwrap(), 42);
    assert!(matches!(future.result_timeout(Duration::ZERO), Err(TaskError::Taken)));
    assert!(matches!(future.result_ref(), Err(TaskError::Taken)));
    let shared = call::<S>(&pool, double, 4).share();
    let other = shared.clone();
    assert_eq!((shared.result().unwrap(), other.result().unwrap()), (8, 8));
}

pub(crate) fn a_panic_is_an_error_and_the_worker_lives<S: Subject>() {
    let pool = S::make();
    for n in 0..20 {
        let failed = call::<S>(&pool, fails, n);
        match failed.exception() {
            Some(TaskError::Panicked { message, location, .. }) => {
                assert_eq!(message, &format!("no {n}"));
                assert!(
                    location.as_ref().is_none_or(|place| place.file.ends_with("executor.rs")),
                    "{location:?}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(failed.done() && !failed.cancelled() && !failed.running());
        assert_eq!(call::<S>(&pool, double, n).result().unwrap(), 2 * n);
    }
}

pub(crate) fn a_timeout_leaves_the_task_alone<S: Subject>() {
    if !S::DEFERS {
        return;
    }
    let pool = S::make();
    in_the_middle::<S>(&pool, |mut future| {
        let late = future.exception_timeout(Duration::from_millis(1)).is_some_and(|error| {
            assert!(matches!(error, TaskError::Timeout));
            true
        });
        assert!(!future.cancelled());
        assert_eq!(future.result_timeout(Duration::MAX).unwrap(), 60);
        late.then_some(())
    });
}

pub(crate) fn callbacks_run_in_order_and_survive_panics<S: Subject>() {
    let pool = S::make();
    let future = call::<S>(&pool, slowly, if S::DEFERS { 20 } else { 0 });
    let (send, receive) = std::sync::mpsc::channel();
    for number in 0..5 {
        let send = send.clone();
        future.add_done_callback(move |ended| {
            send.send((number, ended)).unwrap();
            if number == 2 {
                boom::boom(2);
            }
        });
    }
    let heard: Vec<_> = receive.iter().take(5).collect();
    assert_eq!(heard, (0..5).map(|number| (number, Ended::Returned)).collect::<Vec<_>>());
    assert!(future.done());
    future.add_done_callback(move |ended| send.send((9, ended)).unwrap());
    assert_eq!(receive.recv().unwrap(), (9, Ended::Returned), "at once, if it is done");
    assert!(boom::caught(|| future.add_done_callback(|_| boom::boom(3))).is_none());
    let failed = call::<S>(&pool, fails, 1).share();
    let (send, receive) = std::sync::mpsc::channel();
    failed.add_done_callback(move |future| send.send(future.exception().is_some()).unwrap());
    assert!(receive.recv().unwrap());
}

/// Has `attempt` hold all workers for so many milliseconds, until that was long enough for what it does meanwhile.
fn while_all_are_busy(attempt: impl FnMut(u64) -> bool) {
    assert!([40, 400, 4_000].into_iter().any(attempt), "the workers are never busy for long enough");
}

/// Has every worker sleep for `time` milliseconds.
fn keep_busy<S: Subject>(pool: &S::Executor, time: u64) -> Vec<Future<u64>> {
    let time = if S::DEFERS { time } else { 0 };
    let blockers: Vec<_> = (0..pool.max_workers()).map(|_| call::<S>(pool, slowly, time)).collect();
    until(|| blockers.iter().all(|blocker| blocker.running() || blocker.done()));
    blockers
}

pub(crate) fn what_has_not_started_can_be_cancelled<S: Subject>() {
    while_all_are_busy(|time| {
        let pool = S::make();
        let blockers = keep_busy::<S>(&pool, time);
        let queued: Vec<_> = (0..100).map(|n| call::<S>(&pool, double, n)).collect();
        let cancelled = queued.iter().filter(|future| future.cancel()).count();
        let (send, receive) = std::sync::mpsc::channel();
        for future in &queued {
            let send = send.clone();
            future.add_done_callback(move |ended| send.send(ended).unwrap());
        }
        drop(send);
        for future in &queued {
            assert!(!future.cancelled() || future.cancel(), "once more");
        }
        for (n, future) in queued.into_iter().enumerate() {
            let was_cancelled = future.cancelled();
            match future.result() {
                Ok(result) => assert!(!was_cancelled && result == 2 * n as u64),
                Err(error) => assert!(was_cancelled && matches!(error, TaskError::Cancelled), "{error}"),
            }
        }
        let ends: Vec<_> = receive.iter().collect();
        assert_eq!(ends.len(), 100);
        assert_eq!(ends.iter().filter(|&&ended| ended == Ended::Cancelled).count(), cancelled);
        for blocker in blockers {
            assert!(blocker.result().is_ok());
        }
        if S::DEFERS { cancelled == 100 } else { cancelled == 0 }
    });
}

pub(crate) fn wait_returns_when_it_is_told_to<S: Subject>() {
    let pool = S::make();
    let none: Vec<Future<u64>> = Vec::new();
    assert_eq!(wait(none, None, ReturnWhen::FirstCompleted).done.len(), 0);

    let futures: Vec<_> = (0..50).map(|n| call::<S>(&pool, fails_if_odd, n)).collect();
    let waited = wait(futures.iter().chain(&futures), None, ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (50, 0), "each once");
    for (n, future) in waited.done.iter().enumerate() {
        assert_eq!(future.exception().is_some(), n % 2 == 1, "in the order in which they were given");
    }

    let futures = [call::<S>(&pool, double, 1), call::<S>(&pool, fails, 2), call::<S>(&pool, slowly, 30)];
    let waited = wait(&futures, None, ReturnWhen::FirstException);
    assert!(waited.done.iter().any(|future| future.exception().is_some()));
    let waited = wait(&futures, None, ReturnWhen::FirstCompleted);
    assert!(!waited.done.is_empty());
    let waited = wait(futures, None, ReturnWhen::AllCompleted);
    assert_eq!(waited.done.len(), 3);

    if S::DEFERS {
        in_the_middle::<S>(&pool, |slow| {
            let waited = wait([&slow], Some(Duration::from_millis(1)), ReturnWhen::AllCompleted);
            assert_eq!(waited.done.len() + waited.not_done.len(), 1);
            let late = waited.not_done.len() == 1;
            let waited = wait([slow], Some(Duration::MAX), ReturnWhen::FirstException);
            assert_eq!(waited.done.len(), 1, "none fails: until all are done");
            late.then_some(())
        });
    }
}

pub(crate) fn as_completed_gives_each_once<S: Subject>() {
    let (pool, other) = (S::make(), S::make());
    let done = call::<S>(&pool, double, 1000);
    done.wait().unwrap();
    let later = (0..200).map(|n| (call::<S>(if n % 3 == 0 { &pool } else { &other }, double, n), n));
    let mut seen = Vec::new();
    for (future, n) in as_completed(std::iter::once((done, 1000)).chain(later)) {
        assert_eq!(future.result().unwrap(), 2 * n);
        seen.push(n);
    }
    assert_eq!(seen[0], 1000, "first what is done already");
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..200).chain([1000])));

    if S::DEFERS {
        in_the_middle::<S>(&pool, |slow| {
            let mut timed = as_completed([&slow, &slow]).timeout(Duration::from_millis(1));
            let error = timed.next().unwrap().err();
            assert!(timed.next().is_none());
            drop(timed);
            assert_eq!(slow.result().unwrap(), 60);
            error.map(|error| assert_eq!((error.pending, error.total), (1, 1), "given twice, it counts once"))
        });
    }
}

pub(crate) fn map_keeps_the_order<S: Subject>() {
    let pool = S::make();
    let call: Call = double;
    let results: Vec<u64> = pool.map(call, 0..100).map(Result::unwrap).collect();
    assert!(results.into_iter().eq((0..100).map(double)));
    for (chunk, buffer) in [(1, 1), (1, 3), (7, 2), (1000, 1)] {
        let results = pool.map(call, 0..100).chunk_size(chunk).buffer_size(buffer);
        assert!(results.map(Result::unwrap).eq((0..100).map(double)), "{chunk} {buffer}");
        let unordered = pool.map(call, 0..100).chunk_size(chunk).buffer_size(buffer).unordered();
        let mut unordered: Vec<u64> = unordered.map(Result::unwrap).collect();
        unordered.sort_unstable();
        assert!(unordered.into_iter().eq((0..100).map(double)), "{chunk} {buffer}");
    }
    let endless = pool.map(call, 0..).buffer_size(4);
    assert!(endless.take(20).map(Result::unwrap).eq((0..20).map(double)));
    let sum: fn((u64, u64)) -> u64 = |(a, b)| a + b;
    assert!(pool.map2(sum, [1, 2, 3], 10..).map(Result::unwrap).eq([11, 13, 15]));
    assert_eq!(pool.map(call, []).next().map(drop), None);
}

pub(crate) fn map_gives_errors_where_they_are<S: Subject>() {
    let pool = S::make();
    let call: Call = fails_if_odd;
    for chunk in [1, 4] {
        for (n, result) in pool.map(call, 0..30).chunk_size(chunk).enumerate() {
            match result {
                Ok(value) => assert!(n % 2 == 0 && value == n as u64),
                Err(TaskError::Panicked { message, .. }) => assert_eq!(message, format!("no {n}")),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

pub(crate) fn map_takes_no_more_than_it_was_told_to<S: Subject>() {
    let pool = S::make();
    let taken = std::cell::Cell::new(0);
    let inputs = (0_u64..).inspect(|_| taken.set(taken.get() + 1));
    let call: Call = double;
    let mut results = pool.map(call, inputs).buffer_size(5);
    assert_eq!(taken.get(), 0);
    for n in 0..20_usize {
        results.next().unwrap().unwrap();
        assert_eq!(taken.get(), n + 5);
    }
}

pub(crate) fn map_may_be_late<S: Subject>() {
    if !S::DEFERS {
        return;
    }
    let pool = S::make();
    let call: Call = slowly;
    let slow = std::iter::repeat_n(20, 200);
    let mut results = pool.map(call, slow).timeout(Duration::from_millis(30)).start();
    let (mut some, mut late) = (0, false);
    for result in results.by_ref() {
        match result {
            Ok(value) => {
                assert!(value == 20 && !late);
                some += 1;
            }
            Err(error) => {
                assert!(matches!(error, TaskError::Timeout) && !late);
                late = true;
            }
        }
    }
    assert!(late && some < 200, "{some} results");
    drop(results);
    // What had not started was cancelled: this does not wait for 200 tasks.
    let next = pool.call(double as Call, 1).unwrap();
    assert_eq!(next.result().unwrap(), 2);
}

pub(crate) fn after_a_shutdown_nothing_is_taken<S: Subject>() {
    let pool = S::make();
    let futures: Vec<_> = (0..50).map(|n| call::<S>(&pool, double, n)).collect();
    let mut map = pool.map(double as Call, 0..10).buffer_size(2);
    assert_eq!(map.next().unwrap().unwrap(), 0);
    pool.shutdown();
    assert!(futures.iter().all(Future::done), "it waits for what was submitted");
    pool.shutdown();
    pool.shutdown_with(Shutdown::new().wait(false).cancel_futures(true));
    for (n, future) in futures.into_iter().enumerate() {
        assert_eq!(future.result().unwrap(), 2 * n as u64);
    }
    assert!(matches!(pool.call(double as Call, 1), Err(SubmitError::Shutdown)));
    assert!(map.by_ref().any(|result| matches!(result, Err(TaskError::Rejected(SubmitError::Shutdown)))));
    assert!(map.next().is_none());
}

pub(crate) fn a_shutdown_may_cancel<S: Subject>() {
    for waits in [true, false] {
        while_all_are_busy(|time| {
            let pool = S::make();
            let blockers = keep_busy::<S>(&pool, time);
            let queued: Vec<_> = (0..100).map(|n| call::<S>(&pool, double, n)).collect();
            pool.shutdown_with(Shutdown::new().wait(waits).cancel_futures(true));
            let all_are_cancelled = queued.iter().all(Future::cancelled);
            for (n, future) in queued.into_iter().enumerate() {
                let was_cancelled = future.cancelled();
                match future.result() {
                    Ok(result) => assert!(!was_cancelled && result == 2 * n as u64),
                    Err(error) => assert!(matches!(error, TaskError::Cancelled), "{error}"),
                }
            }
            for blocker in blockers {
                assert!(blocker.result().is_ok(), "what runs is left alone");
            }
            all_are_cancelled || !S::DEFERS
        });
    }
}

pub(crate) fn a_dropped_executor_finishes_its_work<S: Subject>() {
    let pool = S::make();
    let futures: Vec<_> = (0..50).map(|n| call::<S>(&pool, double, n)).collect();
    drop(pool);
    for (n, future) in futures.into_iter().enumerate() {
        assert!(future.done());
        assert_eq!(future.result().unwrap(), 2 * n as u64);
    }
}

/// Makes the tests of one subject.
macro_rules! conforms {
    ($name:ident: $subject:ty) => {
        conforms! { @ $name: $subject:
            results_come_back
            a_result_may_be_taken_once_and_looked_at_often
            a_panic_is_an_error_and_the_worker_lives
            a_timeout_leaves_the_task_alone
            callbacks_run_in_order_and_survive_panics
            what_has_not_started_can_be_cancelled
            wait_returns_when_it_is_told_to
            as_completed_gives_each_once
            map_keeps_the_order
            map_gives_errors_where_they_are
            map_takes_no_more_than_it_was_told_to
            map_may_be_late
            after_a_shutdown_nothing_is_taken
            a_shutdown_may_cancel
            a_dropped_executor_finishes_its_work
        }
    };
    (@ $name:ident: $subject:ty: $($test:ident)*) => {
        mod $name {
            $(#[test]
            fn $test() {
                let _watched = crate::suite::watch::watch(concat!(stringify!($name), "::", stringify!($test)));
                crate::executor::$test::<$subject>();
            })*
        }
    };
}
pub(crate) use conforms;
