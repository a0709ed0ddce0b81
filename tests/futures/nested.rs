//! Tasks that wait for tasks.

use std::sync::{Arc, Barrier, OnceLock};
use std::time::Duration;

use gristmill::concurrent::futures::{
    Executor, Future, ReturnWhen, SharedFuture, TaskError, ThreadPoolExecutor, as_completed, wait,
};

use crate::suite::watch::watch;

/// A pool with so many workers.
fn pool(workers: usize) -> Arc<ThreadPoolExecutor> {
    Arc::new(ThreadPoolExecutor::new(workers).unwrap())
}

fn pools() -> impl Iterator<Item = Arc<ThreadPoolExecutor>> {
    (1..=3).flat_map(|workers| {
        [false, true].into_iter().flat_map(move |strict| {
            [None, Some(false)].map(|callers| {
                let builder = ThreadPoolExecutor::builder().max_workers(workers).strict_fifo(strict);
                let builder = match callers {
                    Some(run) => builder.caller_runs(run),
                    None => builder,
                };
                Arc::new(builder.build().unwrap())
            })
        })
    })
}

/// Python's documentation: a task of a pool with one worker waits for a task that it has submitted there.
#[test]
fn the_second_deadlock_of_the_documentation_ends() {
    let _watched = watch("second deadlock");
    for pool in pools() {
        let inner = Arc::clone(&pool);
        let outer = pool.submit(move || inner.submit(|| 5_u32.pow(2)).unwrap().result().unwrap()).unwrap();
        assert_eq!(outer.result().unwrap(), 25);
    }
}

/// Python's documentation: two tasks that wait for each other. One of them is told.
#[test]
fn the_first_deadlock_of_the_documentation_ends() {
    let _watched = watch("first deadlock");
    for round in 0..5 {
        for pool in pools() {
            let [a, b]: [Arc<OnceLock<SharedFuture<u32>>>; 2] = Default::default();
            let wait_on_b = {
                let b = Arc::clone(&b);
                move || b.wait().result().map_or_else(|error| told(&error), |_| 5)
            };
            let wait_on_a = {
                let a = Arc::clone(&a);
                move || a.wait().result().map_or_else(|error| told(&error), |_| 6)
            };
            a.set(pool.submit(wait_on_b).unwrap().share()).unwrap();
            b.set(pool.submit(wait_on_a).unwrap().share()).unwrap();
            let ends = (a.wait().result().unwrap(), b.wait().result().unwrap());
            assert!(matches!(ends, (99, 6) | (5, 99)), "{ends:?} in round {round}");
        }
    }
}

fn told(error: &TaskError) -> u32 {
    assert!(matches!(error, TaskError::Deadlock), "{error}");
    99
}

#[test]
fn a_task_that_waits_for_itself_is_told() {
    let _watched = watch("itself");
    for pool in pools() {
        let own: Arc<OnceLock<SharedFuture<bool>>> = Default::default();
        let there = Arc::clone(&own);
        let task = move || matches!(there.wait().result(), Err(TaskError::Deadlock));
        own.set(pool.submit(task).unwrap().share()).unwrap();
        assert!(own.wait().result().unwrap());
    }
}

fn fib(pool: &Arc<ThreadPoolExecutor>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let inner = Arc::clone(pool);
    let left = pool.submit(move || fib(&inner, n - 1)).unwrap();
    let right = fib(pool, n - 2);
    left.result().unwrap() + right
}

#[test]
fn tasks_nest_as_deep_as_they_like_on_few_workers() {
    let _watched = watch("fib");
    for pool in pools() {
        let inner = Arc::clone(&pool);
        assert_eq!(pool.submit(move || fib(&inner, 12)).unwrap().result().unwrap(), 144);
    }
}

fn chain(pool: &Arc<ThreadPoolExecutor>, depth: u32) -> u32 {
    if depth == 0 {
        return 0;
    }
    let inner = Arc::clone(pool);
    pool.submit(move || chain(&inner, depth - 1)).unwrap().result().unwrap() + 1
}

/// Each waits for the next, which runs above it until the stack is used up, and elsewhere then.
#[test]
fn a_chain_of_waits_does_not_overflow_the_stack() {
    let _watched = watch("chain");
    for workers in 1..=2 {
        let pool = pool(workers);
        assert_eq!(chain(&pool, 3_000), 3_000);
    }
}

#[test]
fn a_worker_may_wait_for_many_and_for_a_while() {
    let _watched = watch("many");
    for pool in pools() {
        let inner = Arc::clone(&pool);
        let sum = pool.submit(move || {
            let submit = |n: u64| inner.submit(move || n).unwrap();
            let waited = wait((0..100).map(submit), None, ReturnWhen::AllCompleted);
            let first: u64 = waited.done.into_iter().map(|future| future.result().unwrap()).sum();
            let second: u64 = as_completed((0..100).map(submit)).map(|future| future.result().unwrap()).sum();
            let third = submit(1).result_timeout(Duration::from_secs(60)).unwrap();
            let some =
                wait([submit(1), submit(2)], Some(Duration::from_secs(60)), ReturnWhen::FirstCompleted);
            assert!(!some.done.is_empty());
            let fourth: u64 = inner.map(|n: u64| n, 0..100).buffer_size(3).map(Result::unwrap).sum();
            first + second + third + fourth
        });
        assert_eq!(sum.unwrap().result().unwrap(), 3 * 4950 + 1);
    }
}

#[test]
fn two_pools_wait_for_each_other() {
    let _watched = watch("two pools");
    fn ping(near: &Arc<ThreadPoolExecutor>, far: &Arc<ThreadPoolExecutor>, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let (new_near, new_far) = (Arc::clone(far), Arc::clone(near));
        far.submit(move || ping(&new_near, &new_far, n - 1)).unwrap().result().unwrap() + 1
    }
    for (one, two) in pools().zip(pools()) {
        assert_eq!(ping(&one, &two, 40), 40);
    }
}

/// A task in `join`s and loops is helped by the worker that waits for it.
#[test]
fn who_waits_for_a_task_takes_part_in_it() {
    let _watched = watch("takes part");
    let pool = pool(2);
    for _ in 0..50 {
        let (inner, started) = (Arc::clone(&pool), Arc::new(Barrier::new(2)));
        let begun = Arc::clone(&started);
        let sum = inner
            .submit(move || {
                begun.wait();
                gristmill::par_reduce(0..20_000_u64, || 0, |sum, n| sum + n, |a, b| a + b)
            })
            .unwrap();
        let waiter = inner.submit(move || sum.result().unwrap()).unwrap();
        started.wait();
        assert_eq!(waiter.result().unwrap(), 199_990_000);
    }
}

/// Two threads of one pool cannot be waited for by tasks in a circle through a third pool.
#[test]
fn a_circle_over_three_pools_is_found() {
    let _watched = watch("three pools");
    for _ in 0..10 {
        let pools = [pool(1), pool(2), pool(1)];
        let futures: Arc<[OnceLock<SharedFuture<u32>>; 3]> = Default::default();
        for (number, pool) in pools.iter().enumerate() {
            let there = Arc::clone(&futures);
            let task = move || match there[(number + 1) % 3].wait().result() {
                Ok(above) => above + 1,
                Err(error) => told(&error),
            };
            futures[number].set(pool.submit(task).unwrap().share()).unwrap();
        }
        let mut ends: Vec<_> = futures.iter().map(|future| future.wait().result().unwrap()).collect();
        ends.sort_unstable();
        assert_eq!(ends, [99, 100, 101], "one is told, and the others go on");
    }
}

#[test]
fn a_future_moves_into_another_task() {
    let _watched = watch("moves");
    for pool in pools() {
        let mut last: Future<u64> = pool.submit(|| 0).unwrap();
        for _ in 0..200 {
            let before = last;
            last = pool.submit(move || before.result().unwrap() + 1).unwrap();
        }
        assert_eq!(last.result().unwrap(), 200);
    }
}
