//! The state word and the cell around it under loom: cancel against start, result against registration and removal, and
//! either side leaving at any time.

#![allow(unsafe_code, reason = "drives the two halves of a cell")]

use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::future::cell::{Cell, Core, Kind};
use crate::future::completions::{Completions, Next};
use crate::future::ended::Ended;
use crate::future::handle::Future;
use crate::future::listener::{Listener, Tell};
use crate::future::promise::Promise;
use crate::prim::models::check;
use crate::sync::parker::Parker;

/// A value that loom watches, and whose drops are counted.
struct Value {
    cell: UnsafeCell<u32>,
    drops: Arc<UnsafeCell<u32>>,
}

// SAFETY: loom watches the cells.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    fn new(drops: &Arc<UnsafeCell<u32>>) -> Self {
        let value = Value { cell: UnsafeCell::new(0), drops: Arc::clone(drops) };
        // SAFETY: nobody else has it.
        value.cell.with_mut(|number| unsafe { *number = 7 });
        value
    }

    fn check(&self) {
        // SAFETY: loom checks that the write happened before.
        assert_eq!(self.cell.with(|number| unsafe { *number }), 7);
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.check();
        // SAFETY: loom checks that drops are in some order.
        self.drops.with_mut(|drops| unsafe { *drops += 1 });
    }
}

fn count() -> Arc<UnsafeCell<u32>> {
    Arc::new(UnsafeCell::new(0))
}

/// How often a value was dropped, once all threads are joined.
fn drops(count: &Arc<UnsafeCell<u32>>) -> u32 {
    // SAFETY: nobody writes any more.
    count.with(|drops| unsafe { *drops })
}

/// The promise keeps its word while the future is waited for, or goes.
#[test]
fn models_a_result_reaches_whoever_waits_or_is_dropped_once() {
    for waits in [true, false] {
        check(3, move || {
            let count = count();
            let (promise, future) = Promise::new();
            let value = Value::new(&count);
            let runner = thread::spawn(move || promise.set_result(value).is_ok());
            if waits {
                future.result().unwrap().check();
            } else {
                drop(future);
            }
            assert!(runner.join().unwrap());
            assert_eq!(drops(&count), 1);
        });
    }
}

/// Exactly one of a canceller and a runner has the work; the waiter learns which.
#[test]
fn models_cancel_against_start() {
    check(3, || {
        let (mut promise, future) = Promise::new();
        let runner = thread::spawn(move || {
            let runs = promise.set_running_or_notify_cancel().unwrap();
            if runs {
                promise.set_result(5).unwrap();
            }
            runs
        });
        let cancelled = future.cancel();
        let result = future.result();
        let ran = runner.join().unwrap();
        assert!(ran != cancelled, "one of them, and not both");
        assert_eq!(ran, result.is_ok_and(|five| five == 5));
    });
}

/// A promise that is kept without having been started, against `cancel`.
#[test]
fn models_cancel_against_result() {
    check(3, || {
        let count = count();
        let (promise, future) = Promise::new();
        let value = Value::new(&count);
        let runner = thread::spawn(move || promise.set_result(value).is_ok());
        let cancelled = future.cancel();
        let result = future.result();
        assert!(runner.join().unwrap() != cancelled);
        assert_eq!(result.is_ok(), !cancelled);
        drop(result);
        assert_eq!(drops(&count), 1);
    });
}

/// Callbacks that are added while the result comes are all called, once.
#[test]
fn models_result_against_callbacks() {
    check(3, || {
        let called = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let (promise, future) = Promise::new();
        let add = |future: &Future<u8>| {
            let called = Arc::clone(&called);
            future.add_done_callback(move |ended| {
                assert_eq!(ended, Ended::Returned);
                called.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
            });
        };
        add(&future);
        let runner = thread::spawn(move || promise.set_result(5).unwrap());
        add(&future);
        drop(future);
        runner.join().unwrap();
        assert_eq!(called.load(loom::sync::atomic::Ordering::Relaxed), 2);
    });
}

/// Two threads wait while the result comes.
#[test]
fn models_result_against_two_waiters() {
    check(2, || {
        let (promise, future) = Promise::new();
        let future = Arc::new(future);
        let other = Arc::clone(&future);
        let waiter = thread::spawn(move || assert_eq!(other.result_ref().unwrap(), &5));
        let runner = thread::spawn(move || promise.set_result(5).unwrap());
        assert_eq!(future.result_ref().unwrap(), &5);
        waiter.join().unwrap();
        runner.join().unwrap();
    });
}

/// Listeners go on the list and come off again under each other's hands, and one that stays is told.
#[test]
fn models_the_list_under_several_hands() {
    check(2, || {
        let (promise, future) = Promise::new();
        let future = Arc::new(future);
        let stays = Listener::new(Tell::Thread(Parker::current()));
        assert!(future.core().word.push(&stays));
        let other = Arc::clone(&future);
        let comes_and_goes = thread::spawn(move || {
            let listener = Listener::new(Tell::Thread(Parker::current()));
            if other.core().word.push(&listener) && !other.core().word.remove(&listener) {
                listener.await_told();
            }
        });
        let runner = thread::spawn(move || promise.set_result(5).unwrap());
        stays.await_told();
        assert!(future.done());
        comes_and_goes.join().unwrap();
        runner.join().unwrap();
    });
}

/// A cell in something larger, as a task is.
#[repr(C)]
struct Husk {
    cell: Cell<Value>,
    freed: Arc<UnsafeCell<u32>>,
}

impl Husk {
    const KIND: Kind = Kind {
        free: |core| {
            // SAFETY: the first field of a boxed husk, with the provenance of the whole; nobody else is left.
            let Husk { cell, freed } = *unsafe { Box::from_raw(core.cast::<Husk>().as_ptr()) };
            drop(cell);
            // SAFETY: loom checks that this is after all else.
            freed.with_mut(|freed| unsafe { *freed += 1 });
        },
        help: |_| (),
        cancel: |core| core.cancel(|| ()),
        runner: |_, _| std::ptr::null(),
        family: |_| std::ptr::null(),
    };
}

/// A pointer for the drawer's thread.
struct There(NonNull<Husk>);

// SAFETY: a husk is made to be shared.
unsafe impl Send for There {}

/// A task that is in a queue and run by its waiter: the queue's husk and the future leave in any order.
#[test]
fn models_a_husk_and_a_future_leave_in_any_order() {
    check(3, || {
        let [drawn_drops, helping_drops, freed] = [count(), count(), count()];
        let husk = Box::new(Husk { cell: Cell::new(&Husk::KIND), freed: Arc::clone(&freed) });
        // SAFETY: out of a box.
        let husk = unsafe { NonNull::new_unchecked(Box::into_raw(husk)) };
        let cell = husk.cast::<Cell<Value>>();
        // SAFETY: a new cell is held by both sides.
        let future = unsafe { Future::of(cell) };
        let (there, drawn) = (There(husk), Value::new(&drawn_drops));
        let drawer = thread::spawn(move || {
            let There(husk) = { there };
            let cell = husk.cast::<Cell<Value>>();
            // SAFETY: held by the queue.
            if unsafe { cell.as_ref() }.core().word.claim() {
                // SAFETY: claimed; the runner's side, which lets go.
                assert!(unsafe { Cell::finish(cell, Ok(drawn), true) }.is_ok());
            } else {
                // SAFETY: the runner's side, which lets go.
                unsafe { Core::discard(Cell::core_of(cell)) };
            }
        });
        let helped = future.core().word.claim();
        if helped {
            // SAFETY: claimed, and held by the future.
            assert!(unsafe { Cell::finish(cell, Ok(Value::new(&helping_drops)), false) }.is_ok());
        }
        future.result().unwrap().check();
        drawer.join().unwrap();
        assert_eq!([&drawn_drops, &helping_drops, &freed].map(drops), [1, u32::from(helped), 1]);
    });
}

/// The same with a canceller instead of a helper.
#[test]
fn models_a_cancelled_husk_is_freed_once() {
    check(3, || {
        let (count, freed) = (count(), count());
        let husk = Box::new(Husk { cell: Cell::new(&Husk::KIND), freed: Arc::clone(&freed) });
        // SAFETY: out of a box.
        let husk = unsafe { NonNull::new_unchecked(Box::into_raw(husk)) };
        // SAFETY: a new cell is held by both sides.
        let future = unsafe { Future::of(husk.cast::<Cell<Value>>()) };
        let (there, drawn) = (There(husk), Value::new(&count));
        let drawer = thread::spawn(move || {
            let There(husk) = { there };
            let cell = husk.cast::<Cell<Value>>();
            // SAFETY: held by the queue.
            if unsafe { cell.as_ref() }.core().word.claim() {
                // SAFETY: claimed; the runner's side, which lets go.
                assert!(unsafe { Cell::finish(cell, Ok(drawn), true) }.is_ok());
            } else {
                // SAFETY: the runner's side, which lets go.
                unsafe { Core::discard(Cell::core_of(cell)) };
            }
        });
        future.cancel();
        drop(future);
        drawer.join().unwrap();
        assert_eq!((drops(&count), drops(&freed)), (1, 1));
    });
}

/// Futures come out of the queue of those that are done, and the one who waits for them is woken.
#[test]
fn models_completions_wake_whoever_waits() {
    check(2, || {
        let (one, first) = Promise::new();
        let (two, second) = Promise::new();
        let runners = [(one, 1), (two, 2)]
            .map(|(promise, number)| thread::spawn(move || promise.set_result(number).unwrap()));
        let mut completions = Completions::with_capacity(2);
        completions.insert(first);
        completions.insert(second);
        let mut sum = 0;
        while let Next::Done(future) = completions.next(None) {
            sum += future.result().unwrap();
        }
        assert_eq!(sum, 3);
        runners.into_iter().for_each(|runner| runner.join().unwrap());
    });
}

/// An iterator over futures that is dropped takes its listeners back from under their runners' hands.
#[test]
fn models_completions_may_be_dropped() {
    check(2, || {
        let (promise, future) = Promise::new();
        let mut completions = Completions::with_capacity(1);
        completions.insert(&future);
        let runner = thread::spawn(move || promise.set_result(1).unwrap());
        drop(completions);
        assert_eq!(future.result_ref().unwrap(), &1);
        runner.join().unwrap();
    });
}
