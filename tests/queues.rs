//! What the queues promise, on one thread and on many.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::queue::{
    Empty, GetError, LifoQueue, PriorityQueue, PutError, Queue, ShutDown, SimpleQueue, TooManyTaskDone,
};
use proptest::prelude::*;

const SHORT: Duration = Duration::from_millis(5);

#[test]
fn each_queue_has_its_order() {
    let (fifo, lifo, least) = (Queue::new(0), LifoQueue::new(0), PriorityQueue::new(0));
    for n in [2, 3, 1] {
        fifo.put(n).unwrap();
        lifo.put(n).unwrap();
        least.put(n).unwrap();
    }
    assert_eq!(fifo.try_iter().collect::<Vec<_>>(), [2, 3, 1]);
    assert_eq!(lifo.try_iter().collect::<Vec<_>>(), [1, 3, 2]);
    assert_eq!(least.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    assert!(fifo.is_empty() && lifo.is_empty() && least.is_empty());
}

#[test]
fn a_full_queue_gives_the_item_back() {
    let queue = Queue::new(2);
    queue.put("a").unwrap();
    queue.put("b").unwrap();
    assert!(queue.is_full() && queue.len() == 2 && queue.maxsize() == 2);
    for refused in [
        queue.try_put("c"),
        queue.put_timeout("c", Duration::ZERO),
        queue.put_timeout("c", SHORT),
        queue.put_deadline("c", Instant::now()),
    ] {
        assert!(matches!(refused, Err(PutError::Full("c"))), "{refused:?}");
    }
    assert_eq!(queue.get(), Ok("a"));
    assert!(queue.put_timeout("c", Duration::MAX).is_ok());
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn an_empty_queue_says_so() {
    let queue = Queue::<u8>::new(0);
    assert_eq!(queue.try_get(), Err(GetError::Empty));
    assert_eq!(queue.get_timeout(Duration::ZERO), Err(GetError::Empty));
    assert_eq!(queue.get_timeout(SHORT), Err(GetError::Empty));
    assert_eq!(queue.get_deadline(Instant::now()), Err(GetError::Empty));
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
fn tasks_are_counted() {
    let queue = Queue::new(0);
    assert_eq!(queue.task_done(), Err(TooManyTaskDone));
    assert!(queue.join_timeout(Duration::ZERO), "nothing was put");
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    assert_eq!(queue.unfinished_tasks(), 2);
    queue.get().unwrap();
    assert!(!queue.join_timeout(SHORT), "got, and not done");
    queue.task_done().unwrap();
    drop(queue.get_task().unwrap());
    assert_eq!(queue.task_done(), Err(TooManyTaskDone));
    queue.join();
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
fn what_is_there_may_be_got_after_a_shutdown() {
    let queue = Queue::new(0);
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    queue.shutdown();
    queue.shutdown();
    assert!(queue.is_shutdown());
    assert!(matches!(queue.put(3), Err(ShutDown(3))));
    assert!(matches!(queue.try_put(3), Err(PutError::ShutDown(3))));
    assert_eq!((queue.get(), queue.try_get()), (Ok(1), Ok(2)));
    assert_eq!((queue.get(), queue.try_get()), (Err(ShutDown(())), Err(GetError::ShutDown)));
}

#[test]
fn an_immediate_shutdown_gives_back_what_was_there_and_ends_the_join() {
    let queue = Queue::new(0);
    (0..3).for_each(|n| queue.put(n).unwrap());
    assert_eq!(queue.get(), Ok(0));
    assert_eq!(queue.shutdown_now(), [1, 2]);
    assert_eq!(queue.get(), Err(ShutDown(())));
    assert_eq!(queue.unfinished_tasks(), 1, "what was got is not done yet");
    queue.task_done().unwrap();
    queue.join();
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

/// Counts those that are alive, and puts another on its queue when it is dropped.
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

#[test]
fn what_is_left_is_dropped_with_the_queue() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (simple, queue, lifo) = (SimpleQueue::new(), Queue::new(0), LifoQueue::new(0));
    for number in 0..200 {
        simple.put(Item::new(number, &alive));
        assert!(queue.put(Item::new(number, &alive)).is_ok());
        assert!(lifo.put(Item::new(number, &alive)).is_ok());
    }
    (0..70).for_each(|_| drop((simple.get(), queue.get(), lifo.get())));
    assert_eq!(alive.load(Ordering::Relaxed), 3 * 130);
    drop((simple, queue, lifo));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// Puts another one while it is dropped.
struct Again(Arc<SimpleQueue<Option<Again>>>);

impl Drop for Again {
    fn drop(&mut self) {
        self.0.put(None);
    }
}

#[test]
fn a_destructor_may_put() {
    let queue = Arc::new(SimpleQueue::new());
    for _ in 0..300 {
        queue.put(Some(Again(Arc::clone(&queue))));
    }
    let mut nothing = 0;
    while let Ok(item) = queue.try_get() {
        nothing += usize::from(item.is_none());
    }
    assert_eq!(nothing, 300);
}

/// Panics when it is compared with another of the same number.
#[derive(PartialEq, Eq, Debug)]
struct Moody(u32);

impl PartialOrd for Moody {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moody {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        assert!(self.0 != other.0, "we do not get along");
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_comparison_that_panics_changes_nothing() {
    let queue = PriorityQueue::new(0);
    queue.put(Moody(2)).unwrap();
    queue.put(Moody(1)).unwrap();
    let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.put(Moody(1))));
    assert!(put.is_err());
    assert_eq!((queue.len(), queue.unfinished_tasks()), (2, 2));
    assert_eq!((queue.get(), queue.get()), (Ok(Moody(1)), Ok(Moody(2))));
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

    #[test]
    fn a_bounded_queue_holds_what_fits(room in 1_usize..9, steps in steps()) {
        let (queue, mut list) = (Queue::new(room), std::collections::VecDeque::new());
        for step in steps {
            match step {
                Step::Put(n) if list.len() == room => {
                    prop_assert_eq!(queue.try_put(n), Err(PutError::Full(n)));
                }
                Step::Put(n) => { prop_assert_eq!(queue.try_put(n), Ok(())); list.push_back(n); }
                Step::PutMany(items) => for n in items {
                    if queue.try_put(n).is_ok() { list.push_back(n); }
                    prop_assert!(list.len() <= room);
                },
                Step::Get | Step::GetMany(_) => prop_assert_eq!(queue.try_get().ok(), list.pop_front()),
            }
            prop_assert_eq!((queue.len(), queue.is_full()), (list.len(), list.len() == room));
        }
    }
}
