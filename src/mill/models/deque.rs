//! The split deque.

use std::sync::Arc;

use loom::thread;

use super::{Once, check};
use crate::mill::deque::Split;
use crate::mill::job::{JobRef, Stamp};

fn stamp(job: JobRef) {
    // SAFETY: the jobs of these models live as long as the model, and are stamped by the owner before others see them.
    unsafe { job.stamp(Stamp { family: job.as_ptr().cast(), token: std::ptr::null() }) };
}

/// As a `join` does: pushes, and feeds who is hungry.
fn push(deque: &Split, job: JobRef) {
    if deque.has_room() {
        // SAFETY: it has room.
        unsafe { deque.push(job) };
    } else {
        assert!(deque.push_slowly(job));
        deque.expose(stamp);
    }
}

/// As a `join` ends: takes its job back and runs it, unless it was robbed.
fn close(deque: &Split, job: &Once) {
    if deque.pop() {
        run(job.job());
    } else {
        deque.vacate();
        if let Some(back) = deque.pop_public() {
            assert_eq!(back, job.job(), "the youngest is taken back");
            run(back);
        }
    }
}

fn run(job: JobRef) {
    // SAFETY: taken out of a queue.
    unsafe { job.run() };
}

struct Line {
    deque: Split,
    jobs: [Once; 3],
}

impl Line {
    fn new(wanted: usize) -> Arc<Self> {
        Arc::new(Line { deque: Split::new(wanted), jobs: std::array::from_fn(|_| Once::new()) })
    }

    /// At rest the owner either knows that somebody is hungry, or there is something to rob.
    fn assert_nobody_forgotten(&self) {
        assert!(!self.deque.has_room() || !self.deque.is_empty(), "a hungry thief is forgotten");
    }
}

/// Two open joins against two thieves.
#[test]
fn models_jobs_of_a_split_deque_run_once() {
    check(3, || {
        let line = Line::new(1);
        let thief = |line: &Arc<Line>| {
            let line = Arc::clone(line);
            thread::spawn(move || {
                if let Some(job) = line.deque.steal().job() {
                    run(job);
                }
            })
        };
        let thieves = [thief(&line), thief(&line)];
        push(&line.deque, line.jobs[0].job());
        push(&line.deque, line.jobs[1].job());
        close(&line.deque, &line.jobs[1]);
        close(&line.deque, &line.jobs[0]);
        for thief in thieves {
            thief.join().unwrap();
        }
        line.jobs[..2].iter().for_each(Once::assert_ran);
        line.assert_nobody_forgotten();
    });
}

/// A thief that finds nothing, or takes the last job, is fed by the next push that follows.
#[test]
fn models_a_hungry_thief_is_not_forgotten() {
    check(4, || {
        let line = Line::new(1);
        let thief = {
            let line = Arc::clone(&line);
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Some(job) = line.deque.steal().job() {
                        run(job);
                    }
                }
            })
        };
        push(&line.deque, line.jobs[0].job());
        push(&line.deque, line.jobs[1].job());
        thief.join().unwrap();
        line.assert_nobody_forgotten();
        push(&line.deque, line.jobs[2].job());
        assert!(!line.deque.is_empty(), "there is something to rob");
        line.jobs.iter().rev().for_each(|job| close(&line.deque, job));
        line.jobs.iter().for_each(Once::assert_ran);
    });
}
