//! A simulation of thieves on machines that we do not have: who is robbed, how far away, and what that costs.
//!
//! Workers grind trees of jobs. A job splits in two until it is a leaf; the older half waits in the worker's line, where
//! thieves find it. Leaves take a random time, and more if their data is on another node. A thief's round takes as long as
//! the looks it has at others, near ones and far ones, and between fruitless rounds it pauses. All times are assumptions
//! ([`Costs`]); what is compared is only whom a thief asks ([`Policy`]).
//!
//! Left out: sleep and waking (a thief looks on for ever), what waits in a `join` (a leaf is never waited for), private
//! jobs (all that waits can be robbed), and that many who look at one line get in each other's way.

mod engine;
mod policy;

pub use engine::{Outcome, simulate};
pub use policy::Policy;

use std::io::{self, Write};

/// A machine, as [`gristmill::topology::Topology::synthetic`] describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// NUMA nodes.
    pub nodes: usize,
    /// Cores on each.
    pub cores: usize,
}

/// The machines of the report.
pub const SHAPES: [Shape; 2] = [Shape { nodes: 2, cores: 64 }, Shape { nodes: 8, cores: 32 }];

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// A tree on each node, over that node's data.
    Balanced,
    /// One tree over all data, which begins on the first node.
    OneSided,
}

/// Times, in nanoseconds, and a factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A look at a line on the thief's own node.
    pub look_near: u64,
    /// A look at one on another.
    pub look_far: u64,
    /// Taking a job from one's own node.
    pub take_near: u64,
    /// Taking one from another.
    pub take_far: u64,
    /// Between two fruitless rounds.
    pub pause: u64,
    /// Splitting a job.
    pub split: u64,
    /// A leaf, on average; they are spread exponentially.
    pub leaf: u64,
    /// How much longer a leaf takes whose data is on another node.
    pub far_data: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            look_near: 20,
            look_far: 100,
            take_near: 150,
            take_far: 600,
            pause: 100,
            split: 10,
            leaf: 20_000,
            far_data: 1.3,
        }
    }
}

/// Simulates all policies on all machines under all loads, and prints a table.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn report(seed: u64, leaves_for_each_core: usize, out: &mut dyn Write) -> io::Result<()> {
    let costs = Costs::default();
    writeln!(out, "seed {seed}, {leaves_for_each_core} leaves for each core, {costs:?}\n")?;
    writeln!(
        out,
        "{:<7} {:<9} {:<9} {:>7} {:>8} {:>9} {:>10} {:>7} {:>10} {:>9}",
        "machine", "load", "victims", "steals", "remote", "share", "per job", "idle", "time", "to random"
    )?;
    for shape in SHAPES {
        for load in [Load::Balanced, Load::OneSided] {
            let leaves = leaves_for_each_core * shape.nodes * shape.cores;
            let run = |policy| simulate(shape, load, policy, &costs, leaves, seed);
            let random = run(Policy::Random);
            for policy in Policy::ALL {
                let outcome = run(policy);
                writeln!(
                    out,
                    "{:<7} {:<9} {:<9} {:>7} {:>8} {:>8.1}% {:>10.5} {:>6.1}% {:>7.2} ms {:>9.3}",
                    format!("{}x{}", shape.nodes, shape.cores),
                    if load == Load::Balanced { "balanced" } else { "one-sided" },
                    policy.name(),
                    outcome.steals,
                    outcome.remote_steals,
                    100.0 * outcome.remote_share(),
                    outcome.remote_per_job(),
                    100.0 * outcome.idle_share(),
                    outcome.nanos as f64 / 1e6,
                    outcome.remote_per_job() / random.remote_per_job(),
                )?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
