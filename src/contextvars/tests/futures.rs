//! Futures in contexts.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::task::{Poll, Wake, Waker};
use std::thread;

use crate::contextvars::{Context, ContextVar, WithContext, instrument};
use crate::unwind::halt;

static V: ContextVar<u32> = ContextVar::with_default("v", 0);

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(Waker::noop()))
}

/// Waits once.
async fn step() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

async fn count(by: u32) -> Vec<u32> {
    let mut seen = Vec::new();
    for _ in 0..3 {
        V.set(V.get().unwrap() + by);
        step().await;
        seen.push(V.get().unwrap());
    }
    seen
}

#[test]
fn tasks_see_what_was_set_when_they_were_made_and_nothing_of_each_other() {
    Context::new()
        .run(|| {
            V.set(100);
            let (mut one, mut other) = (Box::pin(instrument(count(1))), Box::pin(instrument(count(10))));
            V.set(0);
            loop {
                let polls = (poll(one.as_mut()), poll(other.as_mut()));
                assert_eq!(V.get(), Some(0));
                if let (Poll::Ready(one), Poll::Ready(other)) = polls {
                    assert_eq!((one, other), (vec![101, 102, 103], vec![110, 120, 130]));
                    break;
                }
            }
        })
        .unwrap();
}

#[test]
fn a_task_keeps_its_context_from_thread_to_thread() {
    let mut task = Box::pin(count(1).with_context(Context::new()));
    for seen in 1..=3 {
        task = thread::spawn(move || {
            assert!(poll(task.as_mut()).is_pending());
            task
        })
        .join()
        .unwrap();
        assert_eq!(task.context().get(&V), Some(seen));
    }
    assert_eq!(poll(task.as_mut()), Poll::Ready(vec![1, 2, 3]));
}

#[test]
fn a_future_is_dropped_in_its_context() {
    struct OnDrop(Arc<AtomicU32>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.store(V.get().unwrap(), Ordering::Relaxed);
        }
    }
    let seen = Arc::new(AtomicU32::new(0));
    let (shared, on_drop) = (Arc::new(Context::new()), OnDrop(Arc::clone(&seen)));
    let future = async move {
        let _scoped = V.set_scoped(7);
        let _on_drop = on_drop;
        step().await;
    };
    let mut task = Box::pin(future.with_context(Arc::clone(&shared)));
    assert!(poll(task.as_mut()).is_pending());
    assert_eq!(shared.get(&V), Some(7));
    drop(task);
    assert_eq!((seen.load(Ordering::Relaxed), shared.get(&V)), (7, None));
    // Also if it never ran, and outside of the context if somebody is in it.
    let on_drop = OnDrop(Arc::clone(&seen));
    let task = async move { drop(on_drop) }.with_context(Arc::clone(&shared));
    shared.run(|| V.set(1)).unwrap();
    let other = Context::new();
    other
        .run(|| {
            V.set(5);
            shared.run(|| other.clone().run(|| drop(task)).unwrap()).unwrap();
        })
        .unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 5);
}

#[test]
fn a_panic_in_a_poll_leaves_the_context() {
    let shared = Context::new();
    let future = async {
        V.set(1);
        panic!("inside")
    };
    let mut task = Box::pin(future.with_context(&shared));
    assert!(halt(|| poll::<dyn Future<Output = ()>>(task.as_mut())).is_err());
    assert_eq!((V.get(), shared.run(|| V.get())), (Some(0), Ok(Some(1))));
}

#[test]
fn tasks_that_share_a_context_take_turns() {
    let shared = Context::new();
    let ((say_in, is_in), (let_go, go)) = (channel(), channel::<()>());
    thread::scope(|s| {
        let context = &shared;
        s.spawn(move || {
            let mut task = Box::pin(
                async {
                    say_in.send(()).unwrap();
                    go.recv().unwrap();
                    V.set(1);
                }
                .with_context(context),
            );
            assert!(poll(task.as_mut()).is_ready());
        });
        is_in.recv().unwrap();
        let mut task = Box::pin(async { V.get() }.with_context(context));
        let wakes = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = std::task::Context::from_waker(&waker);
        assert_eq!(task.as_mut().poll(&mut cx), Poll::Pending);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let_go.send(()).unwrap();
        let seen = loop {
            match task.as_mut().poll(&mut cx) {
                Poll::Ready(seen) => break seen,
                Poll::Pending => thread::yield_now(),
            }
        };
        assert_eq!(seen, Some(1));
    });
}

#[test]
fn a_task_that_would_wait_for_its_own_thread_panics() {
    let shared = Context::new();
    let mut task = Box::pin(async {}.with_context(&shared));
    let polled = shared.run(|| Context::new().run(|| halt(|| poll(task.as_mut()).is_ready())).unwrap());
    let payload = polled.unwrap().unwrap_err();
    assert!(payload.downcast_ref::<&str>().is_some_and(|text| text.contains("would wait for itself")));
    assert!(poll(task.as_mut()).is_ready());
}
