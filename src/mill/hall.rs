//! What all threads of a mill share.

use std::any::Any;
use std::ptr;
use std::sync::{Arc, OnceLock, Weak};

use crate::config::{PinFailure, Waiting};
use crate::locality::{MemoryPolicy, Place};
use crate::mill::idle::Idle;
use crate::mill::injector::Bands;
use crate::mill::roster::Roster;
use crate::mill::seat::Seat;
use crate::prim::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
use crate::prim::{JoinHandle, Mutex, Padded};
use crate::sync::parker::Parker;
use crate::sys::{affinity, fork, membarrier};
use crate::topology::Topology;
use crate::unwind::Payload;

/// Called with what a detached job panicked with.
pub(crate) type PanicHandler = Box<dyn Fn(Payload) + Send + Sync>;

/// Called with the number of a thread that starts or ends.
pub(crate) type ThreadHandler = Box<dyn Fn(usize) + Send + Sync>;

/// A mill's settings, fixed when it is built.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) max_spares: usize,
    pub(crate) caller_runs: bool,
    pub(crate) waiting: Waiting,
    /// How many fruitless rounds a thread makes before it sleeps, if the user said so.
    pub(crate) patience: Option<u32>,
    pub(crate) pin_failure: PinFailure,
    /// Jobs run in a copy of the context that they were handed in from.
    pub(crate) contexts: bool,
    pub(crate) panic_handler: Option<PanicHandler>,
    pub(crate) start_handler: Option<ThreadHandler>,
    pub(crate) exit_handler: Option<ThreadHandler>,
    /// Threads are called this and their number, instead of what the mill's name makes of it.
    pub(crate) thread_prefix: Option<String>,
    /// Only the first worker is started with the mill; others when they are first needed.
    pub(crate) lazy: bool,
    /// Spawned jobs of one priority start in the order in which they came.
    pub(crate) strict_fifo: bool,
    /// Where workers sit, if the user said so; worker `i` at the `i`th, counted round.
    pub(crate) places: Vec<Place>,
    /// From where the memory comes that its threads touch first.
    pub(crate) memory: MemoryPolicy,
    /// What is allocated for its users is to be of huge pages.
    pub(crate) huge_pages: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            name: "mill".into(),
            stack_size: None,
            max_spares: 256,
            caller_runs: true,
            waiting: Waiting::Subtree,
            patience: None,
            pin_failure: PinFailure::Error,
            contexts: false,
            panic_handler: None,
            start_handler: None,
            exit_handler: None,
            thread_prefix: None,
            lazy: false,
            strict_fifo: false,
            places: Vec::new(),
            memory: MemoryPolicy::Local,
            huge_pages: false,
        }
    }
}

impl Settings {
    /// The name of the thread with this number.
    pub(crate) fn thread_name(&self, number: usize) -> String {
        if let Some(prefix) = &self.thread_prefix {
            return format!("{prefix}_{number}");
        }
        // The kernel keeps 15 bytes of a thread's name: the number must be among them.
        let number = number.to_string();
        let name: String = self.name.chars().take(11usize.saturating_sub(number.len())).collect();
        format!("gm-{name}-{number}")
    }
}

/// See the module.
pub(crate) struct Hall {
    pub(crate) settings: Settings,
    pub(crate) topology: Topology,
    pub(crate) idle: Idle,
    pub(crate) roster: Roster,
    /// One for each NUMA node.
    pub(crate) inboxes: Vec<Bands>,
    /// For each node: the inboxes of the others, nearest first.
    pub(crate) far_inboxes: Vec<Vec<usize>>,
    /// For each node: one of its threads looks for work on others.
    pub(crate) abroad: Vec<Padded<AtomicBool>>,
    /// How many CPUs the builder's thread could run on, or how many there are now for a mill that follows.
    cpus: AtomicUsize,
    /// How many workers there should be.
    pub(crate) workers: AtomicUsize,
    /// How many threads there are.
    pub(crate) threads: AtomicUsize,
    /// The system would not start the last spare thread that was wanted.
    pub(crate) refused: AtomicBool,
    /// No new work from outside; threads leave when they find none.
    pub(crate) closing: AtomicBool,
    /// Nobody waits for the end, the last handle that goes neither.
    pub(crate) detached: AtomicBool,
    /// Threads that run their callers' code without a slot.
    pub(crate) aside: AtomicUsize,
    /// Threads that wait on a stack that is used up.
    pub(crate) deep: AtomicUsize,
    /// Threads from outside that are handing work in, and found the mill open.
    pub(crate) entering: AtomicUsize,
    /// Threads from outside that run their own work in here.
    pub(crate) visitors: AtomicUsize,
    /// A seat for the next visitor, which the last one left.
    pub(crate) visitor: AtomicPtr<Seat>,
    /// Who waits for the last visitor to leave; null for nobody.
    pub(crate) ender: AtomicPtr<Parker>,
    pub(crate) handles: Mutex<Vec<JoinHandle<()>>>,
    /// Held while the number of workers changes.
    pub(crate) resizing: Mutex<()>,
    /// Held while somebody waits for the threads to end.
    pub(crate) ending: Mutex<()>,
    /// The handle that its users share, if it is still there; of a type that is not known down here.
    pub(crate) keeper: OnceLock<Weak<dyn Any + Send + Sync>>,
    /// Called when the mill is shut down, by each who does so.
    pub(crate) on_end: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Where workers sit from now on, worker `i` at the `i`th, counted round; empty while the settings hold.
    pub(crate) moved: std::sync::Mutex<Vec<Place>>,
    /// Which fork of the process built this mill.
    pub(crate) generation: u32,
}

impl Hall {
    /// A mill with a worker's seat at each of `places`, one for a visitor if callers may run their work themselves, and
    /// nobody there yet.
    pub(crate) fn new(settings: Settings, topology: Topology, mut places: Vec<Place>) -> Self {
        let (workers, nodes) = (places.len(), topology.nodes().len().max(1));
        if settings.caller_runs {
            places.push(Place::new(&topology, Default::default()));
        }
        let roster = Roster::new(&topology, places, Hall::wanted(workers));
        let visitor = roster.read(|crowd| {
            let seat = crowd.seats.get(workers).filter(|seat| seat.claim());
            seat.map_or(ptr::null_mut(), |seat| Arc::as_ptr(seat).cast_mut())
        });
        Hall {
            idle: Idle::new(workers, if settings.lazy { 1 } else { workers }),
            roster,
            inboxes: (0..nodes).map(|_| Bands::new()).collect(),
            far_inboxes: (0..nodes).map(|node| far_from(node, &topology)).collect(),
            abroad: (0..nodes).map(|_| Padded(AtomicBool::new(false))).collect(),
            topology,
            settings,
            cpus: AtomicUsize::new(affinity::allowed().map_or(usize::MAX, |cpus| cpus.len())),
            workers: AtomicUsize::new(workers),
            threads: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            aside: AtomicUsize::new(0),
            deep: AtomicUsize::new(0),
            entering: AtomicUsize::new(0),
            visitors: AtomicUsize::new(0),
            visitor: AtomicPtr::new(visitor),
            ender: AtomicPtr::new(ptr::null_mut()),
            handles: Mutex::new(Vec::new()),
            resizing: Mutex::new(()),
            ending: Mutex::new(()),
            keeper: OnceLock::new(),
            on_end: OnceLock::new(),
            moved: std::sync::Mutex::new(Vec::new()),
            generation: fork::generation(),
        }
    }

    /// Do its workers sit on more than one node? Or might they.
    pub(crate) fn has_far(&self) -> bool {
        self.inboxes.len() > 1
    }

    pub(crate) fn set_cpus(&self, cpus: usize) {
        self.cpus.store(cpus, Ordering::Relaxed);
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The mill is closing, nobody hands in a job any more, and there is none that an idle thread may take.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closing() && {
            // ORDERING(entering): see `hand_in`.
            fence(Ordering::SeqCst);
            self.entering.load(Ordering::Acquire) == 0 && !self.work_visible()
        }
    }

    /// The mill has ended: no thread of its own or from outside is in it, and no work.
    pub(crate) fn has_ended(&self) -> bool {
        // ORDERING(threads): Acquire; pairs with the updates of threads that leave.
        self.threads.load(Ordering::Acquire) == 0
            && self.visitors.load(Ordering::SeqCst) == 0
            && self.is_over()
    }

    /// How many jobs each worker keeps public. One will do, as thieves can take what is private from whoever does not
    /// answer; where they cannot, one for each who might come, within reason.
    pub(crate) fn wanted(workers: usize) -> usize {
        workers.saturating_sub(1).min(if membarrier::is_available() { 1 } else { 16 })
    }

    /// At most half the workers search at a time, and no more than half as many as there are CPUs: who searches there takes
    /// time from who works.
    pub(crate) fn most_searchers(&self) -> usize {
        (self.workers().min(self.cpus.load(Ordering::Relaxed)) / 2).max(1)
    }

    /// Another spare thread may be started. Those that can run nothing, for want of stack, do not count.
    pub(crate) fn may_grow(&self) -> bool {
        // ORDERING(deep): Acquire; pairs with the update of the census by which a thread that counted itself before gives its
        // slot away. Who has seen the slot sees the count.
        fence(Ordering::Acquire);
        let most = self.workers() + self.settings.max_spares + self.deep.load(Ordering::Relaxed);
        self.threads.load(Ordering::Relaxed) < most
    }

    /// Is there a job anywhere that any idle thread may take?
    pub(crate) fn work_in_sight(&self) -> bool {
        self.inboxes.iter().any(|bands| !bands.is_empty())
            || self.roster.read(|crowd| crowd.seats.iter().any(|seat| seat.has_work()))
    }

    /// As [`work_in_sight`](Self::work_in_sight), also if it was pushed just now: for threads that go to sleep, or give their
    /// slot away, and have said so.
    pub(crate) fn work_visible(&self) -> bool {
        // ORDERING(seize): whoever pushes looks for a mark next, by which it is told to show the job and call somebody. If
        // it found none, it pushed before this fence, and we see the job. Who does not run does not push.
        self.work_in_sight() || self.may_be_pushing() && membarrier::heavy() && self.work_in_sight()
    }

    fn may_be_pushing(&self) -> bool {
        // ORDERING(aside): see `Worker::blocking`. We have changed the census, with a fence.
        self.idle.is_anybody_running(self.workers()) || self.aside.load(Ordering::Relaxed) > 0
    }

    /// An empty seat, claimed: one that was left, or a new one at `place`.
    pub(crate) fn claim_seat(&self, place: impl Fn() -> Place) -> Arc<Seat> {
        let left = || self.roster.read(|crowd| crowd.seats.iter().find(|seat| seat.claim()).map(Arc::clone));
        left().unwrap_or_else(|| self.roster.add(&self.topology, place(), Self::wanted(self.workers())))
    }
}

/// The other nodes, nearest first; among those that are equally far each begins with the one after itself.
fn far_from(node: usize, topology: &Topology) -> Vec<usize> {
    let nodes = topology.nodes().len();
    let mut others: Vec<usize> = (1..nodes).map(|step| (node + step) % nodes).collect();
    others.sort_by_key(|&other| topology.distance(node, other));
    others
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn inboxes_of_other_nodes_go_by_distance_and_then_round() {
        let machine = Topology::synthetic("node:4 core:1").unwrap();
        assert_eq!(far_from(2, &machine), [3, 0, 1]);
        assert_eq!(far_from(0, &Topology::synthetic("core:2").unwrap()), [0; 0]);
    }
}
