//! Pools in which only so many tasks may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::concurrent::futures::{Shutdown, SubmitError, ThreadPoolExecutor, WhenFull};

use crate::held::hold;
use crate::suite::watch::watch;
use crate::suite::{tick, until};

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
