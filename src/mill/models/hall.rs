//! Who sleeps, who is called, who may come in: whole mills, from their first thread to the end of the last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

use super::{Once, check, nodes, topology};
use crate::locality;
use crate::mill::hall::{Hall, Settings};
use crate::mill::injector::Priority;
use crate::mill::job::{HeapJob, Stamp};
use crate::mill::join::join;
use crate::mill::latch::Latch;
use crate::mill::scope::scope;
use crate::mill::seat::{Seat, Sitting};
use crate::mill::worker::{Reach, Worker};
use crate::prim::lock;
use crate::sync::parker::Parker;
use crate::topology::Topology;

/// A mill whose workers have been started.
fn mill(workers: usize, max_spares: usize) -> Arc<Hall> {
    mill_on(topology(), workers, max_spares)
}

fn mill_on(topology: Topology, workers: usize, max_spares: usize) -> Arc<Hall> {
    let places = locality::places(&topology, workers);
    let hall = Arc::new(Hall::new(Settings { max_spares, ..Settings::default() }, topology, places));
    hall.start_workers(workers).unwrap();
    hall
}

/// A mill that has no threads, and its seats. All count as running.
pub(super) fn seated(workers: usize) -> (Arc<Hall>, Vec<Arc<Seat>>) {
    let topology = topology();
    let places = locality::places(&topology, workers);
    let hall = Arc::new(Hall::new(Settings { max_spares: 0, ..Settings::default() }, topology, places));
    let seats = hall.roster.read(|crowd| crowd.seats.clone());
    (0..workers).for_each(|_| {
        hall.idle.end_search();
    });
    (hall, seats)
}

/// Puts the calling thread on an empty seat, without a thread's life.
pub(super) fn sit(hall: &Arc<Hall>, seat: &Seat) -> Sitting {
    assert!(seat.claim());
    seat.sit(Arc::as_ptr(hall).cast(), 0, false);
    // SAFETY: claimed, and the models hold both for as long as anybody sits there.
    unsafe { Sitting::on(seat) }
}

/// Ends the mill; everything must be as it was before it began.
fn end(hall: &Hall) {
    hall.shut_down();
    let census = hall.idle.census();
    assert_eq!((census.searching(), census.sleeping()), (0, 0), "{census:?}");
    assert_eq!(census.free(), hall.workers() as i64, "{census:?}");
    assert!(!hall.work_visible());
}

/// A flag that one job sets and one thread waits for, in a way that the mill does not know of.
#[derive(Clone)]
struct Flag(loom::sync::Arc<Latch>);

impl Flag {
    fn new() -> Self {
        Flag(loom::sync::Arc::new(Latch::new()))
    }

    fn set(&self) {
        // SAFETY: alive, as we hold it, and set once.
        unsafe { Latch::set(&*self.0) };
    }

    fn wait(&self) {
        self.0.wait(Parker::current());
    }

    fn is_set(&self) -> bool {
        self.0.probe()
    }
}

fn spawn(hall: &Hall, job: impl FnOnce() + Send + 'static) {
    hall.spawn(None, Priority::Normal, job).unwrap();
}

/// A thread from outside hands in a job, while the only worker looks for one or falls asleep.
#[test]
fn models_a_job_wakes_a_sleeper() {
    check(3, || {
        let (hall, done) = (mill(1, 0), Flag::new());
        let there = done.clone();
        spawn(&hall, move || there.set());
        done.wait();
        end(&hall);
    });
}

/// Two jobs for one node that need each other. Its only worker takes one of them; the other node's leaves the second to it
/// for a while, but not for ever, and does not sleep beside it.
#[test]
fn models_what_is_left_to_its_own_node_is_taken_in_the_end() {
    check(2, || {
        let (hall, done, flags) = (mill_on(nodes(), 2, 0), Flag::new(), [Flag::new(), Flag::new()]);
        let [first, second] = flags.clone();
        let on_its_node = |job: Box<dyn FnOnce() + Send>| hall.spawn(Some(1), Priority::Normal, job).unwrap();
        on_its_node(Box::new(move || {
            first.set();
            second.wait();
        }));
        let ([first, second], there) = (flags, done.clone());
        on_its_node(Box::new(move || {
            first.wait();
            second.set();
            there.set();
        }));
        done.wait();
        end(&hall);
    });
}

/// Two jobs from outside that need each other: both workers are called, whoever sleeps or searches.
#[test]
fn models_each_job_wakes_a_sleeper() {
    check(1, || {
        let (hall, done, flags) = (mill(2, 0), Flag::new(), [Flag::new(), Flag::new()]);
        let [first, second] = flags.clone();
        spawn(&hall, move || {
            first.set();
            second.wait();
        });
        let ([first, second], there) = (flags, done.clone());
        spawn(&hall, move || {
            first.wait();
            second.set();
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// A job that waits for another that it has spawned, and keeps its slot.
#[test]
fn models_a_job_of_a_job_wakes_a_sleeper() {
    check(1, || {
        let (hall, done) = (mill(2, 0), Flag::new());
        let there = done.clone();
        spawn(&hall, move || {
            let inner = Flag::new();
            let in_there = inner.clone();
            crate::mill::spawn::spawn(move || in_there.set());
            inner.wait();
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// The only worker gives its slot away while it waits: a spare thread comes, and one of them yields later.
#[test]
fn models_a_slot_given_away_is_used_and_taken_back() {
    check(2, || {
        let (hall, done) = (mill(1, 1), Flag::new());
        let there = done.clone();
        spawn(&hall, move || {
            let inner = Flag::new();
            let in_there = inner.clone();
            crate::mill::spawn::spawn(move || in_there.set());
            crate::mill::spawn::blocking(|| inner.wait());
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// A visitor holds the slot that a blocked worker gave away, while the job that this one waits for comes in.
#[test]
fn models_a_call_refused_for_a_visitor_is_made_up_for() {
    check(1, || {
        let (hall, blocked, inner) = (mill(1, 1), Flag::new(), Flag::new());
        let (there, in_there) = (blocked.clone(), inner.clone());
        spawn(&hall, move || {
            crate::mill::spawn::blocking(|| {
                there.set();
                in_there.wait();
            })
        });
        blocked.wait();
        let visitor = {
            let hall = Arc::clone(&hall);
            thread::spawn(move || hall.visit(std::ptr::null(), || ()).is_ok())
        };
        let there = inner.clone();
        spawn(&hall, move || there.set());
        visitor.join().unwrap();
        inner.wait();
        end(&hall);
    });
}

/// A job handed in while the mill closes is run, or refused and dropped.
#[test]
fn models_an_accepted_job_is_not_lost() {
    check(3, || {
        let hall = mill(1, 0);
        let runs = Arc::new(AtomicUsize::new(0));
        let outside = {
            let (hall, runs) = (Arc::clone(&hall), Arc::clone(&runs));
            thread::spawn(move || {
                hall.spawn(None, Priority::Normal, move || {
                    runs.fetch_add(1, Ordering::Relaxed);
                })
            })
        };
        hall.shut_down();
        let accepted = outside.join().unwrap().is_ok();
        assert!(lock(&hall.handles).is_empty(), "nobody is hired after the end");
        end(&hall);
        assert_eq!(runs.load(Ordering::Relaxed), usize::from(accepted));
        assert_eq!(Arc::strong_count(&runs), 1, "what was refused was dropped");
    });
}

/// Whoever shuts the mill down waits for its visitors, and for what they leave.
#[test]
fn models_the_end_waits_for_visitors() {
    check(3, || {
        let hall = mill(1, 0);
        let once = Arc::new(Once::new());
        let visitor = {
            let (hall, once) = (Arc::clone(&hall), Arc::clone(&once));
            thread::spawn(move || {
                let visit = hall.visit(std::ptr::null(), move || {
                    // SAFETY: the visit is made once.
                    crate::mill::spawn::spawn(move || unsafe { once.job().run() });
                });
                visit.is_ok()
            })
        };
        hall.shut_down();
        let ran = once.ran();
        assert!(!hall.work_visible());
        let came = visitor.join().unwrap();
        assert_eq!(ran, came);
        end(&hall);
    });
}

/// Mail that needs another job of the mill to come to its end, read by a worker that searches or gets up.
#[test]
fn models_a_reader_of_mail_does_not_count_as_searching() {
    check(2, || {
        let (hall, done) = (mill(2, 0), Flag::new());
        let there = done.clone();
        let seat = hall.roster.read(|crowd| Arc::clone(&crowd.seats[0]));
        let posted = seat.post(|| {
            let mail = move |_| {
                let inner = Flag::new();
                let in_there = inner.clone();
                crate::mill::spawn::spawn(move || in_there.set());
                inner.wait();
                there.set();
            };
            // SAFETY: `'static`, and worker threads read their mail.
            unsafe { HeapJob::boxed(mail, Stamp { family: std::ptr::null(), token: std::ptr::null() }) }
        });
        assert!(posted);
        done.wait();
        end(&hall);
    });
}

/// A thread that leaves may have been counted on by whoever has just published a job: it looks back.
#[test]
fn models_who_leaves_looks_back() {
    check(1, || {
        let hall = mill(2, 0);
        spawn(&hall, || {
            let inner = Flag::new();
            let in_there = inner.clone();
            crate::mill::spawn::spawn(move || in_there.set());
            inner.wait();
        });
        end(&hall);
    });
}

/// Two jobs that need each other, on their way from an inbox to one worker's line while the other looks.
#[test]
fn models_a_batch_wakes_a_sleeper() {
    check(1, || {
        let (hall, done, flags) = (mill(2, 0), Flag::new(), [Flag::new(), Flag::new()]);
        spawn(&hall, || ());
        let [first, second] = flags.clone();
        spawn(&hall, move || {
            first.set();
            second.wait();
        });
        let ([first, second], there) = (flags, done.clone());
        spawn(&hall, move || {
            first.wait();
            second.set();
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// A worker takes its public half back, or somebody has it; then it splits again, and its first half needs the second. The
/// other worker sleeps, searches, or is about to do either.
#[test]
fn models_what_is_pushed_after_a_job_was_taken_back_is_found() {
    check(2, || {
        let (hall, done) = (mill(2, 0), Flag::new());
        let there = done.clone();
        spawn(&hall, move || {
            join(|| (), || ());
            let inner = Flag::new();
            let in_there = inner.clone();
            join(move || inner.wait(), move || in_there.set());
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// Two halves under a leaf that needs both and calls nobody: one is public, the other must be seized.
#[test]
fn models_what_lies_behind_a_leaf_is_seized() {
    check(1, || {
        let (hall, done) = (mill(2, 0), Flag::new());
        let there = done.clone();
        spawn(&hall, move || {
            let flags = [Flag::new(), Flag::new()];
            let [first, second] = flags.clone();
            let leaf = move || flags.iter().for_each(Flag::wait);
            join(|| join(leaf, move || first.set()), move || second.set());
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// A scope ends on top of a half that is public, and looks at it; after that the first half needs the second.
#[test]
fn models_a_scope_that_ends_hides_nothing_below_it() {
    check(2, || {
        let (hall, done) = (mill(2, 0), Flag::new());
        let there = done.clone();
        spawn(&hall, move || {
            let inner = Flag::new();
            let in_there = inner.clone();
            let first = move || {
                scope(|_| ());
                inner.wait();
            };
            join(first, move || in_there.set());
            there.set();
        });
        done.wait();
        end(&hall);
    });
}

/// A worker that does not search takes the last public job of another. This one pushes a job just then, and then sits in a
/// leaf that needs it; and a third goes to sleep.
#[test]
fn models_whoever_takes_the_last_public_job_calls() {
    check(2, || {
        let (hall, seats) = seated(3);
        hall.idle.start_search(1);
        let flag = Flag::new();
        let sitting = sit(&hall, &seats[0]);
        let mut others = Vec::new();
        let start_others = |others: &mut Vec<thread::JoinHandle<()>>| {
            let (hall_there, seat) = (Arc::clone(&hall), Arc::clone(&seats[1]));
            others.push(thread::spawn(move || {
                let _sitting = sit(&hall_there, &seat);
                let worker = Worker::on(&seat);
                // SAFETY: taken out of a queue just now.
                worker.steal(false, Reach::Machine).inspect(|job| unsafe { worker.run(*job) });
            }));
            let (hall_there, seat, flag) = (Arc::clone(&hall), Arc::clone(&seats[2]), flag.clone());
            others.push(thread::spawn(move || {
                let _sitting = sit(&hall_there, &seat);
                let worker = Worker::on(&seat);
                while !flag.is_set() {
                    worker.seat.lie_down();
                    worker.hall.idle.fall_asleep(true);
                    worker.sleep();
                    if let Some(job) = worker.search() {
                        worker.hall.idle.end_search();
                        // SAFETY: taken out of a queue just now.
                        unsafe { worker.run(job) };
                        worker.hall.idle.start_search(3);
                    }
                }
            }));
        };
        let (inner, there) = (flag.clone(), flag.clone());
        let first = || {
            start_others(&mut others);
            join(move || inner.wait(), move || there.set());
        };
        join(first, || ());
        hall.closing.store(true, loom::sync::atomic::Ordering::SeqCst);
        seats[2].wake();
        others.into_iter().for_each(|other| other.join().unwrap());
        drop(sitting);
    });
}
