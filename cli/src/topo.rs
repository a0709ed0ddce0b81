//! `gristmill topo`.

mod json;
mod picture;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gristmill::locality::Plan;
use gristmill::topology::{CpuSet, Topology, cpu_quota};

use crate::pools::{Source, refused, say};

/// Show the machine: packages, NUMA nodes, caches, cores, hardware threads, and where the workers of a pool sit.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Another machine, such as "pack:2 numa:2 l3:2 core:4 pu:2"
    #[arg(long, value_name = "DESCRIPTION", conflicts_with = "sysfs")]
    synthetic: Option<String>,
    /// Another machine: a folder that holds a copy of its sys/devices
    #[arg(long, value_name = "FOLDER")]
    sysfs: Option<PathBuf>,
    /// Only these CPUs may be used, as in 0-3,8 [default: this process's affinity mask]
    #[arg(long, value_name = "CPUS")]
    mask: Option<String>,
    /// Show where the workers of this pool sit
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Write a picture to this file instead
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON instead
    #[arg(long, conflicts_with = "svg")]
    json: bool,
}

/// All that is shown.
struct View {
    /// The whole machine.
    machine: Topology,
    /// The CPUs that may be used.
    allowed: CpuSet,
    pool: Option<Seats>,
}

/// A pool's workers in their places.
struct Seats {
    name: String,
    plan: Plan,
    /// The workers that may run on a CPU, by its number.
    on: BTreeMap<usize, Vec<usize>>,
}

impl View {
    fn is_allowed(&self, cpu: usize) -> bool {
        self.allowed.contains(cpu)
    }

    /// The workers on a CPU in few words; empty for none.
    fn workers_on(&self, cpu: usize) -> String {
        let Some(workers) = self.pool.as_ref().and_then(|pool| pool.on.get(&cpu)) else {
            return String::new();
        };
        let set: CpuSet = workers.iter().copied().collect();
        format!("w{set}")
    }
}

/// Shows the machine, and says how it went.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match view(arguments).and_then(|view| show(arguments, &view)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(error),
    }
}

fn view(arguments: &Arguments) -> Result<View, String> {
    let here = arguments.synthetic.is_none() && arguments.sysfs.is_none();
    let machine = match (&arguments.synthetic, &arguments.sysfs) {
        (Some(description), _) => {
            Topology::synthetic(description).map_err(|error| format!("--synthetic: {error}"))?
        }
        (None, Some(folder)) => Topology::from_sysfs(folder).map_err(|error| {
            format!("--sysfs {}: no machine in its sys/devices/system/cpu: {error}", folder.display())
        })?,
        (None, None) => Topology::from_sysfs("/".as_ref()).unwrap_or_else(|_| Topology::detect()),
    };
    let mut allowed = if here { Topology::detect().allowed() } else { machine.allowed() };
    if let Some(mask) = &arguments.mask {
        let mask: CpuSet = mask.parse().map_err(|error| format!("--mask {mask}: {error}"))?;
        let left = allowed.intersection(&mask);
        if left.is_empty() {
            return Err(format!(
                "--mask {mask}: none of these CPUs may be used; those that may are {allowed}"
            ));
        }
        allowed = left;
    }
    let pool = match &arguments.pool {
        None => None,
        Some(name) => {
            let pool = arguments.source.config()?.pool(name).map_err(|error| error.to_string())?;
            let quota = if here { cpu_quota("/".as_ref()) } else { None };
            let plan = Plan::new(&pool, &machine.restrict(&allowed), quota.as_ref());
            let plan = plan.map_err(|error| error.to_string())?;
            let mut on: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (worker, place) in plan.places().iter().enumerate() {
                place.cpus().iter().for_each(|cpu| on.entry(cpu).or_default().push(worker));
            }
            Some(Seats { name: name.clone(), plan, on })
        }
    };
    Ok(View { machine, allowed, pool })
}

fn show(arguments: &Arguments, view: &View) -> Result<(), String> {
    match &arguments.svg {
        Some(path) => {
            let written = fs::write(path, picture::draw(view));
            written.map_err(|error| format!("--svg {}: cannot be written: {error}", path.display()))?;
            say(format!("{}\n", path.display()));
        }
        None if arguments.json => say(json::of(view) + "\n"),
        None => say(tree::of(view)),
    }
    Ok(())
}

/// A size in bytes, in the largest unit that leaves a number of three digits or so.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "no memory".to_owned(),
        bytes if bytes < 1 << 30 => format!("{:.0} MiB", bytes as f64 / (1 << 20) as f64),
        bytes => format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64),
    }
}
