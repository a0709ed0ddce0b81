//! Locks and their like: what they cost when nobody else wants them, and how they share when many do.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::sync;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pthread;
use crate::CompareError;

/// Operations in a turn, of one thread.
const TIMES: u32 = 1_000_000;

/// Nanoseconds that `operation` takes on average.
fn each(mut operation: impl FnMut()) -> Vec<f64> {
    let begun = Instant::now();
    for _ in 0..TIMES {
        operation();
    }
    vec![begun.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)]
}

fn alone(name: &str, contestants: Vec<Contestant>, goals: &[Goal]) -> Contest {
    Contest { contestants, readings: vec![Reading::new(name, "ns", goals)], enough: None }
}

/// An engine whose turn is [`TIMES`] operations.
fn engine(name: &'static str, mut operation: impl FnMut() + 'static) -> Contestant {
    Contestant::new(name, 1, move || each(&mut operation))
}

pub(super) fn uncontended(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let (lot, std, ours) =
        (parking_lot::Mutex::new(0_u64), std::sync::Mutex::new(0_u64), sync::Mutex::new(0_u64));
    let mutex = alone(
        "mutex",
        vec![
            engine("parking_lot", move || *lot.lock() += 1),
            engine("std", move || *std.lock().unwrap_or_else(|e| e.into_inner()) += 1),
            engine("gristmill", move || *ours.lock() += 1),
        ],
        &[Goal::Over("parking_lot", 1.0), Goal::Over("std", 1.0)],
    );
    let (lot, ours) = (parking_lot::ReentrantMutex::new(7_u64), sync::ReentrantMutex::new(7_u64));
    let reentrant = alone(
        "reentrant",
        vec![
            engine("parking_lot", move || _ = black_box(*lot.lock())),
            engine("gristmill", move || _ = black_box(*ours.lock())),
        ],
        &[Goal::Over("parking_lot", 1.0)],
    );
    let (lot, std, ours) =
        (parking_lot::RwLock::new(7_u64), std::sync::RwLock::new(7_u64), sync::RwLock::new(7_u64));
    let read = alone(
        "rwlock-read",
        vec![
            engine("parking_lot", move || _ = black_box(*lot.read())),
            engine("std", move || _ = black_box(*std.read().unwrap_or_else(|e| e.into_inner()))),
            engine("gristmill", move || _ = black_box(*ours.read())),
        ],
        &[Goal::Over("parking_lot", 1.0)],
    );
    let (libc, ours) = (pthread::Semaphore::new(1), sync::Semaphore::new(1));
    let semaphore = alone(
        "semaphore",
        vec![
            engine("libc", move || {
                libc.wait();
                libc.post();
            }),
            engine("gristmill", move || {
                ours.acquire();
                ours.release();
            }),
        ],
        &[Goal::Over("libc", 1.0)],
    );
    let (std, ours) = ((std::sync::Mutex::new(false), std::sync::Condvar::new()), <sync::Event>::new());
    let event = alone(
        "event",
        vec![
            engine("std", move || {
                let set = |to| {
                    *std.0.lock().unwrap_or_else(|e| e.into_inner()) = to;
                    if to {
                        std.1.notify_all();
                    }
                };
                set(true);
                black_box(*std.0.lock().unwrap_or_else(|e| e.into_inner()));
                set(false);
            }),
            engine("gristmill", move || {
                ours.set();
                black_box(ours.is_set());
                ours.clear();
            }),
        ],
        &[Goal::Over("std", 1.0)],
    );
    let (lot, std, ours) = (parking_lot::Once::new(), std::sync::Once::new(), sync::Once::new());
    let once = alone(
        "once",
        vec![
            engine("parking_lot", move || lot.call_once(|| ())),
            engine("std", move || std.call_once(|| ())),
            engine("gristmill", move || ours.call_once(|| ())),
        ],
        &[Goal::Over("parking_lot", 1.0)],
    );
    let (pthread, ours) = (pthread::RobustMutex::new(), sync::Mutex::shared(0_u64));
    let robust = alone(
        "robust",
        vec![
            engine("pthread", move || {
                pthread.lock();
                pthread.unlock();
            }),
            engine("gristmill", move || {
                if let Ok(mut count) = ours.lock() {
                    *count += 1;
                }
            }),
        ],
        &[Goal::Over("pthread", 0.5)],
    );
    Ok(vec![mutex, reentrant, read, semaphore, event, once, robust])
}

/// A counter, most often with a lock around it.
trait Counter: Send + Sync + 'static {
    fn add(&self);
}

impl Counter for parking_lot::Mutex<u64> {
    fn add(&self) {
        section(&mut self.lock());
    }
}

impl Counter for std::sync::Mutex<u64> {
    fn add(&self) {
        section(&mut self.lock().unwrap_or_else(|e| e.into_inner()));
    }
}

impl Counter for sync::Mutex<u64> {
    fn add(&self) {
        section(&mut self.lock());
    }
}

/// The same without any lock: its longest wait is that for a CPU.
struct Alone;

impl Counter for Alone {
    fn add(&self) {
        section(&mut 0);
    }
}

/// What is done under the lock: some ten nanoseconds.
fn section(count: &mut u64) {
    for _ in 0..4 {
        *count = black_box(*count + 1);
    }
}

/// How long a turn lasts.
const TURN: Duration = Duration::from_millis(100);

/// Nanoseconds per section while `threads` threads do nothing else, and the longest wait of any of them in milliseconds.
/// One section in 16 is timed.
fn share(lock: &Arc<impl Counter>, threads: usize) -> Vec<f64> {
    let (stop, start) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let (done, longest) = (AtomicU64::new(0), AtomicU64::new(0));
    let begun = thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                start.wait();
                let (mut mine, mut worst) = (0, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    lock.add();
                    worst = worst.max(before.elapsed());
                    for _ in 0..15 {
                        lock.add();
                    }
                    mine += 16;
                }
                done.fetch_add(mine, Ordering::Relaxed);
                longest.fetch_max(worst.as_nanos() as u64, Ordering::Relaxed);
            });
        }
        start.wait();
        let begun = Instant::now();
        thread::sleep(TURN);
        stop.store(true, Ordering::Relaxed);
        begun
    });
    let seconds = begun.elapsed().as_secs_f64();
    vec![seconds * 1e9 / done.into_inner().max(1) as f64, longest.into_inner() as f64 * 1e-6]
}

fn shared(name: &str, threads: usize, goals: &[Goal]) -> Contest {
    let contestant = |engine, lock: Arc<_>| Contestant::new(engine, threads, move || share(&lock, threads));
    let std = Arc::new(std::sync::Mutex::new(0));
    let ours = Arc::new(sync::Mutex::new(0));
    let alone = Arc::new(Alone);
    Contest {
        contestants: vec![
            Contestant::new("no lock", threads, move || share(&alone, threads)),
            contestant("parking_lot", Arc::new(parking_lot::Mutex::new(0))),
            Contestant::new("std", threads, move || share(&std, threads)),
            Contestant::new("gristmill", threads, move || share(&ours, threads)),
        ],
        readings: vec![
            Reading::new(name, "ns per section", goals),
            Reading::new(format!("{name}-longest"), "ms", &[Goal::AtMost(2.0)]),
        ],
        enough: None,
    }
}

pub(super) fn contended(_: &Options) -> Result<Vec<Contest>, CompareError> {
    Ok(vec![
        shared("mutex-2", 2, &[Goal::Over("parking_lot", 1.0), Goal::Over("std", 1.0)]),
        shared("mutex-8", 8, &[Goal::Over("parking_lot", 1.0 / 0.9)]),
    ])
}
