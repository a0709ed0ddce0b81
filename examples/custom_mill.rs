//! A mill of one's own: its name, its workers on places of the machine, a handler for panics, and what its
//! workers counted.
//!
//! ```sh
//! cargo run --release --example custom_mill
//! ```

use std::sync::mpsc;

use gristmill::locality::{self, Tier};
use gristmill::topology::{self, Topology};
use gristmill::{Mill, join};

fn count_leaves(depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (left, right) = join(|| count_leaves(depth - 1), || count_leaves(depth - 1));
    left + right
}

fn main() -> Result<(), gristmill::BuildError> {
    let machine = Topology::detect();
    println!(
        "{} nodes, {} L3 groups, {} cores, {} hardware threads",
        machine.nodes().len(),
        machine.l3s().len(),
        machine.cores().len(),
        machine.units().len()
    );
    let threads = topology::default_threads();
    let places = locality::places(&machine, threads.count);
    for (worker, place) in places.iter().enumerate() {
        println!("worker {worker}: CPU {}, node {}", place.cpus(), place.node());
    }

    let (report, panics) = mpsc::channel();
    let mill = Mill::builder()
        .name("leaves")
        .topology(machine)
        .places(places)
        .panic_handler(move |payload| {
            let message = payload.downcast_ref::<&str>().copied().unwrap_or("something else");
            let _ = report.send(message.to_owned());
        })
        .build()?;

    let leaves = mill.install(|| count_leaves(20));
    println!("{} has {} workers and counted {leaves} leaves", mill.name(), mill.workers());
    assert_eq!(leaves, 1 << 20);

    mill.spawn(|| panic!("this panic is part of the example")).expect("the mill is open");
    let message = panics.recv().expect("the handler is called");
    println!("a detached job panicked with: {message}");
    assert_eq!(message, "this panic is part of the example");

    mill.shutdown();
    for (number, worker) in mill.stats().workers.iter().enumerate() {
        let steals: Vec<String> =
            Tier::ALL.iter().map(|tier| format!("{tier:?} {}", worker.steals[tier.index()])).collect();
        println!(
            "seat {number}: {} jobs, steals: {}, {} parks",
            worker.jobs,
            steals.join(", "),
            worker.parks
        );
    }
    Ok(())
}
