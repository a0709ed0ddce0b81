//! Pools that end in unusual ways.

use std::sync::Arc;
use std::sync::mpsc::channel;

use gristmill::concurrent::futures::{Shutdown, SubmitError, ThreadPoolExecutor};

use crate::held::{hold, pool};
use crate::suite::watch::watch;

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
