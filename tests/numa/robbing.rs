//! Whom thieves rob, and how soon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use gristmill::locality::{Place, Tier};
use gristmill::topology::{CpuSet, Topology};

use crate::workers::{full, here};

/// So many halves of joins wait in one line, each to be robbed by itself. They sleep: so the workers are busy, and the host
/// need not be.
fn doze(halves: usize) {
    if halves > 0 {
        gristmill::join(|| doze(halves - 1), || std::thread::sleep(Duration::from_micros(300)));
    }
}

/// Joins on each node, for as long as all have some.
pub(crate) fn stays_on_the_node() {
    let machine = Topology::detect();
    let mill = full(&machine);
    let nodes: Vec<usize> =
        (0..machine.nodes().len()).filter(|&node| !machine.nodes()[node].units.is_empty()).collect();
    let (stop, (send, receive)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
    let (ready, all_ready) = mpsc::channel();
    for &node in &nodes {
        let (stop, send, ready) = (Arc::clone(&stop), send.clone(), ready.clone());
        mill.spawn_on(node, move || {
            ready.send(()).unwrap();
            let mut lines = 0;
            while !stop.load(Ordering::Relaxed) {
                doze(1_000);
                lines += 1;
            }
            send.send(lines).unwrap();
        })
        .unwrap();
    }
    nodes.iter().for_each(|_| all_ready.recv().unwrap());
    let before = mill.stats().total();
    let steals = || {
        let after = mill.stats().total();
        Tier::ALL.map(|tier| after.steals[tier.index()] - before.steals[tier.index()])
    };
    // A busy host makes few of them.
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(1_500));
        if steals().iter().sum::<u64>() >= 300 {
            break;
        }
    }
    let steals = steals();
    stop.store(true, Ordering::Relaxed);
    let lines: Vec<usize> = nodes.iter().map(|_| receive.recv().unwrap()).collect();
    let (all, remote): (u64, u64) = (steals.iter().sum(), steals[Tier::Remote.index()]);
    println!("  {lines:?} lines of jobs by node, steals {steals:?} at {:?}", Tier::ALL);
    println!("  {:.1} % of {all} steals stayed on their node", 100.0 * (all - remote) as f64 / all as f64);
    assert!(all >= 30, "hardly any steals");
    assert!(remote * 10 <= all, "more than a tenth crossed to another node");
}

/// One job that ran.
struct Ran {
    node: usize,
    start: Instant,
    end: Instant,
}

/// How late the timers of each CPU are, at most: what the host takes away.
struct Lateness {
    stop: Arc<AtomicBool>,
    watchers: Vec<std::thread::JoinHandle<Duration>>,
}

impl Lateness {
    fn watch(machine: &Topology) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = |cpu: usize| {
            let (place, stop) = (Place::new(machine, CpuSet::from_iter([cpu])), Arc::clone(&stop));
            std::thread::spawn(move || {
                place.occupy().unwrap();
                let mut latest = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let (start, asked) = (Instant::now(), Duration::from_millis(1));
                    std::thread::sleep(asked);
                    latest = latest.max(start.elapsed().saturating_sub(asked));
                }
                latest
            })
        };
        let watchers = machine.allowed().iter().map(watch).collect();
        Self { stop, watchers }
    }

    fn most(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.watchers.into_iter().map(|watcher| watcher.join().unwrap()).max().unwrap()
    }
}

/// How long a node had nothing to do at most, from `begin` until the last job was begun anywhere.
fn idle(ran: &[Ran], node: usize, begin: Instant) -> Duration {
    let last = ran.iter().map(|ran| ran.start).max().unwrap();
    let mut here: Vec<&Ran> = ran.iter().filter(|ran| ran.node == node).collect();
    here.sort_by_key(|ran| ran.start);
    let (mut longest, mut busy_until) = (Duration::ZERO, begin);
    for ran in here {
        longest = longest.max(ran.start.saturating_duration_since(busy_until));
        busy_until = busy_until.max(ran.end);
    }
    longest.max(last.saturating_duration_since(busy_until))
}

/// All jobs are handed in on one node. They sleep: so the workers are busy, and the host need not be.
pub(crate) fn spreads() {
    const JOBS: usize = 300;
    const ROUNDS: usize = 8;
    let machine = Topology::detect();
    let mill = full(&machine);
    let mut good = 0;
    for round in 0..ROUNDS {
        let lateness = Lateness::watch(&machine);
        let ran = Arc::new(Mutex::new(Vec::new()));
        let (send, receive) = mpsc::channel::<()>();
        let source = round % machine.nodes().len();
        let begin = Instant::now();
        for _ in 0..JOBS {
            let (ran, send, machine) = (Arc::clone(&ran), send.clone(), machine.clone());
            mill.spawn_on(source, move || {
                let (node, start) = (here(&machine), Instant::now());
                std::thread::sleep(Duration::from_millis(2));
                ran.lock().unwrap().push(Ran { node, start, end: Instant::now() });
                drop(send);
            })
            .unwrap();
        }
        drop(send);
        assert!(receive.recv().is_err(), "nobody sends anything");
        let late = lateness.most();
        let ran = ran.lock().unwrap();
        let nodes = 0..machine.nodes().len();
        let counts: Vec<usize> =
            nodes.clone().map(|n| ran.iter().filter(|ran| ran.node == n).count()).collect();
        let idle: Vec<Duration> = nodes.map(|node| idle(&ran, node, begin)).collect();
        println!(
            "  all on node {source}: jobs by node {counts:?}, idle at most {idle:.1?}, timers late by {late:.1?}"
        );
        assert_eq!(ran.len(), JOBS);
        good += usize::from(*idle.iter().max().unwrap() <= Duration::from_millis(10) + 4 * late);
    }
    assert!(
        4 * good >= 3 * ROUNDS,
        "a node had nothing to do for too long in {} of {ROUNDS} rounds",
        ROUNDS - good
    );
}
