//! The census alone, against one job: whoever publishes and whoever falls asleep or frees a slot see each other.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::check;
use crate::mill::idle::{Call, Idle};
use crate::prim::fence_after_update;

/// The census, and whether there is a job.
struct Mill {
    idle: Idle,
    job: AtomicBool,
}

impl Mill {
    fn new(workers: usize) -> Arc<Self> {
        Arc::new(Mill { idle: Idle::new(workers, workers), job: AtomicBool::new(false) })
    }

    fn is_there_a_job(&self) -> bool {
        self.job.load(Ordering::Relaxed)
    }

    /// True if a sleeper was called.
    fn call(&self) -> bool {
        self.idle.is_call_due() && self.idle.call(false) == Call::Sleeper
    }

    fn publish(&self) -> bool {
        self.job.store(true, Ordering::Relaxed);
        self.call()
    }
}

#[test]
fn models_a_publisher_and_a_sleeper_see_each_other() {
    check(5, || {
        let mill = Mill::new(1);
        let sleeper = {
            let mill = Arc::clone(&mill);
            thread::spawn(move || {
                mill.idle.fall_asleep(true);
                mill.is_there_a_job()
            })
        };
        let called = mill.publish();
        assert!(sleeper.join().unwrap() || called, "a job lies beside a sleeper");
    });
}

/// One sleeps; another looks for work for the last time, and finds something else.
#[test]
fn models_the_last_searcher_calls_the_next() {
    check(5, || {
        let mill = Mill::new(2);
        mill.idle.fall_asleep(true);
        let searcher = {
            let mill = Arc::clone(&mill);
            thread::spawn(move || mill.is_there_a_job() || mill.idle.end_search() && mill.call())
        };
        let called = mill.publish();
        assert!(searcher.join().unwrap() || called, "a job lies beside a sleeper");
    });
}

/// One sleeps, and a visitor has its slot.
#[test]
fn models_a_refused_call_is_made_up_for() {
    check(5, || {
        let mill = Mill::new(1);
        mill.idle.fall_asleep(true);
        assert!(mill.idle.try_take_slot());
        let visitor = {
            let mill = Arc::clone(&mill);
            thread::spawn(move || {
                mill.idle.return_slot() && {
                    fence_after_update();
                    mill.is_there_a_job() && mill.call()
                }
            })
        };
        let called = mill.publish();
        assert!(visitor.join().unwrap() || called, "a job lies beside a free slot and a sleeper");
    });
}

/// A worker that sleeps sees the job by itself, while the publisher calls it: one booking is left, and it searches.
#[test]
fn models_one_booking_is_left_of_two() {
    check(5, || {
        let mill = Mill::new(2);
        mill.idle.leave(true);
        mill.idle.fall_asleep(true);
        let asleep = Arc::new(AtomicBool::new(true));
        let rouse = |asleep: &AtomicBool| asleep.swap(false, Ordering::SeqCst);
        let sleeper = {
            let (mill, asleep) = (Arc::clone(&mill), Arc::clone(&asleep));
            thread::spawn(move || {
                if mill.is_there_a_job() && mill.idle.get_up(false) && !rouse(&asleep) {
                    mill.idle.unbook();
                }
            })
        };
        if mill.publish() {
            if rouse(&asleep) { mill.idle.found_sleeper() } else { mill.idle.call_failed() }
        }
        sleeper.join().unwrap();
        let census = mill.idle.census();
        let up = usize::from(!asleep.load(Ordering::SeqCst));
        assert_eq!((census.searching(), census.sleeping(), census.free()), (up, 1 - up, 2 - up as i64));
    });
}

/// A certain sleeper is called while another worker searches, and sees the job by itself just then: one booking is left, and
/// the job has somebody.
#[test]
fn models_a_call_by_name_leaves_one_booking() {
    check(5, || {
        let mill = Mill::new(2);
        let asleep = Arc::new(AtomicBool::new(true));
        let rouse = |asleep: &AtomicBool| asleep.swap(false, Ordering::SeqCst);
        let sleeper = {
            let (mill, asleep) = (Arc::clone(&mill), Arc::clone(&asleep));
            thread::spawn(move || {
                mill.idle.fall_asleep(true);
                if mill.is_there_a_job() && mill.idle.get_up(false) && !rouse(&asleep) {
                    mill.idle.unbook();
                }
            })
        };
        mill.job.store(true, Ordering::Relaxed);
        // As in `Hall::calls_home`.
        loom::sync::atomic::fence(Ordering::SeqCst);
        if mill.idle.census().sleeping() > 0 && mill.idle.call_by_name() {
            if rouse(&asleep) { mill.idle.found_sleeper() } else { mill.idle.call_failed() }
        }
        sleeper.join().unwrap();
        let census = mill.idle.census();
        let up = usize::from(!asleep.load(Ordering::SeqCst));
        assert_eq!(up, 1, "a job lies beside a sleeper");
        assert_eq!((census.searching(), census.sleeping(), census.free()), (2, 0, 0));
    });
}
