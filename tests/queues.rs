//! What the queues promise on many threads, and a simple queue against a plain list. What they promise on one stands with
//! their unit tests, once for every kind.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::queue::{Empty, Queue, ShutDown, SimpleQueue};
use proptest::prelude::*;

const SHORT: Duration = Duration::from_millis(5);

#[test]
fn an_empty_simple_queue_says_so() {
    let simple = SimpleQueue::<u8>::new();
    assert_eq!(simple.try_get(), Err(Empty));
    assert_eq!(simple.get_timeout(SHORT), Err(Empty));
    assert_eq!(simple.get_deadline(Instant::now()), Err(Empty));
    simple.put(1);
    assert_eq!(simple.get_timeout(Duration::MAX), Ok(1));
}

#[test]
fn a_room_that_becomes_free_is_taken_by_who_waits() {
    let queue = Queue::new(1);
    queue.put(0).unwrap();
    thread::scope(|s| {
        let putter = s.spawn(|| (1..=1_000).try_for_each(|n| queue.put(n)));
        assert!((0..=1_000).all(|n| queue.get() == Ok(n)));
        assert_eq!(putter.join().unwrap(), Ok(()));
    });
}

#[test]
fn join_waits_for_the_last_task() {
    let (queue, done) = (Queue::new(4), AtomicUsize::new(0));
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                for task in queue.tasks() {
                    done.fetch_add(*task, Ordering::Relaxed);
                }
            });
        }
        (0..500).for_each(|_| queue.put(1).unwrap());
        queue.join();
        assert_eq!(done.load(Ordering::Relaxed), 500);
        queue.shutdown();
    });
}

#[test]
fn a_shutdown_wakes_everybody() {
    for _ in 0..50 {
        let (full, empty) = (Queue::new(1), Queue::<u8>::new(1));
        full.put(0).unwrap();
        let ready = Barrier::new(9);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    ready.wait();
                    assert!(matches!(full.put(1), Err(ShutDown(1))));
                });
                s.spawn(|| {
                    ready.wait();
                    assert_eq!(empty.get(), Err(ShutDown(())));
                });
            }
            ready.wait();
            full.shutdown();
            empty.shutdown();
        });
        assert_eq!(full.get(), Ok(0));
    }
}

/// Counts those that are alive.
struct Item {
    number: usize,
    alive: Arc<AtomicUsize>,
}

impl Item {
    fn new(number: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Item { number, alive: Arc::clone(alive) }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `sides` threads put and as many get; each item arrives once, those of one producer in their order.
fn flow(sides: usize, items: usize, put: impl Fn(Item) + Sync, get: impl Fn() -> Item + Sync) {
    let alive = Arc::new(AtomicUsize::new(0));
    let seen = Mutex::new(BTreeSet::new());
    thread::scope(|s| {
        for side in 0..sides {
            let (alive, put, get, seen) = (&alive, &put, &get, &seen);
            s.spawn(move || (0..items).for_each(|n| put(Item::new(n * sides + side, alive))));
            s.spawn(move || {
                let mut last = vec![None; sides];
                let mut mine = Vec::with_capacity(items);
                for _ in 0..items {
                    let number = get().number;
                    assert!(last[number % sides] < Some(number), "out of order");
                    last[number % sides] = Some(number);
                    mine.push(number);
                }
                let mut seen = seen.lock().unwrap();
                mine.into_iter().for_each(|number| assert!(seen.insert(number), "twice"));
            });
        }
    });
    assert_eq!(seen.into_inner().unwrap().len(), sides * items, "lost");
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn items_arrive_once_and_in_order() {
    for sides in [1, 2, 4] {
        let simple = SimpleQueue::new();
        flow(sides, 20_000, |item| simple.put(item), || simple.get());
        for room in [0, 1, 3, 100] {
            let queue = Queue::new(room);
            flow(
                sides,
                5_000,
                |item| queue.put(item).unwrap_or_else(|_| panic!("open")),
                || queue.get().unwrap(),
            );
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    Get,
    PutMany(Vec<u8>),
    GetMany(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Put),
        Just(Step::Get),
        prop::collection::vec(any::<u8>(), 0..150).prop_map(Step::PutMany),
        (0_usize..150).prop_map(Step::GetMany),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn a_simple_queue_is_a_list(steps in steps()) {
        let (queue, mut list) = (SimpleQueue::new(), std::collections::VecDeque::new());
        for step in steps {
            match step {
                Step::Put(n) => { queue.put(n); list.push_back(n); }
                Step::Get => prop_assert_eq!(queue.try_get().ok(), list.pop_front()),
                Step::PutMany(items) => { list.extend(&items); queue.put_many(items); }
                // It waits for the first one.
                Step::GetMany(most) if !list.is_empty() => {
                    let got = queue.get_many(most);
                    prop_assert!(got.len() <= most && (most == 0 || !got.is_empty()));
                    let expected: Vec<u8> = list.drain(..got.len()).collect();
                    prop_assert_eq!(got, expected);
                }
                Step::GetMany(_) => {}
            }
            prop_assert_eq!(queue.len(), list.len());
        }
    }
}
