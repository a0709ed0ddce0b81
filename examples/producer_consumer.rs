//! Producers, consumers, and a way to know that all is done.
//!
//! A queue with a bound keeps the producers from running ahead. `join` waits until every item has been worked on, and
//! `shutdown` sends the consumers home. The last part ends in a hurry: what nobody has begun is handed back.
//!
//! ```sh
//! cargo run --release --example producer_consumer
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use gristmill::queue::{Prioritized, PriorityQueue, Queue};

/// Something to do: the length of a Collatz sequence.
fn steps(mut n: u64) -> u64 {
    let mut steps = 0;
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn work_through(consumers: usize) -> u64 {
    let (numbers, total) = (Queue::new(64), AtomicU64::new(0));
    std::thread::scope(|s| {
        for _ in 0..consumers {
            s.spawn(|| {
                // Each number is got as a task, which is done at the end of its turn, even if that panics.
                for number in numbers.tasks() {
                    total.fetch_add(steps(*number), Ordering::Relaxed);
                }
            });
        }
        let producers = [1..10_000_u64, 10_000..20_000].map(|range| {
            let numbers = &numbers;
            s.spawn(move || {
                for number in range {
                    // Waits while 64 numbers are in the queue.
                    numbers.put(number).expect("nobody shuts down before all is put");
                }
            })
        });
        for producer in producers {
            producer.join().expect("a producer does not panic");
        }
        numbers.join();
        numbers.shutdown();
    });
    total.into_inner()
}

fn leave_in_a_hurry() -> Vec<&'static str> {
    let jobs = PriorityQueue::new(0);
    for (priority, item) in [(3, "sweep the floor"), (1, "close the sluice"), (2, "bag the flour")] {
        jobs.put(Prioritized::new(priority, item)).expect("nobody has shut down");
    }
    std::thread::scope(|s| {
        let worker = s.spawn(|| {
            let first = jobs.get_task().expect("there are three");
            first.item
        });
        println!("done: {}", worker.join().expect("the worker does not panic"));
    });
    let left = jobs.shutdown_now();
    // What was handed back counts as done, so nobody waits for it.
    jobs.join();
    left.into_iter().map(|job| job.item).collect()
}

fn main() {
    let total = work_through(3);
    println!("19999 numbers, {total} steps");
    assert_eq!(total, (1..20_000).map(steps).sum());
    let left = leave_in_a_hurry();
    println!("left: {}", left.join(", "));
    assert_eq!(left, ["bag the flour", "sweep the floor"]);
}
