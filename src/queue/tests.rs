//! What the queues promise, on one thread and on a few.

mod odd;
mod plain;
mod upsets;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::block::SLOTS;
use super::*;
use crate::unwind::halt;

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(2);

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// Runs `test` for a queue of each order.
macro_rules! each_order {
    ($(fn $name:ident($queue:ident: $maxsize:literal) $body:block)*) => {
        mod fifo { use super::*; $(#[test] fn $name() { let $queue = Queue::<i32>::new($maxsize); $body })* }
        mod lifo { use super::*; $(#[test] fn $name() { let $queue = LifoQueue::<i32>::new($maxsize); $body })* }
        mod priority { use super::*; $(#[test] fn $name() { let $queue = PriorityQueue::<i32>::new($maxsize); $body })* }
        mod stored { use super::*; $(#[test] fn $name() { let $queue = StoredQueue::<i32, VecDeque<i32>>::new($maxsize); $body })* }
    };
}

each_order! {
    fn a_bound_is_kept_and_seen(queue: 2) {
        assert!(queue.is_empty() && !queue.is_full() && queue.maxsize() == 2);
        queue.put(1).unwrap();
        queue.try_put(2).unwrap();
        assert!(queue.is_full() && queue.len() == 2);
        assert_eq!(queue.try_put(3), Err(PutError::Full(3)));
        assert_eq!(queue.put_timeout(3, SHORT), Err(PutError::Full(3)));
        assert_eq!(queue.put_timeout(3, Duration::ZERO), Err(PutError::Full(3)));
        assert_eq!(queue.put_deadline(3, Instant::now()), Err(PutError::Full(3)));
        assert_eq!(queue.unfinished_tasks(), 2);
        queue.get().unwrap();
        queue.put_timeout(3, LONG).unwrap();
        assert!(queue.is_full());
    }

    fn without_a_bound_it_is_never_full(queue: 0) {
        for n in 0..1_000 {
            queue.try_put(n).unwrap();
        }
        assert!(!queue.is_full() && queue.len() == 1_000);
    }

    fn nothing_there_is_said_so(queue: 0) {
        assert_eq!(queue.try_get(), Err(GetError::Empty));
        assert_eq!(queue.get_timeout(SHORT), Err(GetError::Empty));
        assert_eq!(queue.get_timeout(Duration::ZERO), Err(GetError::Empty));
        assert_eq!(queue.get_deadline(Instant::now()), Err(GetError::Empty));
        queue.put(7).unwrap();
        assert_eq!(queue.get_timeout(Duration::MAX), Ok(7));
    }

    fn a_smaller_bound_counts_from_now_on(queue: 0) {
        queue.put_many(vec![1, 2, 3]).unwrap();
        queue.set_maxsize(2);
        assert!(queue.is_full());
        assert_eq!(queue.try_put(4), Err(PutError::Full(4)));
        queue.get().unwrap();
        assert_eq!(queue.try_put(4), Err(PutError::Full(4)));
        queue.get().unwrap();
        queue.try_put(4).unwrap();
        queue.set_maxsize(0);
        queue.put_many((0..100).collect::<Vec<_>>()).unwrap();
    }

    fn a_larger_bound_wakes_who_waits_for_room(queue: 1) {
        queue.put(1).unwrap();
        std::thread::scope(|s| {
            s.spawn(|| queue.put(2).unwrap());
            until(|| queue.room.bell.is_awaited());
            queue.set_maxsize(2);
        });
        assert_eq!(queue.len(), 2);
    }

    fn a_sleeping_get_is_woken_by_a_put(queue: 0) {
        std::thread::scope(|s| {
            let got = s.spawn(|| queue.get());
            until(|| queue.items.bell.is_awaited());
            queue.put(5).unwrap();
            assert_eq!(got.join().unwrap(), Ok(5));
        });
    }

    fn a_sleeping_put_is_woken_by_a_get(queue: 1) {
        queue.put(1).unwrap();
        std::thread::scope(|s| {
            s.spawn(|| queue.put_timeout(2, LONG).unwrap());
            until(|| queue.room.bell.is_awaited());
            assert_eq!(queue.get(), Ok(1));
            assert_eq!(queue.get(), Ok(2));
        });
    }

    fn tasks_are_counted(queue: 0) {
        assert_eq!(queue.task_done(), Err(TooManyTaskDone));
        queue.join();
        queue.put_many(vec![1, 2]).unwrap();
        assert!(!queue.join_timeout(SHORT) && !queue.join_deadline(Instant::now()));
        queue.task_done().unwrap();
        drop(queue.get_task().unwrap());
        assert!(queue.join_timeout(LONG));
        queue.join();
        queue.join();
        assert_eq!(queue.task_done(), Err(TooManyTaskDone));
        assert_eq!(queue.len(), 1, "`task_done` before `get` is allowed");
    }

    fn joiners_are_woken_by_the_last_task(queue: 0) {
        queue.put_many(vec![1, 2]).unwrap();
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| queue.join());
            }
            until(|| queue.joiners.is_awaited());
            queue.task_done().unwrap();
            queue.task_done().unwrap();
        });
    }

    fn after_a_shutdown_the_rest_is_got(queue: 3) {
        queue.put_many(vec![1, 2]).unwrap();
        queue.shutdown();
        queue.shutdown();
        assert!(queue.is_shutdown());
        assert_eq!(queue.put(3), Err(ShutDown(3)));
        assert_eq!(queue.try_put(3), Err(PutError::ShutDown(3)));
        assert_eq!(queue.put_timeout(3, LONG), Err(PutError::ShutDown(3)));
        assert_eq!(queue.put_many(vec![3, 4]), Err(ShutDown(vec![3, 4])));
        assert_eq!(queue.unfinished_tasks(), 2);
        assert!(queue.get().is_ok() && queue.try_get().is_ok());
        assert_eq!(queue.get(), Err(ShutDown(())));
        assert_eq!(queue.try_get(), Err(GetError::ShutDown));
        assert_eq!(queue.get_timeout(LONG), Err(GetError::ShutDown));
        assert_eq!(queue.get_many(5), Err(ShutDown(())));
        assert!(queue.get_task().is_err() && queue.iter().next().is_none() && queue.tasks().next().is_none());
        assert!(!queue.join_timeout(SHORT), "a shutdown does not finish tasks");
        queue.task_done().unwrap();
        queue.task_done().unwrap();
        queue.join();
    }

    fn shutdown_now_takes_everything_out(queue: 0) {
        queue.put_many(vec![1, 2, 3]).unwrap();
        let task = queue.get_task().unwrap();
        let mut rest = queue.shutdown_now();
        rest.push(*task);
        rest.sort();
        assert_eq!(rest, [1, 2, 3]);
        assert_eq!(queue.get(), Err(ShutDown(())));
        assert_eq!(queue.unfinished_tasks(), 1);
        assert_eq!(queue.shutdown_now(), []);
        drop(task);
        queue.join();
        assert_eq!(queue.task_done(), Err(TooManyTaskDone), "what was taken out is done");
    }

    fn a_graceful_shutdown_may_become_an_immediate_one(queue: 0) {
        queue.put(1).unwrap();
        queue.shutdown();
        assert_eq!(queue.shutdown_now(), [1]);
        queue.join();
        queue.shutdown();
        assert_eq!(queue.get(), Err(ShutDown(())));
    }

    fn shutdown_now_after_early_task_dones_never_counts_below_zero(queue: 0) {
        queue.put_many(vec![1, 2, 3]).unwrap();
        queue.task_done().unwrap();
        queue.task_done().unwrap();
        assert_eq!(queue.shutdown_now().len(), 3);
        assert_eq!(queue.unfinished_tasks(), 0);
    }

    fn a_shutdown_wakes_getters_and_putters(queue: 1) {
        queue.put(1).unwrap();
        std::thread::scope(|s| {
            let put = s.spawn(|| queue.put(2));
            until(|| queue.room.bell.is_awaited());
            queue.shutdown();
            assert_eq!(put.join().unwrap(), Err(ShutDown(2)), "the item comes back");
        });
        assert_eq!(queue.len(), 1);
    }

    fn a_shutdown_wakes_who_waits_for_items(queue: 1) {
        std::thread::scope(|s| {
            let got = [(); 2].map(|()| s.spawn(|| queue.get()));
            until(|| queue.items.bell.is_awaited());
            queue.shutdown();
            assert!(got.into_iter().all(|got| got.join().unwrap() == Err(ShutDown(()))));
        });
    }

    fn shutdown_now_lets_joiners_go_once_running_tasks_are_done(queue: 0) {
        queue.put_many(vec![1, 2]).unwrap();
        let task = queue.get_task().unwrap();
        std::thread::scope(|s| {
            let joined = s.spawn(|| queue.join());
            until(|| queue.joiners.is_awaited());
            assert_eq!(queue.shutdown_now().len(), 1);
            assert!(!joined.is_finished());
            drop(task);
            joined.join().unwrap();
        });
    }

    fn a_shutdown_ends_waits_that_have_a_time_limit_too(queue: 1) {
        std::thread::scope(|s| {
            let get = s.spawn(|| queue.get_timeout(LONG));
            until(|| queue.items.bell.is_awaited());
            queue.shutdown();
            assert_eq!(get.join().unwrap(), Err(GetError::ShutDown), "and not that there was none in time");
        });
        assert_eq!(queue.get_deadline(Instant::now()), Err(GetError::ShutDown));
    }

    fn shutdown_now_gives_every_sleeping_put_its_item_back(queue: 1) {
        queue.put(0).unwrap();
        std::thread::scope(|s| {
            let puts = [1, 2, 3].map(|n| {
                let queue = &queue;
                s.spawn(move || if n == 3 { queue.put_many(vec![3, 4]) } else { queue.put(n).map_err(|back| ShutDown(vec![back.0])) })
            });
            until(|| queue.room.bell.waiting() == 3);
            assert_eq!(queue.shutdown_now(), [0]);
            assert_eq!(puts.map(|put| put.join().unwrap()), [Err(ShutDown(vec![1])), Err(ShutDown(vec![2])), Err(ShutDown(vec![3, 4]))]);
        });
        assert_eq!((queue.len(), queue.unfinished_tasks()), (0, 0));
    }

    fn shutdown_now_wakes_who_waits_for_items_and_for_tasks(queue: 0) {
        std::thread::scope(|s| {
            let gets = [(); 2].map(|()| s.spawn(|| queue.get()));
            until(|| queue.items.bell.waiting() == 2);
            assert_eq!(queue.shutdown_now(), []);
            assert!(gets.into_iter().all(|get| get.join().unwrap() == Err(ShutDown(()))));
        });
        queue.join();
    }

    fn workers_end_with_the_queue(queue: 2) {
        // The chapter's example: consumers, a join, and an end.
        let done = AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| queue.tasks().for_each(|task| _ = done.fetch_add(*task as usize, Ordering::Relaxed)));
            }
            (0..300).for_each(|_| queue.put(1).unwrap());
            queue.join();
            assert_eq!((done.load(Ordering::Relaxed), queue.len()), (300, 0));
            queue.shutdown();
        });
    }

    fn a_panicking_task_is_done(queue: 0) {
        queue.put(1).unwrap();
        let result = halt(|| {
            let _task = queue.get_task().unwrap();
            panic!("in the work");
        });
        assert!(result.is_err());
        queue.join();
    }

    fn many_at_a_time(queue: 70) {
        std::thread::scope(|s| {
            s.spawn(|| {
                queue.put_many((0..1_000).collect::<Vec<_>>()).unwrap();
                queue.put_many(VecDeque::new()).unwrap();
                queue.shutdown();
            });
            let (mut all, mut most) = (Vec::new(), 0);
            while let Ok(some) = queue.get_many(100) {
                assert!((1..=100).contains(&some.len()));
                most = most.max(some.len());
                all.extend(some);
            }
            all.sort();
            assert_eq!(all, (0..1_000).collect::<Vec<_>>());
        });
        assert_eq!(queue.get_many(0), Ok(vec![]));
    }

    fn it_says_what_it_is(queue: 2) {
        queue.put(1).unwrap();
        let text = format!("{queue:?}");
        assert!(text.contains("len: 1") && text.contains("maxsize: 2"), "{text}");
        assert_eq!(format!("{:?}", queue.get_task().unwrap()), "Task(1)");
    }
}

#[test]
fn items_come_in_order() {
    let (fifo, lifo, least) = (Queue::new(0), LifoQueue::new(0), PriorityQueue::new(0));
    for n in [3, 1, 2] {
        fifo.put(n).unwrap();
        lifo.put(n).unwrap();
        least.put(n).unwrap();
    }
    assert_eq!(fifo.try_iter().collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(lifo.try_iter().collect::<Vec<_>>(), [2, 1, 3]);
    assert_eq!(least.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn errors_are_errors_for_any_item() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>(error: E) -> String {
        error.to_string()
    }
    struct Plain;
    assert_eq!(is_error(PutError::Full(Plain)), "the queue is full");
    assert!(is_error(PutError::from(ShutDown(Plain))).contains("shut down"));
    assert!(is_error(GetError::from(ShutDown(()))).contains("shut down"));
    assert_eq!(is_error(GetError::from(Empty)), is_error(Empty));
    assert!(is_error(TooManyTaskDone).contains("once for each item"));
    assert_eq!(format!("{:?}", PutError::Full(Plain)), "Full(..)");
}

#[test]
fn a_simple_queue_hands_on_in_order_across_blocks() {
    let queue = SimpleQueue::new();
    assert_eq!(queue.try_get(), Err(Empty));
    for lap in 0..5 {
        let count = lap * SLOTS + lap;
        for n in 0..count {
            queue.put(n);
        }
        assert_eq!(queue.len() as u64, count);
        assert_eq!(queue.try_iter().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        assert!(queue.is_empty());
    }
    queue.put_many((0..200).collect::<Vec<_>>());
    assert_eq!(queue.get_many(150), (0..150).collect::<Vec<_>>());
    assert_eq!(queue.get_many(150), (150..200).collect::<Vec<_>>());
    assert_eq!(queue.get_many(0), []);
    assert_eq!(queue.get_timeout(SHORT), Err(Empty));
    assert_eq!(queue.get_deadline(Instant::now()), Err(Empty));
    queue.put(1);
    assert_eq!((queue.get_timeout(Duration::ZERO), format!("{queue:?}").contains("len: 0")), (Ok(1), true));
}

#[test]
fn a_simple_get_is_woken() {
    let queue = SimpleQueue::new();
    std::thread::scope(|s| {
        let got = s.spawn(|| (queue.get(), queue.get_timeout(LONG), queue.get_many(3)));
        for n in 0..3 {
            until(|| queue.is_awaited());
            queue.put(n);
        }
        assert_eq!(got.join().unwrap(), (0, Ok(1), vec![2]));
    });
}

#[test]
fn queues_may_be_statics_and_shared_if_their_items_may_be_sent() {
    fn shared<Q: Send + Sync + std::panic::RefUnwindSafe + std::panic::UnwindSafe>(_: &Q) {}
    static SIMPLE: SimpleQueue<Cell<u8>> = SimpleQueue::new();
    static BOUNDED: Queue<Cell<u8>> = Queue::new(3);
    static STORED: StoredQueue<u8, VecDeque<u8>> = StoredQueue::with_storage(0, VecDeque::new());
    shared(&SIMPLE);
    shared(&BOUNDED);
    shared(&STORED);
    SIMPLE.put(Cell::new(1));
    assert_eq!(SIMPLE.get().get(), 1);
}

#[test]
fn a_heap_takes_any_order() {
    let heap = PriorityQueue::new(0);
    let mut state = 1_u32;
    for round in 0..200 {
        let mut numbers: Vec<_> = (0..round)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 26
            })
            .collect();
        heap.put_many(numbers.clone()).unwrap();
        numbers.sort();
        assert_eq!(heap.try_iter().collect::<Vec<_>>(), numbers);
    }
}

#[test]
fn a_bound_holds_whoever_puts() {
    let (queue, put, taken) = (Queue::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                for n in 0..2_000 {
                    queue.put(n).unwrap();
                    put.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..6_000 {
            // In this order it is never too much.
            let put = put.load(Ordering::SeqCst);
            assert!(put - taken.load(Ordering::SeqCst).min(put) <= 3);
            taken.fetch_add(1, Ordering::SeqCst);
            queue.get().unwrap();
        }
    });
    assert!(queue.is_empty());
}
