//! Pools whose initializer fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use gristmill::CancelToken;
use gristmill::concurrent::futures::{BrokenExecutor, SubmitError, TaskError, ThreadPoolExecutor};

use crate::suite::watch::watch;
use crate::suite::{boom, until};

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
