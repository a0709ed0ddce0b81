//! Futures on one thread, by their promises.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::future::as_completed::as_completed;
use crate::future::error::TaskError;
use crate::future::handle::Future;
use crate::future::listener::{Listener, Tell};
use crate::future::promise::Promise;
use crate::future::wait::{ReturnWhen, wait};
use crate::future::waitable::Waitable;
use crate::sync::parker::Parker;

fn pairs(number: usize) -> (Vec<Promise<usize>>, Vec<Future<usize>>) {
    (0..number).map(|_| Promise::new()).unzip()
}

fn is_listened_to<T>(future: &Future<T>) -> bool {
    format!("{:?}", future.core().load()).contains("listened_to: true")
}

#[test]
fn a_handle_is_small_and_a_cell_too() {
    assert_eq!(size_of::<Future<u64>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<crate::future::cell::Cell<u64>>(), 4 * size_of::<usize>());
}

#[test]
fn listeners_come_off_from_anywhere_in_the_list() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for told in 0..=3 {
            let (promise, future) = Promise::new();
            let listeners = [(); 3].map(|()| Listener::new(Tell::Thread(Parker::current())));
            for listener in &listeners {
                assert!(future.core().word.push(listener));
            }
            for &number in &order[told..] {
                assert!(future.core().word.remove(&listeners[number]));
            }
            assert_eq!(is_listened_to(&future), told > 0);
            promise.set_result(1).unwrap();
            for (place, &number) in order.iter().enumerate() {
                assert_eq!(listeners[number].is_told(), place < told, "{order:?} {told}");
                assert!(!future.core().word.remove(&listeners[number]));
            }
            assert!(!future.core().word.push(&listeners[0]), "it is done");
        }
    }
}

#[test]
fn waits_that_end_too_soon_leave_nothing_behind() {
    let (promises, futures) = pairs(10);
    for _ in 0..3 {
        let waited = wait(&futures, Some(Duration::from_millis(1)), ReturnWhen::FirstCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (0, 10));
        assert!(as_completed(&futures).timeout(Duration::from_millis(1)).next().unwrap().is_err());
        let _dropped = as_completed(&futures);
        assert!(!futures[0].wait_timeout(Duration::from_millis(1)));
    }
    assert!(!futures.iter().any(is_listened_to));
    drop(promises);
    assert!(futures.iter().all(|future| matches!(future.exception(), Some(TaskError::Abandoned))));
}

#[test]
fn waiters_hear_of_it_before_callbacks_and_callbacks_in_order() {
    let (promise, future) = Promise::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::new(Listener::new(Tell::Thread(Parker::current())));
    for number in 0..3 {
        let (heard, listener) = (Arc::clone(&heard), Arc::clone(&listener));
        future.add_done_callback(move |_| heard.lock().unwrap().push((number, listener.is_told())));
    }
    assert!(future.core().word.push(&listener));
    promise.set_result(()).unwrap();
    assert_eq!(*heard.lock().unwrap(), [(0, true), (1, true), (2, true)]);
}

#[test]
fn what_is_done_comes_first_and_the_rest_as_it_ends() {
    let (promises, futures) = pairs(6);
    let promises = RefCell::new(promises.into_iter().map(Some).collect::<Vec<_>>());
    let end = |number: usize| promises.borrow_mut()[number].take().unwrap().set_result(number).unwrap();
    end(3);
    end(1);
    let mut completed = as_completed(futures);
    assert_eq!(completed.len(), 6);
    let mut next = || completed.next().map(|future| future.result().unwrap());
    assert_eq!((next(), next()), (Some(1), Some(3)));
    end(5);
    end(0);
    end(4);
    assert_eq!((next(), next(), next()), (Some(5), Some(0), Some(4)));
    end(2);
    assert_eq!((next(), next(), next()), (Some(2), None, None));
}

#[test]
fn a_pair_is_waited_for_by_its_future() {
    let (promise, future) = Promise::new();
    promise.set_result(7).unwrap();
    let keyed = [(future, "key")];
    let both: Vec<&dyn Waitable> = vec![&keyed[0], &keyed[0].0];
    assert_eq!(wait(both, None, ReturnWhen::AllCompleted).done.len(), 1, "it is the same future");
    let boxed: Box<dyn Waitable> = Box::new(&keyed[0]);
    assert!(as_completed([boxed]).next().is_some());
}

#[test]
fn those_that_did_not_come_out_can_be_had_back() {
    let (promises, futures) = pairs(4);
    let mut timed = as_completed(futures).timeout(Duration::ZERO);
    assert_eq!(timed.next().unwrap().unwrap_err().to_string(), "4 (of 4) futures unfinished");
    let left = timed.into_unfinished();
    assert_eq!(left.len(), 4);
    assert!(!left.iter().any(is_listened_to));
    for (number, promise) in promises.into_iter().enumerate() {
        promise.set_result(number).unwrap();
    }
    let mut results: Vec<_> = left.into_iter().map(|future| future.result().unwrap()).collect();
    results.sort_unstable();
    assert_eq!(results, [0, 1, 2, 3]);
}
