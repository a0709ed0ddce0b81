//! Places, memory and robbing on the NUMA nodes of the machine that this runs on.
//!
//! On a machine with one node most of it has nothing to look at, and says so. `ci/numa.sh` boots a virtual one with
//! several nodes, with this program as its `init`; there it also takes a CPU away. It judges by what workers count, and
//! never by a clock: a busy host makes that of a virtual machine stand still.

#![allow(unsafe_code, reason = "mounts file systems and ends the virtual machine")]

#[path = "numa/follow.rs"]
mod follow;
#[path = "numa/machine.rs"]
mod machine;
#[path = "numa/memory.rs"]
mod memory;
#[path = "numa/robbing.rs"]
mod robbing;
#[path = "numa/workers.rs"]
mod workers;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gristmill::topology::Topology;

/// What a check needs to make sense.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Several nodes with memory and CPUs.
    Nodes,
    /// A machine that is ours alone.
    OwnMachine,
}

const CHECKS: &[(&str, Needs, fn())] = &[
    ("workers sit where they were placed", Needs::Nothing, workers::sit_where_they_were_placed),
    ("pages of a NodeVec lie on their nodes", Needs::Nothing, memory::pages_of_a_node_vec),
    ("workers touch memory of their own node first", Needs::Nothing, memory::first_touch),
    ("workers take memory as the mill was told", Needs::Nothing, memory::policies_of_workers),
    ("memory on a node that is not there is refused", Needs::Nothing, memory::refusals),
    ("a job near data runs on its node", Needs::Nodes, workers::near_data),
    ("steals stay on the node when all nodes have work", Needs::OwnMachine, robbing::stays_on_the_node),
    ("work on one node reaches every worker", Needs::Nothing, robbing::spreads),
    ("items go back to the workers that had them", Needs::OwnMachine, workers::affinity),
    ("a pool follows its control group", Needs::Nothing, follow::a_group_that_changes),
    ("a CPU that goes away does not wedge the mill", Needs::OwnMachine, workers::cpu_goes_away),
];

/// No working run takes so long, emulated on a busy host.
const LIMIT: Duration = Duration::from_secs(240);

static RUNNING: Mutex<&str> = Mutex::new("nothing yet");

fn main() -> ExitCode {
    let is_init = std::process::id() == 1;
    if is_init {
        machine::mount();
    }
    std::thread::spawn(move || {
        std::thread::sleep(LIMIT);
        println!("numa: hung in: {}", RUNNING.lock().unwrap());
        if is_init {
            machine::end();
        }
        std::process::exit(1);
    });
    let topology = Topology::detect();
    let nodes = topology.nodes().iter().filter(|node| !node.units.is_empty()).count();
    println!("numa: {} CPUs on {nodes} nodes", topology.units().len());
    for from in 0..topology.nodes().len() {
        let row: Vec<u32> = (0..topology.nodes().len()).map(|to| topology.distance(from, to)).collect();
        println!(
            "  node {from}: CPU {}, distances {row:?}",
            topology.cpus(topology.nodes()[from].units.clone())
        );
    }
    let (mut passed, mut failed) = (0, 0);
    for &(name, needs, check) in CHECKS {
        if needs == Needs::OwnMachine && !is_init {
            println!("{name}: only in ci/numa.sh");
        } else if needs != Needs::Nothing && nodes < 2 {
            println!("{name}: there is only one node");
        } else {
            *RUNNING.lock().unwrap() = name;
            let start = Instant::now();
            let result = catch_unwind(check);
            let word = if result.is_ok() { "ok" } else { "FAILED" };
            println!("{name}: {word} ({:.1} s)", start.elapsed().as_secs_f64());
            if result.is_ok() { passed += 1 } else { failed += 1 }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    if is_init {
        machine::end();
    }
    ExitCode::from(u8::from(failed > 0))
}
