//! Queues under many threads: a random mix, in which nothing is lost, doubled, or out of order.
//!
//! `GRISTMILL_STRESS_SECONDS` (1) says how long each test runs, `GRISTMILL_STRESS_SEED` repeats a run's choices
//! (threads interleave as they like all the same).

#[path = "suite/mod.rs"]
mod suite;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gristmill::Mill;
use gristmill::queue::{
    GetError, LifoQueue, Prioritized, PriorityQueue, PutError, Queue, ShutDown, SimpleQueue,
};
use suite::ledger::{Chit, Ledger};
use suite::mix;
use suite::watch::watch;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} should be a number, not `{text}`")))
}

/// Random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Dice for another thread.
    fn split(&mut self) -> Dice {
        Dice(self.below(u64::MAX))
    }
}

/// Runs `round` with new dice until the time is up.
fn stress(test: &'static str, round: impl Fn(&mut Dice)) {
    let watched = watch(test);
    let seconds = setting("GRISTMILL_STRESS_SECONDS").unwrap_or(1);
    let seed = setting("GRISTMILL_STRESS_SEED").unwrap_or_else(|| RandomState::new().hash_one(test));
    println!("{test}: GRISTMILL_STRESS_SEED={seed}");
    let (end, mut dice) = (Instant::now() + Duration::from_secs(seconds), Dice(seed));
    while {
        round(&mut dice);
        watched.alive();
        Instant::now() < end
    } {}
}

/// Item number `number` of a producer.
struct Item {
    producer: usize,
    number: u64,
    chit: Chit,
}

/// A consumer's books: each producer's items must come in order.
#[derive(Default)]
struct Book {
    next: [u64; 8],
    got: u64,
}

impl Book {
    fn enter(&mut self, item: Item, in_order: bool) {
        let next = &mut self.next[item.producer];
        assert!(!in_order || item.number >= *next, "{} after {}", item.number, *next);
        *next = item.number + 1;
        self.got += 1;
        item.chit.run();
    }
}

#[test]
fn a_simple_queue_loses_and_doubles_nothing() {
    stress("a_simple_queue_loses_and_doubles_nothing", |dice| {
        let (producers, consumers) = (1 + dice.below(4) as usize, 1 + dice.below(4) as usize);
        let each = dice.one_of(&[0, 1, 63, 64, 65, 1_000, 5_000]);
        let (queue, ledger) = (SimpleQueue::new(), Ledger::default());
        std::thread::scope(|s| {
            for _ in 0..consumers {
                let (mut dice, queue) = (dice.split(), &queue);
                s.spawn(move || {
                    let mut book = Book::default();
                    loop {
                        let some: Vec<Option<Item>> = match dice.below(8) {
                            0 => queue.get_many(1 + dice.below(100) as usize),
                            1 => queue.try_get().into_iter().collect(),
                            2 => queue
                                .get_timeout(Duration::from_micros(dice.below(100)))
                                .into_iter()
                                .collect(),
                            _ => vec![queue.get()],
                        };
                        let mut ends = 0;
                        for item in some {
                            match item {
                                Some(item) => book.enter(item, true),
                                None => ends += 1,
                            }
                        }
                        if ends > 0 {
                            // One end for each of us.
                            (1..ends).for_each(|_| queue.put(None));
                            break;
                        }
                    }
                });
            }
            let putters: Vec<_> = (0..producers)
                .map(|producer| {
                    let (mut dice, queue, ledger) = (dice.split(), &queue, &ledger);
                    s.spawn(move || {
                        let mut number = 0;
                        let mut make = |number| Some(Item { producer, number, chit: ledger.chit() });
                        while number < each {
                            if dice.below(16) == 0 {
                                let end = (number + dice.below(150)).min(each);
                                queue.put_many((number..end).map(&mut make).collect::<Vec<_>>());
                                number = end;
                            } else {
                                queue.put(make(number));
                                number += 1;
                            }
                        }
                    })
                })
                .collect();
            putters.into_iter().for_each(|putter| putter.join().unwrap());
            (0..consumers).for_each(|_| queue.put(None));
        });
        assert!(queue.is_empty());
        ledger.settled(producers as u64 * each);
    });
}

/// Drives one kind of tracked queue; the macro's `$make` turns an item into what lies in the queue, `$back` back.
macro_rules! tracked {
    ($($name:ident: $queue:ty, $make:expr, $back:expr, $in_order:expr;)*) => { $(
        #[test]
        fn $name() {
            stress(stringify!($name), |dice| {
                let (producers, consumers) = (1 + dice.below(4) as usize, 1 + dice.below(4) as usize);
                let each = dice.one_of(&[0, 1, 64, 65, 500, 2_000]);
                let maxsize = dice.one_of(&[0, 1, 2, 7, 64, 200]);
                let (ending, ledger) = (dice.below(3), Ledger::default());
                let (put, got, taken) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
                let queue = <$queue>::new(maxsize);
                std::thread::scope(|s| {
                    for _ in 0..consumers {
                        let (mut dice, queue, got) = (dice.split(), &queue, &got);
                        s.spawn(move || {
                            let mut book = Book::default();
                            loop {
                                let item = match dice.below(8) {
                                    0 => queue.try_get(),
                                    1 => queue.get_timeout(Duration::from_micros(dice.below(100))),
                                    2 => match queue.get_task() {
                                        Ok(task) => {
                                            book.enter($back(task.into_inner()), $in_order);
                                            continue;
                                        }
                                        Err(error) => Err(error.into()),
                                    },
                                    3 => match queue.get_many(1 + dice.below(100) as usize) {
                                        Ok(some) => {
                                            for item in some {
                                                book.enter($back(item), $in_order);
                                                queue.task_done().unwrap();
                                            }
                                            continue;
                                        }
                                        Err(error) => Err(error.into()),
                                    },
                                    _ => queue.get().map_err(GetError::from),
                                };
                                match item {
                                    Ok(item) => {
                                        book.enter($back(item), $in_order);
                                        queue.task_done().unwrap();
                                    }
                                    Err(GetError::ShutDown) => break,
                                    Err(_) => {}
                                }
                            }
                            got.fetch_add(book.got, Ordering::Relaxed);
                        });
                    }
                    let putters: Vec<_> = (0..producers).map(|producer| {
                        let (mut dice, queue, ledger, put) = (dice.split(), &queue, &ledger, &put);
                        s.spawn(move || {
                            let mut number = 0;
                            let make = |number| $make(Item { producer, number, chit: ledger.chit() });
                            while number < each {
                                match dice.below(16) {
                                    0 => {
                                        let end = (number + dice.below(150)).min(each);
                                        let items: Vec<_> = (number..end).map(make).collect();
                                        let count = items.len();
                                        let result = queue.put_many(items);
                                        let back = result.as_ref().map_or_else(|ShutDown(back)| back.len(), |()| 0);
                                        put.fetch_add((count - back) as u64, Ordering::Relaxed);
                                        if result.is_err() {
                                            return;
                                        }
                                        number = end;
                                        continue;
                                    }
                                    1 => match queue.try_put(make(number)) {
                                        Ok(()) => {}
                                        Err(PutError::ShutDown(_)) => return,
                                        Err(_) => continue,
                                    },
                                    2 => {
                                        let time = Duration::from_micros(dice.below(100));
                                        match queue.put_timeout(make(number), time) {
                                            Ok(()) => {}
                                            Err(PutError::ShutDown(_)) => return,
                                            Err(_) => continue,
                                        }
                                    }
                                    _ => if queue.put(make(number)).is_err() {
                                        return;
                                    },
                                }
                                put.fetch_add(1, Ordering::Relaxed);
                                number += 1;
                            }
                        })
                    }).collect();
                    if ending == 0 {
                        // In the middle of everything.
                        std::thread::yield_now();
                        taken.store(queue.shutdown_now().len() as u64, Ordering::Relaxed);
                    }
                    putters.into_iter().for_each(|putter| putter.join().unwrap());
                    if ending == 1 {
                        queue.join();
                        assert!(queue.is_empty());
                    }
                    queue.shutdown();
                    queue.join();
                });
                assert!(queue.is_empty() && queue.unfinished_tasks() == 0);
                let (put, got) = (put.into_inner(), got.into_inner());
                assert_eq!(put, got + taken.into_inner());
                if ending != 0 {
                    assert_eq!(put, producers as u64 * each);
                }
                ledger.settled(got);
            });
        }
    )* };
}

tracked! {
    a_queue_loses_and_doubles_nothing: Queue<Item>, |item| item, |item| item, true;
    a_lifo_queue_loses_and_doubles_nothing: LifoQueue<Item>, |item| item, |item| item, false;
    a_priority_queue_loses_and_doubles_nothing: PriorityQueue<Prioritized<u64, Item>>,
        |item: Item| Prioritized::new(mix(item.number) % 10, item), |found: Prioritized<u64, Item>| found.item, false;
}

#[test]
fn a_worker_that_sleeps_in_a_queue_gives_its_slot_away() {
    let _watched = watch("a_worker_that_sleeps_in_a_queue_gives_its_slot_away");
    let mill = Mill::builder().workers(1).build().unwrap();
    let (there, back, full) = (SimpleQueue::new(), Queue::new(0), Queue::new(1));
    full.put(0).unwrap();
    mill.install(|| {
        gristmill::scope(|s| {
            // Each waits for one that comes later, and the mill runs one at a time.
            s.spawn(|_| full.put(back.get().unwrap()).unwrap());
            s.spawn(|_| back.put(there.get() + 1).unwrap());
            s.spawn(|_| there.put(1));
            s.spawn(|_| full.join());
            s.spawn(|_| {
                for number in [0, 2] {
                    assert_eq!(full.get(), Ok(number));
                    full.task_done().unwrap();
                }
            });
        });
    });
}
