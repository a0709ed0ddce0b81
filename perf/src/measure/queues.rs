//! Items through queues, against channels.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use gristmill::queue;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::cpython;
use crate::CompareError;

/// Items of each producer in a turn.
const ITEMS: u64 = 500_000;
/// Places of the bounded ones.
const ROOM: usize = 128;

/// Nanoseconds per item, from `sides` producers to as many consumers.
fn flow(sides: usize, put: impl Fn(u64) + Sync, get: impl Fn() -> u64 + Sync) -> Vec<f64> {
    let begun = Instant::now();
    let sum: u64 = thread::scope(|s| {
        for _ in 0..sides {
            s.spawn(|| (1..=ITEMS).for_each(&put));
        }
        let takers: Vec<_> = (0..sides).map(|_| s.spawn(|| (0..ITEMS).map(|_| get()).sum::<u64>())).collect();
        takers.into_iter().map(|taker| taker.join().unwrap_or(0)).sum()
    });
    let items = ITEMS * sides as u64;
    assert_eq!(sum, sides as u64 * (ITEMS * (ITEMS + 1) / 2), "items were lost or doubled");
    vec![begun.elapsed().as_secs_f64() * 1e9 / items as f64]
}

fn crossbeam(sides: usize, room: Option<usize>) -> Vec<f64> {
    let (send, receive) = room.map_or_else(crossbeam_channel::unbounded, crossbeam_channel::bounded);
    flow(sides, |item| send.send(item).unwrap_or(()), || receive.recv().unwrap_or(0))
}

fn kanal(sides: usize, room: Option<usize>) -> Vec<f64> {
    let (send, receive) = room.map_or_else(kanal::unbounded, kanal::bounded);
    flow(sides, |item| send.send(item).unwrap_or(()), || receive.recv().unwrap_or(0))
}

fn simple(sides: usize) -> Vec<f64> {
    let queue = queue::SimpleQueue::new();
    flow(sides, |item| queue.put(item), || queue.get())
}

fn full(sides: usize, room: usize) -> Vec<f64> {
    let queue = queue::Queue::new(room);
    flow(sides, |item| queue.put(item).unwrap_or(()), || queue.get().unwrap_or(0))
}

fn contest(
    name: &str,
    sides: usize,
    room: Option<usize>,
    goals: &[Goal],
    cpython: Option<&'static str>,
) -> Contest {
    let threads = 2 * sides;
    let mut contestants = vec![
        Contestant::new("crossbeam", threads, move || crossbeam(sides, room)),
        Contestant::new("kanal", threads, move || kanal(sides, room)),
        Contestant::new("gristmill", threads, move || match room {
            Some(room) => full(sides, room),
            None => simple(sides),
        }),
    ];
    contestants.extend(cpython.and_then(|what| cpython::contestant(what, threads)));
    Contest { contestants, readings: vec![Reading::new(name, "ns per item", goals)], enough: None }
}

pub(super) fn contests(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let over = |crossbeam: f64, kanal: f64| {
        [Goal::Over("crossbeam", 1.0 / crossbeam), Goal::Over("kanal", 1.0 / kanal)]
    };
    Ok(vec![
        contest("queue-1-1", 1, None, &over(2.5, 1.0), None),
        contest("queue-2-2", 2, None, &over(2.0, 0.9), None),
        contest("queue-full-1-1", 1, Some(ROOM), &over(2.0, 0.9), None),
        contest("queue-full-2-2", 2, Some(ROOM), &over(2.0, 0.9), None),
    ])
}

/// One thread puts and gets, as CPython's figures are taken.
pub(super) fn alone(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let each = |mut operation: Box<dyn FnMut()>| {
        let begun = Instant::now();
        (0..ITEMS).for_each(|_| operation());
        vec![begun.elapsed().as_secs_f64() * 1e9 / ITEMS as f64]
    };
    let simple = Contestant::new("gristmill", 1, move || {
        let queue = Arc::new(queue::SimpleQueue::new());
        each(Box::new(move || {
            queue.put(1_u64);
            queue.get();
        }))
    });
    let full = Contestant::new("gristmill", 1, move || {
        let queue = Arc::new(queue::Queue::new(0));
        each(Box::new(move || {
            let _ = queue.put(1_u64);
            let _ = queue.get();
        }))
    });
    let contest = |name: &'static str, ours, bound: f64| {
        let mut contestants = vec![ours];
        contestants.extend(cpython::contestant(name, 1));
        let goals = [Goal::Over("cpython", 1.0 / bound)];
        Contest {
            contestants,
            readings: vec![Reading::new(name, "ns per put and get", &goals)],
            enough: Some(3),
        }
    };
    Ok(vec![contest("simple-queue", simple, 5.0), contest("queue", full, 60.0)])
}
