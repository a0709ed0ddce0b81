//! The machine as JSON.

use gristmill::topology::Topology;
use serde_json::{Value, json};

use super::View;

/// One object; indices in it are places in its lists.
pub(super) fn of(view: &View) -> String {
    let machine = &view.machine;
    let nodes: Vec<Value> = machine
        .nodes()
        .iter()
        .enumerate()
        .map(|(n, node)| {
            let distances: Vec<u32> = (0..machine.nodes().len()).map(|to| machine.distance(n, to)).collect();
            json!({
                "os_id": node.os_id, "memory": node.memory, "distances": distances,
                "cpus": machine.cpus(node.units.clone()).to_string(),
            })
        })
        .collect();
    let packages: Vec<Value> = machine
        .packages()
        .iter()
        .map(|package| json!({"os_id": package.os_id, "cpus": package.cpus.to_string()}))
        .collect();
    let l3s: Vec<Value> = machine
        .l3s()
        .iter()
        .map(|l3| json!({"node": l3.node, "package": l3.package, "cpus": machine.cpus(l3.units.clone()).to_string()}))
        .collect();
    let value = json!({
        "source": format!("{:?}", machine.source()).to_lowercase(),
        "allowed": view.allowed.to_string(),
        "packages": packages, "nodes": nodes, "l3s": l3s, "cores": cores(machine), "units": units(view),
        "pool": view.pool.as_ref().map(|pool| json!({
            "name": pool.name, "workers": pool.plan.workers(), "why": pool.plan.why(),
            "cpus": pool.plan.cpus().to_string(),
            "places": pool.plan.places().iter().map(|place| place.cpus().to_string()).collect::<Vec<_>>(),
        })),
    });
    format!("{value:#}")
}

fn cores(machine: &Topology) -> Vec<Value> {
    let core = |core: &gristmill::topology::Core| {
        json!({
            "l3": core.l3, "node": core.node, "package": core.package, "die": core.die, "class": core.class,
            "cpus": machine.cpus(core.units.clone()).to_string(),
        })
    };
    machine.cores().iter().map(core).collect()
}

fn units(view: &View) -> Vec<Value> {
    let unit = |unit: &gristmill::topology::Unit| {
        json!({
            "os_id": unit.os_id, "core": unit.core, "l3": unit.l3, "node": unit.node, "package": unit.package,
            "capacity": unit.capacity, "allowed": view.is_allowed(unit.os_id),
        })
    };
    view.machine.units().iter().map(unit).collect()
}
