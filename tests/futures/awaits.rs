//! Futures in async code, on two runtimes.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use gristmill::concurrent::futures::{Promise, SharedFuture, TaskError, ThreadPoolExecutor};

use crate::suite::watch::watch;

async fn sum(pool: &ThreadPoolExecutor) -> Result<u64, TaskError> {
    let slow = pool.submit(|| {
        std::thread::sleep(Duration::from_millis(5));
        40
    })?;
    let shared = pool.submit(|| 1)?.share();
    Ok(slow.await? + shared.clone().await? + shared.await?)
}

#[test]
fn pollster_awaits() {
    let _watched = watch("pollster");
    let pool = ThreadPoolExecutor::new(2).unwrap();
    assert_eq!(pollster::block_on(sum(&pool)).unwrap(), 42);
}

#[test]
fn tokio_awaits() {
    let _watched = watch("tokio");
    let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert_eq!(sum(&pool).await.unwrap(), 42);
        let tasks: Vec<_> = (0..100_u64)
            .map(|n| {
                let pool = Arc::clone(&pool);
                tokio::task::spawn(async move { pool.submit(move || n)?.await })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap().unwrap();
        }
        assert_eq!(sum, 4950);
        let (promise, future) = Promise::<u8>::new();
        let waiter = tokio::task::spawn(future);
        tokio::task::yield_now().await;
        drop(promise);
        assert!(matches!(waiter.await.unwrap(), Err(TaskError::Abandoned)));
    });
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_last_waker_is_woken_once() {
    let (promise, mut future) = Promise::new();
    let counts = [0; 3].map(|_| Arc::new(Count(AtomicUsize::new(0))));
    for count in &counts {
        let waker = Waker::from(Arc::clone(count));
        for _ in 0..3 {
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        }
    }
    promise.set_result(5).unwrap();
    assert_eq!(counts.each_ref().map(|count| count.0.load(Ordering::SeqCst)), [0, 0, 1]);
    let waker = Waker::noop();
    match Pin::new(&mut future).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(result) => assert_eq!(result.unwrap(), 5),
        Poll::Pending => panic!("it is done"),
    }
    assert!(counts.iter().all(|count| Arc::strong_count(count) == 1), "nobody keeps a waker");
}

#[test]
fn a_future_that_is_dropped_while_it_is_awaited_forgets_its_waker() {
    let (promise, mut future) = Promise::<u8>::new();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    drop(future);
    assert_eq!(Arc::strong_count(&count), 1);
    promise.set_result(5).unwrap();
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
}

/// Drops its futures where it is woken, as a runtime does that polls there and then.
#[derive(Default)]
struct Drops(Mutex<Vec<SharedFuture<u8>>>);

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        let futures = std::mem::take(&mut *self.0.lock().unwrap());
        drop(futures);
    }
}

#[test]
fn who_is_woken_may_drop_what_else_awaits_the_future() {
    let _watched = watch("drops");
    let (promise, future) = Promise::new();
    let mut futures = vec![future.share()];
    futures.extend_from_within(..);
    futures.extend_from_within(..);
    let drops = Arc::new(Drops::default());
    let waker = Waker::from(Arc::clone(&drops));
    for future in &mut futures {
        assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let last = futures[0].clone();
    *drops.0.lock().unwrap() = futures;
    promise.set_result(5).unwrap();
    assert!(drops.0.lock().unwrap().is_empty());
    assert_eq!(last.result().unwrap(), 5);
}
