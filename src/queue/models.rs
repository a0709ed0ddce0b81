//! The protocols of the queues under loom. Blocks hold two items here, and nobody polls before it sleeps.

mod stock;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use loom::alloc::Track;
use loom::thread;

use super::*;
use crate::prim::models::check;

/// An item: loom notices if one is lost.
type Item = Track<u32>;

fn item(number: u32) -> Item {
    Track::new(number)
}

fn number(item: Item) -> u32 {
    *item.get_ref()
}

fn simple(numbers: std::ops::Range<u32>) -> Arc<SimpleQueue<Item>> {
    let queue = SimpleQueue::new();
    numbers.for_each(|n| queue.put(item(n)));
    Arc::new(queue)
}

/// Runs `body` on another thread.
fn on<Q: Send + Sync + 'static, R: 'static>(
    queue: &Arc<Q>,
    body: impl FnOnce(&Q) -> R + 'static,
) -> thread::JoinHandle<R> {
    let queue = Arc::clone(queue);
    thread::spawn(move || body(&queue))
}

#[test]
fn models_a_put_wakes_a_sleeping_get() {
    check(4, || {
        let queue = simple(0..0);
        let putter = on(&queue, |queue| queue.put(item(1)));
        assert_eq!(number(queue.get()), 1);
        putter.join().unwrap();
    });
}

#[test]
fn models_two_sleeping_gets_are_both_woken() {
    check(2, || {
        let queue = simple(0..0);
        let getters = [0; 2].map(|_| on(&queue, |queue| number(queue.get())));
        queue.put(item(1));
        queue.put(item(2));
        let sum: u32 = getters.map(|getter| getter.join().unwrap()).iter().sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn models_items_cross_blocks_in_order() {
    check(3, || {
        let queue = simple(0..0);
        let putter = on(&queue, |queue| (0..3).for_each(|n| queue.put(item(n))));
        for n in 0..3 {
            assert_eq!(number(queue.get()), n);
        }
        putter.join().unwrap();
    });
}

#[test]
fn models_many_at_a_time_cross_blocks_in_order() {
    check(3, || {
        let queue = simple(0..1);
        let putter = on(&queue, |queue| queue.put_many((1..4).map(item).collect::<Vec<_>>()));
        let mut next = 0;
        while next < 4 {
            for item in queue.get_many(3) {
                assert_eq!(number(item), next);
                next += 1;
            }
        }
        putter.join().unwrap();
    });
}

#[test]
fn models_two_producers_meet_at_a_block_s_end() {
    check(3, || {
        let queue = simple(0..1);
        let putters = [1, 3].map(|n| {
            on(&queue, move |queue| {
                queue.put(item(n));
                queue.put(item(n + 1));
            })
        });
        putters.into_iter().for_each(|putter| putter.join().unwrap());
        let got: Vec<_> = queue.try_iter().map(number).collect();
        let place = |n| got.iter().position(|other| *other == n).unwrap();
        assert!(got.len() == 5 && place(0) == 0 && place(1) < place(2) && place(3) < place(4), "{got:?}");
    });
}

#[test]
fn models_two_consumers_meet_at_a_block_s_end() {
    check(3, || {
        let queue = simple(0..4);
        let take = |queue: &SimpleQueue<Item>| [0; 2].map(|_| number(queue.try_get().unwrap()));
        let getter = on(&queue, take);
        let (mine, theirs) = (take(&queue), getter.join().unwrap());
        assert!(mine[0] < mine[1] && theirs[0] < theirs[1]);
        let mut all = [mine, theirs].concat();
        all.sort();
        assert_eq!(all, [0, 1, 2, 3]);
        assert!(queue.is_empty());
    });
}

/// One reader is slow. The other goes on to the next block and leaves the first behind; then a third block is needed: the
/// first again, if that is done.
#[test]
fn models_a_block_is_not_used_again_before_its_last_reader_is_done() {
    check(2, || {
        let queue = simple(0..2);
        let slow = on(&queue, |queue| number(queue.try_get().unwrap()));
        let mut got = vec![number(queue.try_get().unwrap())];
        queue.put(item(2));
        got.extend(queue.try_get().map(number));
        // On a third thread, as the fences in a put would do for the second's look at the reader's marks.
        let putter = on(&queue, |queue| (3..5).for_each(|n| queue.put(item(n))));
        putter.join().unwrap();
        got.push(slow.join().unwrap());
        got.extend(queue.try_iter().map(number));
        got.sort();
        assert_eq!(got, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn models_a_block_goes_from_the_consumer_to_the_producer() {
    check(3, || {
        let queue = simple(0..3);
        let getter = on(&queue, |queue| [0; 3].map(|_| number(queue.try_get().unwrap())));
        queue.put(item(3));
        queue.put(item(4));
        assert_eq!(getter.join().unwrap(), [0, 1, 2]);
        assert_eq!(queue.try_iter().map(number).collect::<Vec<_>>(), [3, 4]);
    });
}

/// One consumer has looked at the tail, and the other goes by what it saw: on to a block which that one has not met.
#[test]
fn models_a_consumer_goes_by_what_another_has_learnt() {
    check(2, || {
        let queue = simple(0..2);
        assert_eq!(queue.try_iter().map(number).sum::<u32>(), 1);
        let getters = [0; 2].map(|_| on(&queue, |queue| queue.try_get().map(number).ok()));
        queue.put(item(2));
        let mut got: Vec<_> = getters.into_iter().filter_map(|getter| getter.join().unwrap()).collect();
        got.extend(queue.try_iter().map(number));
        assert_eq!(got, [2]);
    });
}

#[test]
fn models_a_producer_and_a_consumer_pass_blocks_to_and_fro() {
    check(2, || {
        let queue = simple(0..2);
        let putter = on(&queue, |queue| (2..6).for_each(|n| queue.put(item(n))));
        for n in 0..6 {
            assert_eq!(number(queue.get()), n);
        }
        putter.join().unwrap();
    });
}

fn bounded(maxsize: usize, numbers: std::ops::Range<u32>) -> Arc<Queue<Item>> {
    let queue = Queue::new(maxsize);
    numbers.for_each(|n| assert!(queue.try_put(item(n)).is_ok()));
    Arc::new(queue)
}

#[test]
fn models_a_get_wakes_a_sleeping_put() {
    check(3, || {
        let queue = bounded(1, 0..1);
        let putter = on(&queue, |queue| queue.put(item(1)).is_ok());
        assert_eq!(number(queue.get().unwrap()), 0);
        assert_eq!(number(queue.get().unwrap()), 1);
        assert!(putter.join().unwrap());
    });
}

#[test]
fn models_a_bound_holds_for_two_producers() {
    check(3, || {
        let queue = bounded(2, 0..1);
        let putter = on(&queue, |queue| queue.try_put(item(1)).is_ok());
        let mine = queue.try_put(item(2)).is_ok();
        assert!(mine ^ putter.join().unwrap());
        assert_eq!(queue.try_iter().count(), 2);
    });
}

#[test]
fn models_a_smaller_bound_is_kept() {
    check(3, || {
        let queue = bounded(4, 0..0);
        // What the tail knows of its room is to be looked up anew, by the other thread and under the old bound.
        queue.set_maxsize(4);
        let putter = on(&queue, |queue| queue.try_put(item(1)).is_ok());
        queue.set_maxsize(1);
        putter.join().unwrap();
        let _ = (queue.try_put(item(2)), queue.try_put(item(3)));
        assert_eq!(queue.len(), 1);
    });
}

#[test]
fn models_a_larger_bound_wakes_a_sleeping_put() {
    check(3, || {
        let queue = bounded(1, 0..1);
        let putter = on(&queue, |queue| queue.put(item(1)).is_ok());
        queue.set_maxsize(2);
        assert!(putter.join().unwrap());
        assert_eq!(queue.len(), 2);
    });
}

#[test]
fn models_a_shutdown_wakes_a_sleeping_get() {
    check(4, || {
        let queue = bounded(0, 0..0);
        let getter = on(&queue, |queue| queue.get().is_err());
        queue.shutdown();
        assert!(getter.join().unwrap());
    });
}

#[test]
fn models_a_shutdown_gives_a_sleeping_put_its_item_back() {
    check(4, || {
        let queue = bounded(1, 0..1);
        let putter = on(&queue, |queue| queue.put(item(1)).map_err(|ShutDown(item)| number(item)));
        queue.shutdown();
        assert_eq!(putter.join().unwrap(), Err(1));
        assert_eq!(queue.try_iter().count(), 1);
    });
}

/// At the end of a block: the item that is claimed before the end brings a new one.
#[test]
fn models_what_was_put_before_a_shutdown_is_got_and_nothing_else() {
    check(4, || {
        let queue = bounded(0, 0..2);
        let putter = on(&queue, |queue| queue.put(item(2)).is_ok());
        queue.shutdown();
        let got = queue.iter().map(number).count();
        assert_eq!(got, 2 + usize::from(putter.join().unwrap()));
        assert!(queue.is_empty());
    });
}

#[test]
fn models_shutdown_now_and_a_get_share_the_items() {
    check(3, || {
        let queue = bounded(0, 0..3);
        let getter = on(&queue, |queue| queue.iter().map(number).count());
        let taken = queue.shutdown_now();
        let got = getter.join().unwrap();
        assert_eq!(taken.len() + got, 3);
        assert_eq!(queue.unfinished_tasks(), got as u64);
    });
}

#[test]
fn models_join_sees_what_the_last_task_did() {
    check(3, || {
        let queue = bounded(0, 0..2);
        let sum = Arc::new(loom::sync::atomic::AtomicU32::new(0));
        let joiner = {
            let sum = Arc::clone(&sum);
            on(&queue, move |queue| {
                queue.join();
                sum.load(Ordering::Relaxed)
            })
        };
        let work = |queue: &Queue<Item>, sum: &loom::sync::atomic::AtomicU32| {
            let n = number(queue.get().unwrap());
            sum.fetch_add(n + 1, Ordering::Relaxed);
            queue.task_done().unwrap();
        };
        let worker = {
            let sum = Arc::clone(&sum);
            on(&queue, move |queue| work(queue, &sum))
        };
        work(&queue, &sum);
        assert_eq!(joiner.join().unwrap(), 3);
        assert!(queue.task_done().is_err());
        worker.join().unwrap();
    });
}

#[test]
fn models_join_is_not_fooled_by_a_put_next_to_a_task_done() {
    check(4, || {
        let queue = bounded(0, 0..1);
        // (The other way round loom would not try all: it takes a load for done with as soon as a second follows.)
        let looker = on(&queue, |queue| queue.unfinished_tasks() > 0);
        // From one unfinished to two and back: never to none.
        queue.put(item(1)).unwrap();
        queue.task_done().unwrap();
        assert!(looker.join().unwrap());
        assert_eq!(queue.unfinished_tasks(), 1);
    });
}

#[test]
fn models_shutdown_now_lets_joiners_go() {
    check(3, || {
        let queue = bounded(0, 0..2);
        let joiner = on(&queue, |queue| queue.join());
        drop(queue.shutdown_now());
        joiner.join().unwrap();
    });
}

/// One thing to be had, and a bell.
struct Permit(crate::prim::atomic::AtomicBool, bell::Bell);

impl Permit {
    fn give(&self) {
        // (By a read-modify-write, as those of others are: loom does not order a plain store among them.)
        self.0.swap(true, Ordering::AcqRel);
        crate::prim::atomic::fence(Ordering::SeqCst);
        if self.1.is_awaited() {
            self.1.ring();
        }
    }

    fn take(&self, deadline: Option<Instant>) -> bool {
        let look = || self.0.swap(false, Ordering::AcqRel).then_some(());
        self.1.wait(deadline, look, || self.0.load(Ordering::Acquire)).is_some()
    }
}

/// The bell alone: with a queue around it, loom does not come to the bad orders in time.
#[test]
fn models_a_call_that_is_not_heeded_is_passed_on() {
    check(2, || {
        let permit = Arc::new(Permit(crate::prim::atomic::AtomicBool::new(false), bell::Bell::new()));
        // Whether it leaves with the permit or without it, the other one gets it.
        let hasty = on(&permit, |permit| {
            if permit.take(Some(Instant::now())) {
                permit.give();
            }
        });
        let patient = on(&permit, |permit| permit.take(None));
        let giver = on(&permit, Permit::give);
        hasty.join().unwrap();
        giver.join().unwrap();
        assert!(patient.join().unwrap());
    });
}

#[test]
fn models_a_get_that_gives_up_does_not_take_a_call_along() {
    check(2, || {
        let queue = simple(0..0);
        let patient = on(&queue, |queue| number(queue.get()));
        let other = on(&queue, |queue| queue.get_deadline(Instant::now()).map(number).ok());
        queue.put(item(1));
        if other.join().unwrap().is_some() {
            queue.put(item(1));
        }
        assert_eq!(patient.join().unwrap(), 1);
    });
}

#[test]
fn models_a_stored_queue_wakes_both_sides() {
    check(2, || {
        let queue = Arc::new(LifoQueue::new(1));
        let putter = on(&queue, |queue| (0..2).for_each(|n| assert!(queue.put(item(n)).is_ok())));
        assert_eq!(number(queue.get().unwrap()) + number(queue.get().unwrap()), 1);
        putter.join().unwrap();
    });
}
