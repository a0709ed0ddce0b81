//! Where pages are, as the kernel says.

use gristmill::Mill;
use gristmill::locality::{self, MemoryError, MemoryPolicy, NodeVec, Placement, Spread};
use gristmill::topology::Topology;

/// So much the allocator never has at hand: it comes from the kernel, untouched.
const FRESH: usize = 33 << 20;

/// Does the kernel take orders and answer? Where it is denied there is nothing to look at.
fn report<T>(data: &[T]) -> Option<Placement> {
    match Placement::report(data) {
        Ok(placement) => Some(placement),
        Err(error) => {
            assert!(error.is_unavailable(), "{error}");
            println!("  {error}");
            None
        }
    }
}

fn built<T>(result: Result<NodeVec<T>, MemoryError>) -> Option<NodeVec<T>> {
    match result {
        Ok(vec) => Some(vec),
        Err(error) => {
            assert!(error.is_unavailable(), "{error}");
            println!("  {error}");
            None
        }
    }
}

/// Checks each part, and returns how many pages there are.
fn assert_in_place<T>(what: &str, vec: &NodeVec<T>) {
    let mut all = 0;
    for part in vec.parts() {
        let Some(placement) = report(&vec[part.elements.clone()]) else { return };
        // A page on a bound belongs to two parts.
        let stray = placement.pages() - placement.on(part.os_id) - placement.unknown();
        assert!(stray <= 2, "{what}, {part:?}: {placement}");
        all += placement.pages();
    }
    println!("  {what}: {} parts, {all} pages: {}", vec.parts().len(), report(vec).unwrap());
}

pub(crate) fn pages_of_a_node_vec() {
    let machine = Topology::detect();
    let Some(vec) = built(NodeVec::from_fn(&machine, 1_000_000, |i| i as u64)) else { return };
    assert_in_place("parts", &vec);
    let Some(vec) = built(NodeVec::builder(&machine).strict(true).from_fn(300_001, |_| [7_u8; 24])) else {
        return;
    };
    assert_in_place("strict parts of odd elements", &vec);
    let Some(vec) = built(NodeVec::builder(&machine).huge_pages(true).from_fn(4 << 20, |_| 1_u64)) else {
        return;
    };
    assert_in_place("huge pages", &vec);
    let spread = NodeVec::builder(&machine).spread(Spread::Interleaved).from_fn(1 << 20, |_| 1_u64);
    if let Some(placement) = built(spread).and_then(|vec| report(&vec)) {
        println!("  interleaved: {placement}");
        let nodes = machine.nodes().iter().filter(|n| n.memory != Some(0) && !n.units.is_empty());
        let counts: Vec<usize> = nodes.map(|node| placement.on(node.os_id)).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{placement}");
    }
    for (node, known) in machine.nodes().iter().enumerate().filter(|(_, known)| known.memory != Some(0)) {
        let one = NodeVec::builder(&machine).nodes([node]).strict(true).from_fn(100_000, |_| 1_u64);
        let Some(one) = built(one) else { return };
        let placement = report(&one).unwrap();
        assert_eq!(placement.on(known.os_id) + placement.unknown(), placement.pages(), "{placement}");
        assert_eq!(locality::node_of(&one), Some(known.os_id));
    }
    let mill = Mill::builder().places(locality::places(&machine, machine.units().len())).build().unwrap();
    assert_in_place("made by a mill", &mill.node_vec(1_000_000, |i| i as u64).unwrap());
}

pub(crate) fn first_touch() {
    let machine = Topology::detect();
    let mill = Mill::builder().places(locality::places(&machine, machine.units().len())).build().unwrap();
    let reports = mill.broadcast(|_| {
        let node = machine.nodes()[machine.current_unit().unwrap().node].os_id;
        let data = vec![1_u8; FRESH];
        (node, report(&data))
    });
    for (node, placement) in reports {
        let Some(placement) = placement else { return };
        println!("  touched on node {node}: {placement}");
        // A huge page comes from elsewhere if its node has none left.
        assert!(placement.on(node) * 10 >= placement.pages() * 8, "node {node}: {placement}");
    }
}

pub(crate) fn policies_of_workers() {
    let machine = Topology::detect();
    let nodes: Vec<usize> =
        machine.nodes().iter().filter(|node| node.memory != Some(0)).map(|node| node.os_id).collect();
    let last = *nodes.last().unwrap();
    for policy in [MemoryPolicy::Bind(vec![last]), MemoryPolicy::Interleave(nodes.clone())] {
        let mill = match Mill::builder().workers(3).memory(policy.clone()).build() {
            Ok(mill) => mill,
            Err(error) => return println!("  {error}"),
        };
        let reports = mill.broadcast(|_| {
            assert_eq!(MemoryPolicy::current().unwrap(), policy);
            report(&vec![1_u8; FRESH]).unwrap()
        });
        println!("  {policy:?}: {}", reports[0]);
        for placement in reports {
            let expected = if matches!(policy, MemoryPolicy::Bind(_)) { 1 } else { nodes.len() };
            // The kernel may take huge pages in turn.
            let least = placement.pages() / expected - if expected > 1 { 1024 } else { 16 };
            assert!(placement.on(last) >= least, "{policy:?}: {placement}");
        }
    }
    assert_eq!(MemoryPolicy::current().unwrap(), MemoryPolicy::Local, "this thread has its own");
}

pub(crate) fn refusals() {
    let machine = Topology::detect();
    let count = machine.nodes().len();
    let error = NodeVec::builder(&machine).nodes([count]).from_fn(1, |i| i).unwrap_err();
    assert!(matches!(error, MemoryError::NoSuchNode { .. }), "{error}");
    let before = MemoryPolicy::current();
    let error = Mill::builder().workers(2).memory(MemoryPolicy::Bind(vec![1_000])).build().unwrap_err();
    println!("  {error}");
    assert!(error.to_string().starts_with("workers cannot take memory as they should: "), "{error}");
    assert_eq!(before.ok(), MemoryPolicy::current().ok());
}
