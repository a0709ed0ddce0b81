//! From a pool's description and a machine to the number of its workers and a place for each.
//!
//! All pools of a configuration are planned together, so that each finds the same places whichever of them is built,
//! and in whichever process. What they are given goes in three turns: first those whose places are written out, then
//! those that have a fixed number of workers, then the others, which divide what is left evenly. A pool that is not pinned,
//! or says `share`, takes nothing away from others.

use std::fmt;
use std::path::Path;

use crate::config::{Bind, Memory, Pin, PlaceKind, PlaceList, PoolConfig, Workers};
use crate::locality::order::{Place, filling};
use crate::locality::policy::MemoryPolicy;
use crate::topology::{self, CpuSet, Quota, Topology};

/// How many workers a pool has on a machine, why, and where each sits.
///
/// # Examples
///
/// ```
/// use gristmill::{config::Config, locality::Plan, topology::Topology};
///
/// let machine = Topology::synthetic("node:2 core:4 pu:2")?;
/// let config = Config::builder().text("[pool.a]\nworkers = \"cores\"\npin = \"core\"\nnodes = [1]").load()?;
/// let plan = Plan::new(&config.pool("a")?, &machine, None)?;
/// assert_eq!((plan.workers(), plan.cpus().to_string().as_str()), (4, "8-15"));
/// assert_eq!(plan.places()[1].cpus().to_string(), "10-11");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    workers: usize,
    why: String,
    cpus: CpuSet,
    places: Vec<Place>,
    memory: MemoryPolicy,
}

/// Why a pool has no plan on a machine. Each names the pool, what is wrong and what would be right.
///
/// # Examples
///
/// ```
/// use gristmill::{config::Config, locality::{Plan, PlanError}, topology::Topology};
///
/// let machine = Topology::synthetic("node:2 core:4")?;
/// let config = Config::builder().text("[pool.a]\nnodes = [2]").load()?;
/// let error = Plan::new(&config.pool("a")?, &machine, None).unwrap_err();
/// assert!(matches!(error, PlanError::NoNode { node: 2, .. }));
/// assert_eq!(error.to_string(), "pool `a`: the machine has no NUMA node 2; it has 0-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A node that the machine does not have.
    #[error("pool `{pool}`: the machine has no NUMA node {node}; it has {there}")]
    #[non_exhaustive]
    NoNode {
        /// The pool.
        pool: String,
        /// The node, by the kernel's number.
        node: usize,
        /// Those that there are, as a list.
        there: CpuSet,
    },
    /// A CPU that is not there, or that this process may not use.
    #[error(
        "pool `{pool}`: CPU {cpu} is not in the allowed set {allowed} (affinity mask of this process; see `gristmill doctor`)"
    )]
    #[non_exhaustive]
    NotAllowed {
        /// The pool.
        pool: String,
        /// The CPU.
        cpu: usize,
        /// Those that may be used.
        allowed: CpuSet,
    },
    /// Nothing is left for it to run on.
    #[error("pool `{pool}`: no CPU is left of the allowed set {allowed}: {why}")]
    #[non_exhaustive]
    Nothing {
        /// The pool.
        pool: String,
        /// Those that may be used.
        allowed: CpuSet,
        /// What took the last one away.
        why: String,
    },
    /// Two pools name the same CPU.
    #[error(
        "pools `{first}` and `{second}` both want CPU {cpu} to themselves: give them other `places`, or both `share = true`"
    )]
    #[non_exhaustive]
    Contested {
        /// The pool that comes first.
        first: String,
        /// The other one.
        second: String,
        /// A CPU that both name.
        cpu: usize,
    },
    /// Other pools have taken the places that this one needs.
    #[error(
        "pool `{pool}` wants {wanted} places to itself and {left} are left beside {others}: lower `workers`, or set `share = true`"
    )]
    #[non_exhaustive]
    Taken {
        /// The pool.
        pool: String,
        /// How many places it wants.
        wanted: usize,
        /// How many it can have.
        left: usize,
        /// Who has the others.
        others: String,
    },
    /// Memory is to be bound to a node that has none.
    #[error("pool `{pool}`: NUMA node {node} has no memory to bind to; name others in `memory_nodes`")]
    #[non_exhaustive]
    NoMemory {
        /// The pool.
        pool: String,
        /// The node, by the kernel's number.
        node: usize,
    },
}

impl Plan {
    /// The plan for a pool on the machine that this process may use now, under its CPU quota.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn detect(pool: &PoolConfig) -> Result<(Self, Topology), PlanError> {
        let machine = Topology::detect();
        let plan = Self::new(pool, &machine, topology::cpu_quota(Path::new("/")).as_ref())?;
        Ok((plan, machine))
    }

    /// The plan for a pool on some machine, whose units are those that may be used.
    ///
    /// # Errors
    ///
    /// A [`PlanError`], for this pool or for another one of its configuration that comes before it.
    pub fn new(pool: &PoolConfig, machine: &Topology, quota: Option<&Quota>) -> Result<Self, PlanError> {
        let wishes: Vec<Wish> =
            pool.all().map(|pool| Wish::new(pool, machine)).collect::<Result<_, PlanError>>()?;
        let mut given = share_out(&wishes, machine)?;
        let at = pool.number();
        wishes[at].plan(given.swap_remove(at), machine, quota)
    }

    /// How many workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// What that number comes from, in a line.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// All CPUs that its workers may run on.
    #[must_use]
    pub fn cpus(&self) -> &CpuSet {
        &self.cpus
    }

    /// A place for each worker; empty if they may run wherever this process may.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// From which nodes memory is to come.
    #[must_use]
    pub fn memory(&self) -> &MemoryPolicy {
        &self.memory
    }
}

/// Workers and places, a line for each.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers: {}", self.workers, self.why)?;
        for (worker, place) in self.places.iter().enumerate() {
            write!(f, "\nworker {worker}: CPU {}", place.cpus())?;
        }
        Ok(())
    }
}

/// Units by logical index.
type Units = Vec<usize>;

/// What a pool would have if it were alone.
struct Wish {
    pool: PoolConfig,
    /// Its places, in the order in which workers get them.
    places: Vec<Units>,
    /// They are written out.
    listed: bool,
    memory: MemoryPolicy,
}

impl Wish {
    fn new(pool: PoolConfig, machine: &Topology) -> Result<Self, PlanError> {
        let (name, allowed) = (|| pool.name().to_owned(), || machine.allowed());
        let logical = |os_id: usize| machine.nodes().iter().position(|node| node.os_id == os_id);
        let there = || machine.nodes().iter().map(|node| node.os_id).collect();
        let nothing = |why: String| PlanError::Nothing { pool: name(), allowed: allowed(), why };
        let known = |nodes: &[usize]| match nodes.iter().find(|&&node| logical(node).is_none()) {
            Some(&node) => Err(PlanError::NoNode { pool: name(), node, there: there() }),
            None => Ok(()),
        };
        known(pool.nodes())?;
        known(pool.memory_nodes())?;
        let memory = memory(&pool, machine)?;

        let units = machine.units();
        let on_nodes = |unit: &usize| {
            pool.nodes().is_empty() || pool.nodes().contains(&machine.nodes()[units[*unit].node].os_id)
        };
        let first = |unit: &usize| pool.smt() || machine.cores()[units[*unit].core].units.start == *unit;
        let usable = |unit: &usize| on_nodes(unit) && first(unit);
        let candidates: Units = (0..units.len()).filter(usable).collect();
        if candidates.is_empty() {
            let why = if units.is_empty() {
                "the machine has none".to_owned()
            } else {
                let nodes: CpuSet = pool.nodes().iter().copied().collect();
                format!("it may use those of NUMA nodes {nodes} only, by `nodes`")
            };
            return Err(nothing(why));
        }

        let kind = match (pool.places(), pool.pin()) {
            (Some(PlaceList::Listed(list)), _) => {
                let mut places = Vec::new();
                for place in list {
                    let absent = place.iter().find(|&&cpu| machine.unit(cpu).is_none());
                    if let Some(&cpu) = absent {
                        return Err(PlanError::NotAllowed { pool: name(), cpu, allowed: allowed() });
                    }
                    let mut members: Units = candidates.clone();
                    members.retain(|&unit| place.contains(&units[unit].os_id));
                    places.extend(Some(members).filter(|members| !members.is_empty()));
                }
                if places.is_empty() {
                    return Err(nothing(
                        "`places` names only CPUs that `nodes` or `smt` excludes".to_owned(),
                    ));
                }
                return Ok(Self { pool, places, listed: true, memory }.with_primary());
            }
            (Some(PlaceList::Named { kind, .. }), _) => *kind,
            (None, Pin::Node) => PlaceKind::Numa,
            (None, Pin::Thread) => PlaceKind::Threads,
            (None, _) => PlaceKind::Cores,
        };
        let group = |unit: usize| match kind {
            PlaceKind::Cores => units[unit].core,
            PlaceKind::LlCaches => units[unit].l3,
            PlaceKind::Numa => units[unit].node,
            PlaceKind::Sockets => units[unit].package,
            _ => unit,
        };
        let mut places: Vec<(usize, Units)> = Vec::new();
        for unit in candidates {
            match places.iter_mut().find(|(key, _)| *key == group(unit)) {
                Some((_, members)) => members.push(unit),
                None => places.push((group(unit), vec![unit])),
            }
        }
        let mut places: Vec<Units> = places.into_iter().map(|(_, members)| members).collect();
        if pool.bind() == Bind::Spread {
            let mut rank = vec![0; units.len()];
            filling(machine).into_iter().enumerate().for_each(|(at, unit)| rank[unit] = at);
            places.sort_by_key(|members| members.iter().map(|&unit| rank[unit]).min());
        }
        if let Some(PlaceList::Named { count: Some(count), .. }) = pool.places() {
            places.truncate(*count);
        }
        Ok(Self { pool, places, listed: false, memory }.with_primary())
    }

    /// All workers at one place need no other.
    fn with_primary(mut self) -> Self {
        if self.pool.bind() == Bind::Primary && self.pool.pin() != Pin::None {
            self.places.truncate(1);
        }
        self
    }

    /// It takes its places away from others.
    fn claims(&self) -> bool {
        self.pool.pin() != Pin::None && !self.pool.share()
    }

    /// How many places it wants to itself, if that does not depend on what there is.
    fn fixed(&self) -> Option<usize> {
        match (self.pool.bind(), self.pool.workers()) {
            (Bind::Primary, _) => Some(1),
            (_, Workers::Count(count)) => Some(count.min(self.places.len())),
            _ => None,
        }
    }

    fn plan(&self, places: Vec<Units>, machine: &Topology, quota: Option<&Quota>) -> Result<Plan, PlanError> {
        let units = machine.units();
        let mut all: Units = places.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        let mut cores: Units = all.iter().map(|&unit| units[unit].core).collect();
        cores.dedup();
        let (workers, why) = self.number(all.len(), cores.len(), quota);

        let cpus = |members: &[usize]| members.iter().map(|&unit| units[unit].os_id).collect::<CpuSet>();
        let whole = cpus(&all);
        let roams = self.pool.pin() == Pin::None && whole == machine.allowed();
        // How many workers sit at each place so far.
        let mut taken = vec![0; places.len()];
        let place_of = |worker: usize| match self.pool.bind() {
            Bind::Primary => 0,
            // As OpenMP has it: those of a list part it into runs, or share its places in runs.
            Bind::Close if workers <= places.len() => worker,
            Bind::Spread if self.listed || workers <= places.len() => {
                if self.listed {
                    worker * places.len() / workers
                } else {
                    worker
                }
            }
            Bind::Spread => worker % places.len(),
            _ => worker * places.len() / workers,
        };
        let seats = (0..if roams { 0 } else { workers }).map(|worker| {
            let at = place_of(worker);
            let members = &places[at];
            let turn = taken[at];
            taken[at] += 1;
            let mask = match self.pool.pin() {
                Pin::None => whole.clone(),
                Pin::Node => {
                    let node = units[members[0]].node;
                    all.iter()
                        .filter(|&&unit| units[unit].node == node)
                        .map(|&unit| units[unit].os_id)
                        .collect()
                }
                Pin::Core => {
                    let cores: Vec<&[usize]> =
                        members.chunk_by(|&a, &b| units[a].core == units[b].core).collect();
                    cpus(cores[turn % cores.len()])
                }
                Pin::Thread => {
                    // First threads of all cores before second ones.
                    let mut order = members.clone();
                    order.sort_by_key(|&unit| unit - machine.cores()[units[unit].core].units.start);
                    cpus(&[order[turn % order.len()]])
                }
                _ => cpus(members),
            };
            Place::new(machine, mask)
        });
        let seats: Vec<Place> = seats.collect();
        let cpus = match seats.is_empty() {
            true => whole,
            false => seats.iter().fold(CpuSet::new(), |all, place| all.union(place.cpus())),
        };
        Ok(Plan { workers, why, cpus, places: seats, memory: self.memory.clone() })
    }

    /// How many workers, and why.
    fn number(&self, units: usize, cores: usize, quota: Option<&Quota>) -> (usize, String) {
        let said = self.pool.settings().find(|setting| setting.key == "workers");
        let said = said.map_or_else(String::new, |said| format!("{}, by {}", said.value, said.origin));
        // Casts to integers saturate.
        let limited = |count: usize, what: &str, granted: fn(f64) -> f64| match quota {
            Some(quota) if (granted(quota.cpus) as usize).max(1) < count => (
                (granted(quota.cpus) as usize).max(1),
                format!("the CPU quota of {:.2} in {} ({said})", quota.cpus, quota.file.display()),
            ),
            _ => (count, format!("{what} ({said})")),
        };
        match self.pool.workers() {
            Workers::Count(count) => (count, format!("the configuration says so ({said})")),
            Workers::Cores => limited(cores, "one for each core it may use", f64::ceil),
            Workers::Quota => {
                limited(units, "one for each hardware thread it may use; no quota is below that", f64::floor)
            }
            _ => limited(units, "one for each hardware thread it may use", f64::ceil),
        }
    }
}

/// On which nodes memory is to lie, by the kernel's numbers.
fn memory(pool: &PoolConfig, machine: &Topology) -> Result<MemoryPolicy, PlanError> {
    let policy = match pool.memory() {
        Memory::Local => return Ok(MemoryPolicy::Local),
        Memory::Interleave => MemoryPolicy::Interleave,
        Memory::Bind => MemoryPolicy::Bind,
    };
    let named = match (pool.memory_nodes(), pool.nodes()) {
        ([], []) => {
            let with_memory = machine.nodes().iter().filter(|node| node.memory != Some(0));
            return Ok(policy(with_memory.map(|node| node.os_id).collect()));
        }
        ([], nodes) => nodes,
        (nodes, _) => nodes,
    };
    let empty = machine.nodes().iter().find(|node| named.contains(&node.os_id) && node.memory == Some(0));
    match empty {
        Some(node) => Err(PlanError::NoMemory { pool: pool.name().to_owned(), node: node.os_id }),
        None => Ok(policy(named.to_vec())),
    }
}

/// The places of each pool, in the order in which workers get them.
fn share_out(wishes: &[Wish], machine: &Topology) -> Result<Vec<Vec<Units>>, PlanError> {
    // By unit, the pool that has it to itself.
    let mut owner: Vec<Option<usize>> = vec![None; machine.units().len()];
    let mut given: Vec<Vec<Units>> = wishes.iter().map(|wish| wish.places.clone()).collect();
    let claiming = || (0..wishes.len()).filter(|&at| wishes[at].claims());
    for at in claiming().filter(|&at| wishes[at].listed) {
        for &unit in wishes[at].places.iter().flatten() {
            if let Some(first) = owner[unit].filter(|&first| first != at) {
                return Err(PlanError::Contested {
                    first: wishes[first].pool.name().to_owned(),
                    second: wishes[at].pool.name().to_owned(),
                    cpu: machine.units()[unit].os_id,
                });
            }
            owner[unit] = Some(at);
        }
    }
    let free = |owner: &[Option<usize>], at: usize| -> Vec<Units> {
        let places = wishes[at].places.iter();
        places.filter(|place| place.iter().all(|&unit| owner[unit].is_none())).cloned().collect()
    };
    let named = |fixed: bool| {
        claiming().filter(move |&at| !wishes[at].listed && wishes[at].fixed().is_some() == fixed)
    };
    let relative: Vec<usize> = named(false).collect();
    let mut turns: Vec<(usize, usize)> = named(true).map(|at| (at, 1)).collect();
    turns.extend(relative.iter().enumerate().map(|(nth, &at)| {
        // Those after it that want some of the same places.
        let mine: Vec<usize> = wishes[at].places.iter().flatten().copied().collect();
        let rivals = relative[nth + 1..]
            .iter()
            .filter(|&&other| wishes[other].places.iter().flatten().any(|unit| mine.contains(unit)));
        (at, rivals.count() + 1)
    }));
    for (at, sharers) in turns {
        let mut places = free(&owner, at);
        let fixed = wishes[at].fixed();
        let wanted = fixed.unwrap_or((places.len() / sharers).max(1));
        if places.len() < wanted {
            let has = |other: &usize| *other != at && owner.contains(&Some(*other));
            let others: Vec<String> =
                claiming().filter(has).map(|other| format!("`{}`", wishes[other].pool.name())).collect();
            return Err(PlanError::Taken {
                pool: wishes[at].pool.name().to_owned(),
                wanted,
                left: places.len(),
                others: others.join(", "),
            });
        }
        // A pool that has the machine to itself keeps its places, also those that no worker has yet: it may grow.
        let alone = claiming().count() == 1;
        if !alone {
            places.truncate(wanted);
        }
        places.iter().take(wanted).flatten().for_each(|&unit| owner[unit] = Some(at));
        given[at] = places;
    }
    Ok(given)
}

#[cfg(test)]
mod tests;
