//! Destructors and comparisons that panic, or use the queue themselves.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{LONG, until};
use crate::queue::keep::Keep;
use crate::queue::*;
use crate::unwind::halt;

/// Counts drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

struct Counted(Drops);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drops {
    fn make(&self) -> Counted {
        Counted(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn an_item_is_gone_when_it_was_got_or_when_the_queue_goes() {
    let drops = Drops::default();
    let (simple, fifo, lifo) = (SimpleQueue::new(), Queue::new(0), LifoQueue::new(0));
    for _ in 0..150 {
        simple.put(drops.make());
        fifo.put(drops.make()).unwrap();
        lifo.put(drops.make()).unwrap();
    }
    for n in 0..70 {
        assert_eq!(drops.count(), 3 * n);
        drop((simple.get(), fifo.get(), lifo.get()));
    }
    drop((simple, fifo, lifo));
    assert_eq!(drops.count(), 450);
}

#[test]
fn a_queue_that_goes_drops_the_rest_after_a_panic() {
    struct Bomb(#[allow(dead_code, reason = "dropped with its owner")] Counted, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.1 {
                panic!("bomb");
            }
        }
    }
    let drops = Drops::default();
    let queue = SimpleQueue::new();
    for n in 0..100 {
        queue.put(Bomb(drops.make(), n == 10));
    }
    assert!(halt(|| drop(queue)).is_err());
    assert_eq!(drops.count(), 100);
}

/// Puts to its own queue as it goes, a few times.
struct Phoenix(Rc<SimpleQueue<Phoenix>>, u32);

impl Drop for Phoenix {
    fn drop(&mut self) {
        if self.1 > 0 {
            self.0.put(Phoenix(Rc::clone(&self.0), self.1 - 1));
        }
    }
}

#[test]
fn a_destructor_may_put_to_its_own_queue() {
    let queue = Rc::new(SimpleQueue::new());
    for _ in 0..10 {
        queue.put(Phoenix(Rc::clone(&queue), 20));
    }
    assert_eq!(queue.try_iter().count(), 210);
}

/// Compares as its number does, or panics.
struct Touchy {
    number: u32,
    bad: Arc<AtomicBool>,
    queue: Option<Arc<PriorityQueue<Touchy>>>,
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Touchy {}
impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        assert!(!self.bad.load(Ordering::SeqCst), "a bad comparison");
        self.number.cmp(&other.number)
    }
}
impl Drop for Touchy {
    fn drop(&mut self) {
        // Would wait for itself if the queue's lock were held.
        if let Some(queue) = self.queue.take() {
            self.bad.store(false, Ordering::SeqCst);
            assert!(queue.put(Touchy { number: 1_000, bad: Arc::clone(&self.bad), queue: None }).is_ok());
        }
    }
}

#[test]
fn a_comparison_that_panics_changes_nothing() {
    let bad = Arc::new(AtomicBool::new(false));
    let queue = PriorityQueue::new(0);
    let touchy = |number| Touchy { number, bad: Arc::clone(&bad), queue: None };
    for number in [5, 3, 8, 1, 9, 2] {
        queue.put(touchy(number)).unwrap();
    }
    bad.store(true, Ordering::SeqCst);
    assert!(halt(|| queue.put(touchy(0))).is_err());
    assert!(halt(|| queue.get().map(|_| ())).is_err());
    assert_eq!((queue.len(), queue.unfinished_tasks()), (6, 6));
    bad.store(false, Ordering::SeqCst);
    let numbers: Vec<_> = queue.try_iter().map(|touchy| touchy.number).collect();
    assert_eq!(numbers, [1, 2, 3, 5, 8, 9]);
}

#[test]
fn an_item_that_cannot_be_put_is_dropped_without_the_lock() {
    let bad = Arc::new(AtomicBool::new(false));
    let queue = Arc::new(PriorityQueue::new(0));
    let touchy = |number, queue| Touchy { number, bad: Arc::clone(&bad), queue };
    queue.put(touchy(7, None)).unwrap();
    bad.store(true, Ordering::SeqCst);
    assert!(halt(|| queue.put(touchy(0, Some(Arc::clone(&queue))))).is_err());
    let numbers: Vec<_> = queue.try_iter().map(|touchy| touchy.number).collect();
    assert_eq!(numbers, [7, 1_000]);
}

/// Refuses what it is told to refuse.
struct Failing<'a> {
    fails: &'a AtomicBool,
    items: VecDeque<u32>,
}

impl Storage<u32> for Failing<'_> {
    fn push(&mut self, item: Offer<'_, u32>) {
        assert!(!self.fails.load(Ordering::SeqCst), "no {}", item.get());
        self.items.push_back(item.take());
    }
    fn pop(&mut self) -> Option<u32> {
        assert!(!self.fails.load(Ordering::SeqCst), "nothing");
        self.items.pop_front()
    }
    fn len(&self) -> usize {
        self.items.len()
    }
}

#[test]
fn a_storage_that_fails_leaves_the_queue_in_order() {
    let fails = AtomicBool::new(false);
    let queue = StoredQueue::with_storage(2, Failing { fails: &fails, items: VecDeque::new() });
    queue.put(1).unwrap();
    fails.store(true, Ordering::SeqCst);
    assert!(halt(|| queue.put(2)).is_err() && halt(|| queue.try_put(2)).is_err());
    assert!(halt(|| queue.put_timeout(2, LONG)).is_err() && halt(|| queue.put_many(vec![2, 3])).is_err());
    assert!(halt(|| queue.get()).is_err() && halt(|| queue.shutdown_now()).is_err());
    assert_eq!((queue.len(), queue.unfinished_tasks()), (1, 1));
    fails.store(false, Ordering::SeqCst);
    assert!(queue.is_shutdown());
    assert_eq!(queue.get(), Ok(1));
}

#[test]
fn a_storage_that_fails_under_a_sleeper_loses_nobody_else() {
    let fails = AtomicBool::new(false);
    let queue = StoredQueue::with_storage(1, Failing { fails: &fails, items: VecDeque::new() });
    queue.put(1).unwrap();
    std::thread::scope(|s| {
        let puts = [2, 3].map(|n| {
            let queue = &queue;
            s.spawn(move || halt(|| queue.put(n)))
        });
        until(|| queue.room.bell.waiting() == 2);
        fails.store(true, Ordering::SeqCst);
        // There is room now, and one call: who heeds it fails, and passes it on.
        queue.keep.set_maxsize(2);
        queue.room.call();
        assert!(puts.into_iter().all(|put| put.join().unwrap().is_err()));
    });
    assert_eq!(queue.len(), 1);
}

/// Takes an item in, and then panics, if it is odd.
#[derive(Default)]
struct Late(Vec<u32>);

impl Storage<u32> for Late {
    fn push(&mut self, item: Offer<'_, u32>) {
        self.0.push(item.take());
        assert!(self.0.last().is_none_or(|n| n % 2 == 0), "too late");
    }
    fn pop(&mut self) -> Option<u32> {
        assert!(self.0.last() != Some(&13), "stuck");
        self.0.pop()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[test]
fn an_item_that_went_in_before_a_panic_was_put() {
    let queue = StoredQueue::<u32, Late>::new(0);
    for round in 1..4 {
        std::thread::scope(|s| {
            let sleeper = s.spawn(|| queue.get());
            until(|| queue.items.bell.waiting() == 1);
            let put = match round {
                1 => halt(|| queue.put(1).map_err(drop)),
                2 => halt(|| queue.try_put(1).map_err(drop)),
                _ => halt(|| queue.put_many(vec![1]).map_err(drop)),
            };
            assert!(put.is_err());
            assert_eq!(sleeper.join().unwrap(), Ok(1));
        });
        assert_eq!((queue.len(), queue.unfinished_tasks()), (0, 1));
        queue.task_done().unwrap();
        assert!(queue.task_done().is_err());
        queue.join();
    }
}

/// Gives an item out, and panics instead, if it is odd.
#[derive(Default)]
struct Lossy(Vec<u32>);

impl Storage<u32> for Lossy {
    fn push(&mut self, item: Offer<'_, u32>) {
        self.0.push(item.take());
    }
    fn pop(&mut self) -> Option<u32> {
        let item = self.0.pop();
        assert!(item.is_none_or(|n| n % 2 == 0), "lost");
        item
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[test]
fn an_item_that_a_storage_loses_leaves_room() {
    for many in [false, true] {
        let queue = StoredQueue::<u32, Lossy>::new(1);
        queue.put(1).unwrap();
        std::thread::scope(|s| {
            let sleeper = s.spawn(|| queue.put(2));
            until(|| queue.room.bell.waiting() == 1);
            let got = halt(|| if many { queue.get_many(3).map(drop) } else { queue.get().map(drop) });
            assert!(got.is_err());
            assert_eq!(sleeper.join().unwrap(), Ok(()));
        });
        assert_eq!((queue.len(), queue.get()), (1, Ok(2)));
    }
}

#[test]
fn what_was_got_before_a_panic_is_not_lost() {
    let queue = StoredQueue::<u32, Late>::new(0);
    assert!(halt(|| queue.put(13)).is_err());
    queue.put_many(vec![2, 4]).unwrap();
    assert_eq!(queue.get_many(8), Ok(vec![4, 2]));
    assert!(halt(|| queue.get_many(8)).is_err());
    assert_eq!((queue.len(), queue.unfinished_tasks()), (1, 3));
}

#[test]
fn a_queue_that_is_shut_down_counts_all_that_it_throws_away() {
    let (fifo, lifo) = (Queue::new(0), LifoQueue::new(0));
    fifo.put_many((0..1_000).collect::<Vec<_>>()).unwrap();
    lifo.put_many((0..1_000).collect::<Vec<_>>()).unwrap();
    let (first, last) = (fifo.get().unwrap(), lifo.get().unwrap());
    assert_eq!((first, last), (0, 999));
    assert_eq!((fifo.shutdown_now().len(), lifo.shutdown_now().len()), (999, 999));
    assert_eq!((fifo.unfinished_tasks(), lifo.unfinished_tasks()), (1, 1));
    fifo.task_done().unwrap();
    assert!(fifo.task_done().is_err());
}

#[test]
#[should_panic(expected = "without having taken the item")]
fn a_storage_must_take_what_it_is_offered() {
    struct Lazy;
    impl Storage<u8> for Lazy {
        fn push(&mut self, _: Offer<'_, u8>) {}
        fn pop(&mut self) -> Option<u8> {
            None
        }
        fn len(&self) -> usize {
            0
        }
    }
    let _ = StoredQueue::with_storage(0, Lazy).put(1);
}
