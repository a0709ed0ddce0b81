//! Mills as a configuration describes them.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::{ConfigError, PoolConfig};
use crate::locality::{Place, Plan, PlanError};
use crate::mill::builder::MillBuilder;
use crate::mill::error::BuildError;
use crate::mill::hall::Hall;
use crate::mill::pool::Mill;
use crate::sync::help;
use crate::topology::{self, CpuSet, Quota, Topology};

/// How often a mill that follows looks.
const EVERY: Duration = Duration::from_secs(1);

/// Why a mill could not be built from a configuration.
///
/// # Examples
///
/// ```
/// use gristmill::{Config, PoolError};
///
/// let config = Config::builder().text("[pool.a]\nnodes = [1000]").load()?;
/// match config.pool("a")?.build() {
///     Err(PoolError::Plan(error)) => assert!(error.to_string().contains("has no NUMA node 1000")),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The configuration itself is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It asks for what this machine cannot give.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The threads could not be started, or not moved to their places.
    #[error("pool `{pool}`: {source}")]
    #[non_exhaustive]
    Build {
        /// The pool.
        pool: String,
        /// What went wrong.
        source: BuildError,
    },
}

impl PoolConfig {
    /// Starts a mill as described, on the machine as it is now.
    ///
    /// # Errors
    ///
    /// [`PoolError::Plan`] if it asks for what is not there, or for what another pool has to itself;
    /// [`PoolError::Build`] if threads cannot be started, or not be moved to their places. Nothing is left behind.
    ///
    /// # Examples
    ///
    /// ```
    /// let config = gristmill::Config::builder().text("[pool.a]\nworkers = 2\nspin = 20").load()?;
    /// let mill = config.pool("a")?.build()?;
    /// assert_eq!((mill.workers(), mill.name()), (2, "a"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn build(&self) -> Result<Mill, PoolError> {
        let (builder, seen) = self.planned()?;
        let failed = |source| PoolError::Build { pool: self.name().to_owned(), source };
        let mill = builder.build().map_err(failed)?;
        if self.follow() {
            follow(self.clone(), &mill, seen).map_err(|source| {
                failed(BuildError::Thread { number: mill.workers(), wanted: mill.workers() + 1, source })
            })?;
        }
        Ok(mill)
    }

    /// Settings for a mill as described, to add to: handlers, say. Such a mill does not
    /// [follow](crate::config::PoolConfig::follow).
    ///
    /// # Errors
    ///
    /// [`PoolError::Plan`], as for [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// let config = gristmill::Config::builder().text("[pool.a]\nworkers = 2").load()?;
    /// let mill = config.pool("a")?.builder()?.exit_handler(|number| println!("{number} ends")).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(&self) -> Result<MillBuilder, PoolError> {
        Ok(self.planned()?.0)
    }

    fn planned(&self) -> Result<(MillBuilder, Seen), PoolError> {
        let (machine, quota) = (Topology::detect(), topology::cpu_quota(Path::new("/")));
        let plan = Plan::new(self, &machine, quota.as_ref())?;
        let (places, workers) = (plan.places().to_vec(), plan.workers());
        let seen = Seen { allowed: machine.allowed(), quota, places, workers, again: false };
        let mut builder = Mill::builder()
            .memory(plan.memory().clone())
            .huge_pages(self.huge_pages())
            .name(self.thread_name())
            .workers(plan.workers())
            .topology(machine)
            .places(plan.places().iter().cloned())
            .max_spares(self.max_spares())
            .waiting(self.waiting())
            .pin_failure(self.pin_failure());
        if let Some(bytes) = self.stack_size() {
            builder = builder.stack_size(bytes);
        }
        if let Some(time) = self.spin() {
            builder = builder.spin(time);
        }
        Ok((builder, seen))
    }
}

/// What the last plan was made for, and what it said.
struct Seen {
    allowed: CpuSet,
    quota: Option<Quota>,
    places: Vec<Place>,
    workers: usize,
    /// Something has changed just now: another look is due.
    again: bool,
}

/// Where a follower sleeps, and how it is told that its mill ends.
#[derive(Default)]
struct Bell {
    over: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rung.notify_all();
    }

    /// Sleeps; true when the mill ends.
    fn rest(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, _) =
            self.rung.wait_timeout_while(over, time, |over| !*over).unwrap_or_else(PoisonError::into_inner);
        *over
    }
}

/// Starts the thread that looks whether mask or quota has changed. It may run wherever the thread that built the mill may,
/// and ends with the mill.
fn follow(pool: PoolConfig, mill: &Mill, mut seen: Seen) -> io::Result<()> {
    let bell = Arc::new(Bell::default());
    let hall = Arc::downgrade(mill.hall());
    let name: String = pool.thread_name().chars().take(6).collect();
    let rope = Arc::clone(&bell);
    let run = move || {
        while !bell.rest(EVERY) {
            let Some(hall) = hall.upgrade().filter(|hall| !hall.is_closing()) else { break };
            step(&pool, &hall, &mut seen, Topology::detect(), topology::cpu_quota(Path::new("/")));
        }
    };
    let watcher = std::thread::Builder::new().name(format!("gm-{name}-watch")).spawn(run)?;
    let watcher = Mutex::new(Some(watcher));
    let end = move || {
        rope.ring();
        // It waits for nobody, so this is short, also for another who ends the mill now. Its panics have been printed.
        help::asleep(|| {
            let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
            watcher.take().map(JoinHandle::join)
        });
    };
    let first = mill.hall().on_end.set(Box::new(end)).is_ok();
    debug_assert!(first, "a mill is followed once");
    Ok(())
}

/// Adapts the mill if something has changed. What cannot be had is said, and leaves the mill as it was.
fn step(pool: &PoolConfig, hall: &Arc<Hall>, seen: &mut Seen, machine: Topology, quota: Option<Quota>) {
    let changed = machine.allowed() != seen.allowed || quota != seen.quota;
    if !(changed || seen.again) || hall.is_closing() {
        return;
    }
    // Who narrows or widens a process's mask does so thread by thread, and undoes all pins; also the kernel, which may come to
    // some threads after us. So they are pinned once more in the next round.
    let unpinned = hall.has_moved() || !seen.places.is_empty();
    seen.again = changed;
    // Remembered whatever comes of it, so that it is said once.
    (seen.allowed, seen.quota) = (machine.allowed(), quota);
    hall.set_cpus(seen.allowed.len());
    let plan = match Plan::new(pool, &machine, seen.quota.as_ref()) {
        Ok(plan) => plan,
        Err(error) => {
            let _ = writeln!(io::stderr(), "gristmill: {error}; the mill stays as it was");
            seen.again = false;
            return;
        }
    };
    if plan.places() != seen.places || unpinned {
        seen.places = plan.places().to_vec();
        // Who may roam again needs a mask all the same: that of the process.
        let places = match plan.places() {
            [] => vec![Place::new(&machine, machine.allowed())],
            places => places.to_vec(),
        };
        hall.move_to(&machine, places);
    }
    // Somebody may have resized the mill by hand: that stands until the plan has another number.
    if plan.workers() != seen.workers {
        seen.workers = plan.workers();
        if let Err(error) = hall.resize(plan.workers()) {
            let _ = writeln!(io::stderr(), "gristmill: pool `{}`: {error}", pool.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::locality::MemoryPolicy;

    fn masks(mill: &Mill) -> Vec<String> {
        mill.broadcast(|_| {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            line.unwrap().trim().to_owned()
        })
    }

    fn pool(text: &str) -> PoolConfig {
        let config =
            Config::builder().text(format!("[pool.a]\n{text}")).variables([("", ""); 0]).load().unwrap();
        config.pool("a").unwrap()
    }

    fn quota(cpus: f64) -> Option<Quota> {
        Some(Quota::new(cpus, "/sys/fs/cgroup/cpu.max"))
    }

    #[test]
    fn a_mill_sits_where_the_configuration_says() {
        let machine = Topology::detect();
        let mill = pool("pin = \"thread\"\nworkers = 2").build().unwrap();
        let plan = Plan::detect(&pool("pin = \"thread\"\nworkers = 2")).unwrap().0;
        let expected: Vec<String> = plan.places().iter().map(|place| place.cpus().to_string()).collect();
        assert_eq!(masks(&mill), expected);
        let free = pool("workers = 2").build().unwrap();
        assert_eq!(masks(&free), [machine.allowed().to_string(), machine.allowed().to_string()]);
    }

    #[test]
    fn settings_reach_the_mill() {
        let mill = pool("workers = 1\nname = \"rye\"\nstack_size = \"256 KiB\"\nspin = 0\nmax_spares = 3")
            .build()
            .unwrap();
        let settings = &mill.hall().settings;
        assert_eq!((mill.name(), settings.stack_size, settings.max_spares), ("rye", Some(256 << 10), 3));
        assert_eq!((settings.patience, settings.caller_runs), (Some(0), false));
        assert_eq!(mill.install(|| crate::mill::join::join(|| 1, || 2)), (1, 2));
    }

    /// What the kernel has noted about the mapping at this address; none where it does not say.
    fn flags_of(address: usize) -> Option<Vec<String>> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let mut here = false;
        for line in maps.lines() {
            if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| here) {
                return Some(flags.split_whitespace().map(str::to_owned).collect());
            }
            let bounds = line.split_whitespace().next().and_then(|first| first.split_once('-'));
            let hex = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((Some(start), Some(end))) = bounds.map(|(start, end)| (hex(start), hex(end))) {
                here = (start..end).contains(&address);
            }
        }
        None
    }

    #[test]
    fn huge_pages_are_asked_for_if_the_pool_says_so() {
        if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return eprintln!("skipped: this kernel has no huge pages to ask for");
        }
        for (text, asked) in [("huge_pages = true", true), ("huge_pages = false", false), ("", false)] {
            let mill = pool(text).build().unwrap();
            let table = mill.node_vec(3 << 20, |i| i as u8).unwrap();
            let Some(flags) = flags_of(table.as_ptr() as usize) else {
                return eprintln!("skipped: /proc/self/smaps has no flags");
            };
            assert_eq!(flags.iter().any(|flag| flag == "hg"), asked, "{text}: {flags:?}");
            assert!(table.iter().copied().eq((0..3 << 20).map(|i| i as u8)));
        }
    }

    #[test]
    fn workers_take_memory_from_where_the_pool_says() {
        for (text, policy) in [
            ("memory = \"bind\"", MemoryPolicy::Bind as fn(Vec<usize>) -> MemoryPolicy),
            ("memory = \"interleave\"", MemoryPolicy::Interleave),
        ] {
            match pool(text).build() {
                Ok(mill) => {
                    let machine = Topology::detect();
                    let nodes = machine.nodes().iter().filter(|node| node.memory != Some(0));
                    let expected = policy(nodes.map(|node| node.os_id).collect());
                    assert_eq!(mill.install(|| MemoryPolicy::current().unwrap()), expected);
                }
                // Where a filter denies it.
                Err(error) => {
                    assert!(error.to_string().contains("set_mempolicy is not to be had here"), "{error}")
                }
            }
        }
    }

    #[test]
    fn a_mill_follows_the_quota_and_the_mask() {
        let pool = pool("pin = \"thread\"\nworkers = \"threads\"");
        let machine = Topology::detect();
        let (builder, mut seen) = pool.planned().unwrap();
        (seen.quota, seen.workers) = (None, machine.units().len());
        let mill = builder.workers(seen.workers).build().unwrap();
        let hall = Arc::clone(mill.hall());
        step(&pool, &hall, &mut seen, machine.clone(), None);
        assert_eq!(mill.workers(), machine.units().len());
        step(&pool, &hall, &mut seen, machine.clone(), quota(0.5));
        assert_eq!(mill.workers(), 1);
        step(&pool, &hall, &mut seen, machine.clone(), None);
        assert_eq!(mill.workers(), machine.units().len());
        // The mask shrinks to its last CPU, so that everybody must move there.
        let last = machine.units().last().unwrap().os_id;
        let small = machine.restrict(&CpuSet::from_iter([last]));
        step(&pool, &hall, &mut seen, small, None);
        assert_eq!((mill.workers(), masks(&mill)), (1, vec![last.to_string()]));
        // Nothing is left: that is said, and the mill stays as it was.
        step(&pool, &hall, &mut seen, machine.restrict(&CpuSet::new()), None);
        assert_eq!(mill.workers(), 1);
        step(&pool, &hall, &mut seen, machine.clone(), None);
        assert_eq!(mill.install(|| 5), 5);
        assert_eq!(mill.workers(), machine.units().len());
    }

    /// Nobody is pinned: the CPUs are a made-up machine's, and only the order is looked at.
    #[test]
    fn whom_to_rob_first_is_asked_anew_when_workers_move() {
        use crate::locality::{Tier, places};

        let machine = Topology::synthetic("node:2 core:4").unwrap();
        let mill = Mill::builder().workers(4).topology(machine.clone()).caller_runs(false).build().unwrap();
        let hall = mill.hall();
        let tiers = || {
            let tier = |other| hall.roster.read(|crowd| crowd.order.tier(0, other));
            [1, 2, 3].map(tier)
        };
        let nodes =
            || hall.roster.read(|crowd| crowd.seats.iter().map(|seat| seat.node()).collect::<Vec<_>>());
        assert_eq!((tiers(), nodes()), ([Tier::Remote, Tier::L3, Tier::Remote], vec![0, 1, 0, 1]));
        // Node 0 is taken away, then all but one CPU of node 1 and one of node 0.
        let half = machine.restrict(&CpuSet::from_iter(4..8));
        hall.roster.rearrange(&half, &places(&half, 4));
        assert_eq!((tiers(), nodes()), ([Tier::L3; 3], vec![1; 4]));
        assert_eq!(hall.roster.read(|crowd| crowd.on_node.clone()), [vec![], vec![0, 1, 2, 3]]);
        let two = machine.restrict(&CpuSet::from_iter([0, 7]));
        hall.roster.rearrange(&two, &places(&two, 4));
        assert_eq!((tiers(), nodes()), ([Tier::Remote, Tier::Smt, Tier::Remote], vec![0, 1, 0, 1]));
        // Work for either node is found wherever its workers sit now.
        let (send, receive) = std::sync::mpsc::channel();
        for node in [0, 1, 0, 1] {
            let send = send.clone();
            mill.spawn_on(node, move || send.send(node).unwrap()).unwrap();
        }
        let mut came: Vec<usize> = receive.iter().take(4).collect();
        came.sort_unstable();
        assert_eq!(came, [0, 0, 1, 1]);
        // And whoever is started from now on sits among them.
        mill.resize(6).unwrap();
        assert_eq!(mill.broadcast(|worker| worker).len(), 6);
    }

    #[test]
    fn a_mill_whose_mask_was_widened_is_pinned_again() {
        let pool = pool("pin = \"thread\"\nworkers = 1");
        let machine = Topology::detect();
        let (builder, mut seen) = pool.planned().unwrap();
        let mill = builder.build().unwrap();
        let pinned = masks(&mill);
        let all: Vec<usize> = machine.allowed().iter().collect();
        mill.broadcast(|_| crate::sys::affinity::set_allowed(&all).unwrap());
        // As if the mask had been another one before; the places are the same.
        seen.allowed = CpuSet::new();
        step(&pool, mill.hall(), &mut seen, machine, None);
        assert_eq!(masks(&mill), pinned);
    }

    #[test]
    fn a_mill_that_moves_to_nodes_it_does_not_know_grows() {
        let (one, two) =
            (Topology::synthetic("core:4").unwrap(), Topology::synthetic("node:2 core:1").unwrap());
        let mill = Mill::builder().topology(one).workers(1).build().unwrap();
        let places = crate::locality::places(&two, 2);
        assert_eq!(places[1].node(), 1);
        mill.hall().move_to(&two, places);
        mill.resize(3).unwrap();
        assert_eq!(mill.broadcast(|worker| worker).len(), 3);
    }

    #[test]
    fn a_number_of_workers_that_was_set_by_hand_stands() {
        let pool = pool("workers = 1");
        let (builder, mut seen) = pool.planned().unwrap();
        let mill = builder.build().unwrap();
        mill.resize(3).unwrap();
        step(&pool, mill.hall(), &mut seen, Topology::detect(), quota(1.25));
        assert_eq!((mill.workers(), seen.quota), (3, quota(1.25)));
    }

    #[test]
    fn a_follower_ends_with_its_mill() {
        for _ in 0..20 {
            let mill = pool("workers = 1\nfollow = true\nname = \"tail\"").build().unwrap();
            assert_eq!(mill.install(|| 7), 7);
            drop(mill);
        }
        let mill = pool("workers = 1\nfollow = true").build().unwrap();
        let inside = mill.clone();
        mill.install(move || inside.shutdown());
        mill.shutdown();
    }
}
