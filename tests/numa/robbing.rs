//! Whom thieves rob, and that all of them find what there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use gristmill::locality::Tier;
use gristmill::topology::Topology;
use gristmill::{Mill, WorkerStats};

use crate::workers::full;

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

/// How often a worker looked in vain, and lay down in vain, beside work that was there.
#[derive(Clone, Copy, Debug, Default)]
struct Vain {
    looks: u64,
    sleeps: u64,
}

/// What the workers have counted once none of them counts any more: they sleep, or are in jobs that wait.
fn at_rest(mill: &Mill) -> Vec<WorkerStats> {
    let mut before = mill.stats().workers;
    loop {
        std::thread::sleep(Duration::from_millis(30));
        let now = mill.stats().workers;
        if now == before {
            return now;
        }
        before = now;
    }
}

/// As many jobs as there are workers, all on one node, and none of them ends before all have begun: each worker of each
/// node must take one. What each does before that is counted in its own rounds, so it does not matter how fast they are.
pub(crate) fn spreads() {
    const ROUNDS: usize = 16;
    /// A searcher makes 96 rounds before it sleeps, and leaves another node's inbox alone for 200 us.
    const MOST: Vain = Vain { looks: 960, sleeps: 96 };
    let machine = Topology::detect();
    let mill = full(&machine);
    let (workers, nodes) = (mill.workers(), machine.nodes().len());
    let mut most = [Vain::default(); 2];
    for round in 0..ROUNDS {
        let (source, in_scope) = (round % nodes, round / nodes % 2 == 1);
        let before = at_rest(&mill);
        let (begun, over) = (Arc::new(Barrier::new(workers + 1)), Arc::new(Barrier::new(workers + 1)));
        let meet = {
            let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
            move || {
                begun.wait();
                over.wait();
            }
        };
        if in_scope {
            // They wait in the line of a worker that does not answer.
            let spawns = move || {
                gristmill::scope(|s| {
                    (1..workers).for_each(|_| s.spawn(|_| meet()));
                    meet();
                });
            };
            mill.spawn_on(source, spawns).unwrap();
        } else {
            (0..workers).for_each(|_| mill.spawn_on(source, meet.clone()).unwrap());
        }
        begun.wait();
        // Everybody has one, and counts nothing until it is over.
        let after = mill.stats().workers;
        over.wait();
        let most = &mut most[usize::from(in_scope)];
        for (worker, (before, after)) in before.iter().zip(&after).enumerate() {
            let looks = after.failed_steals - before.failed_steals;
            // It slept before; to get up from that is not in vain.
            let sleeps = (after.parks - before.parks).saturating_sub(1);
            assert!(
                looks <= MOST.looks && sleeps <= MOST.sleeps,
                "worker {worker} looked {looks} times and slept {sleeps} times while work lay on node {source}"
            );
            *most = Vain { looks: most.looks.max(looks), sleeps: most.sleeps.max(sleeps) };
        }
    }
    println!("  from an inbox, in vain at most: {:?}", most[0]);
    println!("  from a worker's line, in vain at most: {:?}", most[1]);
}
