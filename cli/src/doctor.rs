//! `gristmill doctor`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use gristmill::Config;
use gristmill::locality::Plan;
use gristmill::topology::{Topology, cpu_quotas, default_threads};

use crate::pools::{Source, count, refused, say};

/// Explain how many threads are chosen and why, and look at what else matters on this machine.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Show every value of every pool and where it comes from
    #[arg(long)]
    explain: bool,
}

/// Looks around, and says how it went.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    threads();
    environment();
    let code = match arguments.source.config() {
        Ok(config) => pools(&config, arguments.explain),
        Err(error) => refused(error),
    };
    system();
    code
}

fn line(what: &str, says: impl AsRef<str>) {
    say(format!("{what:<22}{}\n", says.as_ref()));
}

fn threads() {
    let machine = Topology::detect();
    say("Threads\n");
    if let Ok(whole) = Topology::from_sysfs(Path::new("/")) {
        line("  online", format!("CPU {} ({} of them)", whole.allowed(), whole.units().len()));
    }
    line("  affinity mask", format!("CPU {} ({} of them)", machine.allowed(), machine.units().len()));
    let siblings = machine.units().len() - machine.cores().len();
    line("  cores", format!("{}, {siblings} of the hardware threads are second ones", machine.cores().len()));
    line(
        "  memory",
        format!("{}, {}", count(machine.nodes().len(), "NUMA node"), count(machine.l3s().len(), "L3 group")),
    );
    let quotas = cpu_quotas(Path::new("/"));
    for quota in &quotas {
        line("  CPU quota", format!("{:.2} CPUs by {}", quota.cpus, quota.file.display()));
    }
    if quotas.is_empty() {
        line("  CPU quota", "none in this cgroup or in an ancestor that can be seen");
    }
    for membership in read("/proc/self/cgroup").lines() {
        let named = membership.split(':').nth(1).unwrap_or_default();
        if named.is_empty() || named.split(',').any(|controller| matches!(controller, "cpu" | "cpuset")) {
            line("  cgroup", membership);
        }
    }
    line("  threads to start", default_threads().to_string());
}

fn environment() {
    say("Environment\n");
    let prefixes = ["GRISTMILL_", "OMP_", "RAYON_", "SLURM_CPU", "GOMP_", "KMP_"];
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    found.sort();
    if found.is_empty() {
        line("  variables", "none of GRISTMILL_*, OMP_*, RAYON_*, SLURM_CPU*");
    }
    for (name, value) in found {
        say(format!("  {name}={value}\n"));
    }
}

fn pools(config: &Config, explain: bool) -> ExitCode {
    say("Pools\n");
    let file = config.file().map_or("none".to_owned(), |path| path.display().to_string());
    line("  file", file);
    config.notes().iter().for_each(|note| line("  note", note));
    let mut code = ExitCode::SUCCESS;
    for pool in config.pools() {
        say(format!("  {}\n", pool.name()));
        match Plan::detect(&pool) {
            Ok((plan, _)) => {
                line("    workers", format!("{}: {}", plan.workers(), plan.why()));
                let pinned = if plan.places().is_empty() { ", not pinned" } else { "" };
                line("    on", format!("CPU {}{pinned}", plan.cpus()));
                for (worker, place) in plan.places().iter().enumerate().filter(|_| explain) {
                    line(&format!("    w{worker}"), format!("CPU {}", place.cpus()));
                }
            }
            Err(error) => code = refused(error.to_string()),
        }
        for setting in pool.settings().filter(|_| explain) {
            line(&format!("    {}", setting.key), format!("{} ({})", setting.value, setting.origin));
        }
    }
    code
}

fn system() {
    say("System\n");
    let release = read("/proc/sys/kernel/osrelease");
    line("  kernel", &release);
    for (what, since) in
        [("futex_waitv", (5, 16)), ("futex2 wait and wake", (6, 7)), ("futexes by NUMA node", (6, 16))]
    {
        let has = version(&release).map_or("unknown", |version| if version >= since { "yes" } else { "no" });
        line("  futex", format!("{what}: {has}, by the kernel's version ({}.{})", since.0, since.1));
    }
    let balancing = match read("/proc/sys/kernel/numa_balancing").as_str() {
        "0" => "off: pages stay where they were first touched".to_owned(),
        "" => "not there".to_owned(),
        mode => format!(
            "on ({mode}): the kernel moves pages after threads; pinned pools may be better off without"
        ),
    };
    line("  NUMA balancing", balancing);
    let huge = "/sys/kernel/mm/transparent_hugepage";
    line(
        "  huge pages",
        format!(
            "{}; shared memory: {}",
            chosen(&read(&format!("{huge}/enabled"))),
            chosen(&read(&format!("{huge}/shmem_enabled")))
        ),
    );
    for (what, name) in [
        ("  locked memory", "Max locked memory"),
        ("  processes", "Max processes"),
        ("  open files", "Max open files"),
    ] {
        let limits = read("/proc/self/limits");
        let limit = limits.lines().find_map(|line| line.strip_prefix(name));
        let limit = limit.and_then(|rest| rest.split_whitespace().next()).unwrap_or("unknown").to_owned();
        line(what, format!("at most {limit}"));
    }
    let mounts = read("/proc/self/mounts");
    let shm = mounts.lines().find(|mount| mount.split(' ').nth(1) == Some("/dev/shm"));
    let shm = match shm.and_then(|mount| mount.split(' ').nth(3)) {
        None => "not mounted".to_owned(),
        Some(options) => match options.split(',').find_map(|option| option.strip_prefix("size=")) {
            Some(size) => format!("{size} at most"),
            None => "half of the memory at most".to_owned(),
        },
    };
    line("  /dev/shm", shm);
}

/// What a file says, without the line end; empty if it cannot be read.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim_end().to_owned()
}

/// The word in brackets, with which the kernel marks what holds.
fn chosen(words: &str) -> &str {
    let marked = words.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    marked.map_or(if words.is_empty() { "unknown" } else { words }, |(word, _)| word)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!((chosen(""), chosen("odd")), ("unknown", "odd"));
        assert_eq!(version("6.18.0-rc1+deb"), Some((6, 18)));
        assert_eq!(version("unknown"), None);
    }
}
