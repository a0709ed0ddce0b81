//! The machine as text.

use std::fmt::Write;

use super::{View, size};

/// A line for each thing, indented below what it is in.
pub(super) fn of(view: &View) -> String {
    let machine = &view.machine;
    let mut text = String::new();
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let parts = [
        count(machine.packages().len(), "package"),
        count(machine.nodes().len(), "NUMA node"),
        count(machine.l3s().len(), "L3 group"),
        count(machine.cores().len(), "core"),
        count(machine.units().len(), "hardware thread"),
    ];
    let _ = writeln!(text, "{}; allowed: {}", parts.join(", "), view.allowed);
    let mut package = usize::MAX;
    for (n, node) in machine.nodes().iter().enumerate() {
        let memory = node.memory.map_or(String::new(), |bytes| format!(", {}", size(bytes)));
        let units = &machine.units()[node.units.clone()];
        if let Some(unit) = units.first().filter(|unit| unit.package != package) {
            package = unit.package;
            let id = machine.packages()[package].os_id.map_or(String::new(), |id| format!(" {id}"));
            let _ = writeln!(text, "package{id}");
        }
        let only = if units.is_empty() { ", no CPUs" } else { "" };
        let indent = if units.is_empty() { "" } else { "  " };
        let _ = writeln!(text, "{indent}node {}{memory}{only}", node.os_id);
        for l3 in machine.l3s().iter().filter(|l3| l3.node == n) {
            let _ = writeln!(text, "    L3 of CPUs {}", machine.cpus(l3.units.clone()));
            let mut units = machine.units()[l3.units.clone()].iter().peekable();
            while let Some(unit) = units.next() {
                let core = &machine.cores()[unit.core];
                let kind = core.class.map_or(String::new(), |class| format!(" (kind {class})"));
                let mut line = format!("      core{kind}: ");
                let mut member = Some(unit);
                while let Some(unit) = member {
                    let workers = view.workers_on(unit.os_id);
                    let open = if view.is_allowed(unit.os_id) { "" } else { " not allowed" };
                    let seated = if workers.is_empty() { String::new() } else { format!(" [{workers}]") };
                    let _ = write!(line, "CPU {}{open}{seated}", unit.os_id);
                    member = units.next_if(|next| next.core == unit.core);
                    line.push_str(if member.is_some() { ", " } else { "" });
                }
                let _ = writeln!(text, "{line}");
            }
        }
    }
    if machine.nodes().len() > 1 {
        let _ = writeln!(text, "distances");
        let width =
            machine.nodes().iter().map(|node| node.os_id.to_string().len()).max().unwrap_or(1).max(3) + 1;
        let heads: String = machine.nodes().iter().map(|node| format!("{:>width$}", node.os_id)).collect();
        let _ = writeln!(text, "  {:>width$}{heads}", "");
        for (from, node) in machine.nodes().iter().enumerate() {
            let row = (0..machine.nodes().len()).map(|to| format!("{:>width$}", machine.distance(from, to)));
            let _ = writeln!(text, "  {:>width$}{}", node.os_id, row.collect::<String>());
        }
    }
    if let Some(pool) = &view.pool {
        let plan = &pool.plan;
        let _ = writeln!(text, "pool {}: {} workers, {}", pool.name, plan.workers(), plan.why());
        if plan.places().is_empty() {
            let _ = writeln!(text, "  not pinned: they run wherever this process may");
        }
        for (worker, place) in plan.places().iter().enumerate() {
            let _ = writeln!(text, "  w{worker}: CPU {}", place.cpus());
        }
    }
    text
}
