//! The split deque: its two parts, and the gate between them.

use std::sync::Arc;

use loom::thread;

use super::{Once, check};
use crate::mill::job::{JobRef, Stamp};
use crate::mill::split::{Slot, Split, Whereabouts};

fn stamp(job: JobRef) {
    // SAFETY: the jobs of these models live as long as the model, and are stamped by the owner before others see them.
    unsafe { job.stamp(Stamp { family: job.as_ptr().cast(), token: std::ptr::null() }) };
}

/// As a `join` does: pushes, and feeds who is hungry.
fn push(deque: &Split, job: JobRef) -> Slot {
    deque.make_array();
    let slot = deque.top();
    // SAFETY: the top, and there is an array.
    if unsafe { deque.push(slot, job) } {
        assert!(!deque.is_last(slot), "the model needs more room");
        deque.expose(stamp);
    }
    slot
}

/// As a `join` ends: takes its job back and runs it, unless somebody else has it.
fn close(deque: &Split, slot: Slot, job: &Once) {
    if deque.pop(slot) || deque.locate(slot) == Whereabouts::Back {
        run(job.job());
    } else if let Some(back) = deque.pop_public() {
        assert_eq!(back, job.job(), "the youngest is taken back");
        run(back);
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
        assert!(self.deque.is_hungry() || !self.deque.is_empty(), "a hungry thief is forgotten");
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
        let slots = [0, 1].map(|i| push(&line.deque, line.jobs[i].job()));
        close(&line.deque, slots[1], &line.jobs[1]);
        close(&line.deque, slots[0], &line.jobs[0]);
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
        let first = [0, 1].map(|i| push(&line.deque, line.jobs[i].job()));
        thief.join().unwrap();
        line.assert_nobody_forgotten();
        let last = push(&line.deque, line.jobs[2].job());
        assert!(!line.deque.is_empty(), "there is something to rob");
        close(&line.deque, last, &line.jobs[2]);
        close(&line.deque, first[1], &line.jobs[1]);
        close(&line.deque, first[0], &line.jobs[0]);
        line.jobs.iter().for_each(Once::assert_ran);
    });
}

/// A deque that keeps nothing public, so that what is pushed stays private.
fn private() -> Arc<Line> {
    Line::new(0)
}

fn seizer(line: &Arc<Line>, family: Option<*const ()>) -> thread::JoinHandle<bool> {
    let (line, family) = (Arc::clone(line), family.map(|family| family as usize));
    thread::spawn(move || {
        let job = line.deque.seize(family.map(|family| family as *const ()), stamp);
        job.inspect(|job| run(*job)).is_some()
    })
}

/// Two thieves seize while the owner takes its jobs back, and pushes in the same place again.
#[test]
fn models_a_private_job_is_seized_or_taken_back() {
    check(3, || {
        let line = private();
        let first = push(&line.deque, line.jobs[0].job());
        let thieves = [seizer(&line, None), seizer(&line, None)];
        let second = push(&line.deque, line.jobs[1].job());
        close(&line.deque, second, &line.jobs[1]);
        close(&line.deque, first, &line.jobs[0]);
        let again = push(&line.deque, line.jobs[2].job());
        assert_eq!(again, first, "places are given back");
        close(&line.deque, again, &line.jobs[2]);
        for thief in thieves {
            thief.join().unwrap();
        }
        line.jobs.iter().for_each(Once::assert_ran);
        assert!(line.deque.nothing_private());
    });
}

/// One thief seizes, another robs, while the owner exposes what it has and closes its joins.
#[test]
fn models_what_is_seized_is_not_exposed() {
    check(3, || {
        let line = private();
        let first = push(&line.deque, line.jobs[0].job());
        let second = push(&line.deque, line.jobs[1].job());
        let seizer = seizer(&line, None);
        let robber = {
            let line = Arc::clone(&line);
            thread::spawn(move || {
                line.deque.steal().job().inspect(|job| run(*job));
            })
        };
        line.deque.expose_all(stamp);
        close(&line.deque, second, &line.jobs[1]);
        close(&line.deque, first, &line.jobs[0]);
        seizer.join().unwrap();
        robber.join().unwrap();
        line.jobs[..2].iter().for_each(Once::assert_ran);
    });
}

/// A waiter seizes nothing but descendants of what it waits for: the owner runs a job of its family, and then another.
#[test]
fn models_a_waiter_seizes_only_its_family() {
    check(3, || {
        let line = private();
        let (ours, other) = (line.jobs[1].job().as_ptr().cast(), std::ptr::null());
        let thief = {
            let (line, ours) = (Arc::clone(&line), ours as usize);
            thread::spawn(move || {
                let ours = ours as *const ();
                if let Some(job) = line.deque.seize(Some(ours), stamp) {
                    assert_eq!(job, line.jobs[0].job(), "a job of another family was seized");
                    run(job);
                }
            })
        };
        let above = line.deque.enter(ours);
        let slot = push(&line.deque, line.jobs[0].job());
        close(&line.deque, slot, &line.jobs[0]);
        line.deque.leave(above);
        let above = line.deque.enter(other);
        let slot = push(&line.deque, line.jobs[2].job());
        close(&line.deque, slot, &line.jobs[2]);
        line.deque.leave(above);
        thief.join().unwrap();
        [0, 2].iter().for_each(|&i| line.jobs[i].assert_ran());
    });
}

/// One job is public, a younger one private: what is seized never passes what is public, or the owner would take the older
/// job for the younger.
#[test]
fn models_public_jobs_go_before_private_ones() {
    check(3, || {
        let line = Line::new(1);
        let first = push(&line.deque, line.jobs[0].job());
        let second = push(&line.deque, line.jobs[1].job());
        assert!(!line.deque.is_empty() && !line.deque.nothing_private());
        let seizer = seizer(&line, None);
        let robber = {
            let line = Arc::clone(&line);
            thread::spawn(move || {
                line.deque.steal().job().inspect(|job| run(*job));
            })
        };
        close(&line.deque, second, &line.jobs[1]);
        close(&line.deque, first, &line.jobs[0]);
        seizer.join().unwrap();
        robber.join().unwrap();
        line.jobs[..2].iter().for_each(Once::assert_ran);
    });
}

/// A waiter robs nothing but descendants of what it waits for: the owner runs a job of its family, and then another, on the
/// same line.
#[test]
fn models_a_waiter_robs_only_its_family() {
    check(3, || {
        let line = Line::new(1);
        let (ours, other) = (line.jobs[1].job().as_ptr().cast(), std::ptr::null());
        let robber = {
            let (line, ours) = (Arc::clone(&line), ours as usize);
            thread::spawn(move || {
                if let Some(job) = line.deque.rob(ours as *const ()).job() {
                    assert_eq!(job, line.jobs[0].job(), "a job of another family was robbed");
                    run(job);
                }
            })
        };
        for (family, i) in [(ours, 0), (other, 2)] {
            let above = line.deque.enter(family);
            stamp(line.jobs[i].job());
            line.deque.push_public(line.jobs[i].job());
            line.deque.pop_public().inspect(|job| run(*job));
            line.deque.leave(above);
        }
        robber.join().unwrap();
        [0, 2].iter().for_each(|&i| line.jobs[i].assert_ran());
    });
}

/// A thief that is about to seize a job finds another one in its place.
#[test]
fn models_a_place_is_used_again() {
    check(5, || {
        let line = private();
        let first = push(&line.deque, line.jobs[0].job());
        let thief = seizer(&line, None);
        close(&line.deque, first, &line.jobs[0]);
        let again = push(&line.deque, line.jobs[1].job());
        close(&line.deque, again, &line.jobs[1]);
        thief.join().unwrap();
        line.jobs[..2].iter().for_each(Once::assert_ran);
    });
}
