//! Pools that have no thread to spare: whoever waits runs what there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use gristmill::concurrent::futures::{
    Promise, ReturnWhen, TaskError, ThreadPoolExecutor, as_completed, wait,
};
use gristmill::{Priority, Waiting};

use crate::suite::tick;
use crate::suite::watch::watch;

/// Pools with few workers and fewer threads to stand in for them.
fn pools(spares: usize) -> impl Iterator<Item = Arc<ThreadPoolExecutor>> {
    (1..=2).flat_map(move |workers| {
        [false, true].into_iter().flat_map(move |strict| {
            [false, true].into_iter().flat_map(move |callers| {
                [Waiting::Subtree, Waiting::Greedy].map(|waiting| {
                    let builder = ThreadPoolExecutor::builder().max_workers(workers).max_spares(spares);
                    let builder = builder.strict_fifo(strict).caller_runs(callers).waiting(waiting);
                    Arc::new(builder.build().unwrap())
                })
            })
        })
    })
}

#[test]
fn a_scope_may_wait_for_its_own_tasks() {
    let _watched = watch("own tasks");
    for pool in pools(0) {
        let inside = |pool: &ThreadPoolExecutor| {
            let numbers = [1, 2, 3];
            pool.scope(|scope| {
                let futures = numbers.each_ref().map(|number| scope.submit(move || *number));
                futures.into_iter().map(|future| future.result().unwrap()).sum::<u32>()
            })
        };
        assert_eq!(inside(&pool).unwrap(), 6);
        let inner = Arc::clone(&pool);
        assert_eq!(pool.submit(move || inside(&inner).unwrap()).unwrap().result().unwrap(), 6);
    }
}

#[test]
fn a_scope_may_wait_in_any_way() {
    let _watched = watch("any way");
    let long = Some(Duration::from_secs(600));
    for pool in pools(0) {
        let sum = pool.scope(|scope| {
            let submit = |n: u32| scope.submit(move || n);
            let waited = wait((0..10).map(submit), None, ReturnWhen::AllCompleted);
            let first: u32 = waited.done.into_iter().map(|future| future.result().unwrap()).sum();
            let second: u32 = as_completed((0..10).map(submit)).map(|future| future.result().unwrap()).sum();
            let third = submit(5).result_timeout(Duration::from_secs(600)).unwrap();
            let some = wait([submit(1), submit(2)], long, ReturnWhen::FirstCompleted);
            assert!(!some.done.is_empty());
            first + second + third
        });
        assert_eq!(sum.unwrap(), 95);
    }
}

fn nested(pool: &ThreadPoolExecutor, depth: u32) -> u32 {
    if depth == 0 {
        return 1;
    }
    let sum = pool.scope(|scope| {
        let futures = [(); 2].map(|()| scope.submit(move || nested(pool, depth - 1)));
        let (first, second) = gristmill::join(|| nested(pool, depth - 1), || 0);
        futures.into_iter().map(|future| future.result().unwrap()).sum::<u32>() + first + second
    });
    sum.unwrap()
}

/// In a scope in a scope each thread may be in a wait, with what it waits for on its own line.
#[test]
fn scopes_in_scopes_use_up_no_threads() {
    let _watched = watch("scopes in scopes");
    for spares in 0..=2 {
        for pool in pools(spares) {
            let inner = Arc::clone(&pool);
            assert_eq!(nested(&pool, 4), 81);
            assert_eq!(pool.submit(move || nested(&inner, 4)).unwrap().result().unwrap(), 81);
        }
    }
}

/// A wait in the first half of a `join`, for what only the second does; and in a scope, for what is behind it.
#[test]
fn halves_and_scopes_may_need_each_other() {
    let _watched = watch("halves");
    for pool in pools(0) {
        let both = pool.submit(|| {
            let (promise, future) = Promise::new();
            let (first, ()) = gristmill::join(|| future.result().unwrap(), || promise.set_result(7).unwrap());
            let (promise, future) = Promise::new();
            gristmill::scope_fifo(|scope| {
                scope.spawn(move |_| assert_eq!(future.result().unwrap(), 8));
                scope.spawn(move |_| promise.set_result(8).unwrap());
            });
            first
        });
        assert_eq!(both.unwrap().result().unwrap(), 7);
    }
}

/// What is waited for is done by another task, wherever in the queue that is.
#[test]
fn a_task_may_wait_for_what_another_brings() {
    let _watched = watch("another brings");
    for priority in [Priority::High, Priority::Normal, Priority::Low] {
        for pool in pools(0) {
            let (promise, future) = Promise::new();
            let inner = Arc::clone(&pool);
            let sum = pool.submit(move || {
                let bring = inner.task().priority(priority).submit(move || promise.set_result(5).unwrap());
                let five = future.result().unwrap();
                bring.unwrap().result().unwrap();
                five
            });
            assert_eq!(sum.unwrap().result().unwrap(), 5);
        }
    }
}

/// Two tasks that wait in their scopes, one for what the other's scope does.
#[test]
fn scopes_may_wait_for_each_other() {
    let _watched = watch("each other");
    for pool in pools(0) {
        let (promise, future) = Promise::new();
        let (a, b) = (Arc::clone(&pool), Arc::clone(&pool));
        let first = pool.submit(move || a.scope(|scope| scope.submit(|| future.result()).result()));
        let second =
            pool.submit(move || b.scope(|scope| scope.submit(|| promise.set_result(3).unwrap()).result()));
        assert_eq!(first.unwrap().result().unwrap().unwrap().unwrap().unwrap(), 3);
        second.unwrap().result().unwrap().unwrap().unwrap();
    }
}

fn chain(pool: &Arc<ThreadPoolExecutor>, depth: u32) -> Result<u32, TaskError> {
    if depth == 0 {
        return Ok(0);
    }
    let inner = Arc::clone(pool);
    Ok(pool.submit(move || chain(&inner, depth - 1))?.result()?? + 1)
}

/// Each waits for the next, which runs above it until the stack is used up. Then another thread is started after all.
#[test]
fn a_chain_of_waits_goes_on_where_the_stack_ends() {
    let _watched = watch("chain without spares");
    for pool in pools(0) {
        assert_eq!(chain(&pool, 2_000).unwrap(), 2_000);
    }
    for strict in [false, true] {
        let builder = ThreadPoolExecutor::builder().max_workers(1).max_spares(0).max_pending(1);
        let pool = Arc::new(builder.strict_fifo(strict).build().unwrap());
        assert_eq!(chain(&pool, 2_000).unwrap(), 2_000, "with room for one in the queue");
    }
}

/// A task that is in the way of what it waits for runs it where it stands, and the worker goes on.
#[test]
fn tasks_that_wait_while_others_block_are_all_run() {
    let _watched = watch("others block");
    for pool in pools(0) {
        let ran = Arc::new(AtomicUsize::new(0));
        let (go, wait) = channel::<()>();
        let blocks = pool.submit(move || gristmill::blocking(|| wait.recv().is_err())).unwrap();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (inner, ran) = (Arc::clone(&pool), Arc::clone(&ran));
                let task = move || {
                    inner.scope(|scope| scope.submit(|| tick(&ran)).result().unwrap()).unwrap();
                };
                pool.submit(task).unwrap()
            })
            .collect();
        drop(go);
        assert!(blocks.result().unwrap());
        tasks.into_iter().for_each(|task| task.result().unwrap());
        assert_eq!(ran.load(Ordering::SeqCst), 20);
    }
}
