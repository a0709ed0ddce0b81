//! The map itself, and how it is put together from facts about single units.
//!
//! The levels are strictly nested: a node holds L3 groups, an L3 group holds cores, a core holds units, and
//! units are numbered in that order, so that each of these is a range of units. Whoever reads a machine
//! (sysfs, a description, libhwloc) only says for each unit what it belongs to; [`Facts::assemble`] does the
//! rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::sys::affinity;
use crate::topology::cpuset::CpuSet;

/// The distance of a node to itself where the firmware says nothing, as in Linux.
pub(super) const LOCAL: u32 = 10;
/// The distance between two nodes where the firmware says nothing, as in Linux.
pub(super) const REMOTE: u32 = 20;
/// The most nodes a map may have, as Linux can be built for; it bounds the matrix of distances.
pub(super) const MAX_NODES: usize = 1024;

/// A machine: its packages, NUMA nodes, L3 groups, cores and units, as plain data.
///
/// Everything is named twice. The *OS id* is what the kernel calls it; ids may have holes and need not start
/// at 0. The *logical index* is the place in the slice that the accessor returns ([`units`](Self::units),
/// [`cores`](Self::cores), ...), always 0 to n - 1; all fields that point from one thing to another are
/// logical indices. Units stand in the order of the tree (node, L3, core, OS id), so that neighbours in the
/// slice are neighbours in the machine.
///
/// # Examples
///
/// ```
/// use gristmill::topology::Topology;
///
/// let machine = Topology::synthetic("node:2 l3:1 core:4 pu:2")?;
/// assert_eq!(machine.units().len(), 16);
/// assert_eq!(machine.distance(0, 1), 20);
/// let second = &machine.nodes()[1];
/// assert_eq!(machine.cpus(second.units.clone()).to_string(), "8-15");
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    source: Source,
    packages: Vec<Package>,
    nodes: Vec<Node>,
    l3s: Vec<L3>,
    cores: Vec<Core>,
    units: Vec<Unit>,
    /// Logical indices of units, by ascending OS id.
    by_os_id: Vec<usize>,
    /// Row by row, as many rows and columns as nodes.
    distances: Vec<u32>,
}

/// Where a [`Topology`] comes from.
///
/// # Examples
///
/// ```
/// use gristmill::topology::{Source, Topology};
///
/// assert_eq!(Topology::synthetic("core:2")?.source(), Source::Synthetic);
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The kernel's `/sys/devices/system`, or a copy of it.
    Sysfs,
    /// libhwloc: `Topology::from_hwloc`, with the feature `hwloc`.
    Hwloc,
    /// A description: [`Topology::synthetic`].
    Synthetic,
    /// Nothing is known but which units there are: [`Topology::flat`].
    Flat,
}

/// What is plugged into one socket.
///
/// # Examples
///
/// ```
/// let machine = gristmill::topology::Topology::synthetic("pack:2 core:4")?;
/// assert_eq!(machine.packages()[1].cpus.to_string(), "4-7");
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Package {
    /// The kernel's number, where it gives one.
    pub os_id: Option<usize>,
    /// Its units, by OS id. (A package is the one level that need not be a range of units: a NUMA node may
    /// span packages, with `numa=off` for one.)
    pub cpus: CpuSet,
}

/// A NUMA node: memory, and the units next to it, if any.
///
/// # Examples
///
/// ```
/// let machine = gristmill::topology::Topology::synthetic("node:2 core:4 pu:2")?;
/// assert_eq!(machine.nodes()[1].units, 8..16);
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// The kernel's number, as `mbind` and `numactl` take it.
    pub os_id: usize,
    /// Logical indices of its units; empty for a memory-only node, and for one whose units were all
    /// restricted away.
    pub units: Range<usize>,
    /// The size of its memory in bytes, where known; 0 for a node that has processors only.
    pub memory: Option<u64>,
}

/// The units of one node that share a third-level cache.
///
/// A cache that the firmware cuts over several nodes (sub-NUMA clustering) appears once in each of them.
/// Where no third-level cache is known, the units of a package are taken to share one.
///
/// # Examples
///
/// ```
/// let machine = gristmill::topology::Topology::synthetic("node:2 l3:2 core:4")?;
/// assert_eq!((machine.l3s()[3].node, machine.l3s()[3].units.clone()), (1, 12..16));
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct L3 {
    /// Logical index of its node.
    pub node: usize,
    /// Logical index of its package.
    pub package: usize,
    /// Logical indices of its units; never empty.
    pub units: Range<usize>,
}

/// A physical core.
///
/// # Examples
///
/// ```
/// let machine = gristmill::topology::Topology::synthetic("core:4 pu:2")?;
/// assert_eq!((machine.cores()[3].units.clone(), machine.cores()[3].class), (6..8, None));
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Core {
    /// Logical index of its L3 group.
    pub l3: usize,
    /// Logical index of its node.
    pub node: usize,
    /// Logical index of its package.
    pub package: usize,
    /// The kernel's number of its die among those of the package, where it gives one.
    pub die: Option<usize>,
    /// Logical indices of its units, the SMT siblings; never empty.
    pub units: Range<usize>,
    /// The rank of its kind: 0 for the weakest (an efficient core), rising. `None` where all cores are alike
    /// or the kernel does not tell them apart.
    pub class: Option<u32>,
}

/// A hardware thread: what the kernel calls a CPU.
///
/// # Examples
///
/// ```
/// let machine = gristmill::topology::Topology::synthetic("node:2 core:2 pu:2")?;
/// let unit = &machine.units()[5];
/// assert_eq!((unit.os_id, unit.core, unit.node), (5, 2, 1));
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unit {
    /// The kernel's number, as affinity masks have it.
    pub os_id: usize,
    /// Logical index of its core.
    pub core: usize,
    /// Logical index of its L3 group.
    pub l3: usize,
    /// Logical index of its node.
    pub node: usize,
    /// Logical index of its package.
    pub package: usize,
    /// The kernel's `cpu_capacity`, where given: 1,024 is the strongest unit of a usual machine.
    pub capacity: Option<u32>,
}

impl Topology {
    /// A machine of which only the units are known: one package, one node, one L3, and each unit a core of
    /// its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::topology::Topology;
    ///
    /// let machine = Topology::flat(&(0..4).collect());
    /// assert_eq!((machine.nodes().len(), machine.cores().len()), (1, 4));
    /// ```
    #[must_use]
    pub fn flat(cpus: &CpuSet) -> Self {
        let units = cpus.iter().map(|cpu| UnitFacts { core: cpu, ..UnitFacts::of(cpu) }).collect();
        let nodes = vec![NodeFacts { os_id: 0, memory: None }];
        Facts { source: Source::Flat, units, nodes, distances: vec![LOCAL], packages: BTreeMap::new() }
            .assemble()
    }

    /// What is left of the machine when only these units may be used.
    ///
    /// Cores, L3 groups and packages with no unit left disappear, and the indices close up. Nodes stay, with
    /// their indices and distances: memory can be had from a node none of whose units may be used. CPUs that
    /// the machine does not have are passed over; with none in common the result has no units.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::topology::Topology;
    ///
    /// let machine = Topology::synthetic("node:2 core:4")?;
    /// let mask = "2-4".parse().unwrap();
    /// let ours = machine.restrict(&mask);
    /// assert_eq!(ours.allowed(), mask);
    /// assert_eq!(ours.nodes()[0].units, 0..2);
    /// # Ok::<(), gristmill::topology::SyntheticError>(())
    /// ```
    #[must_use]
    pub fn restrict(&self, cpus: &CpuSet) -> Self {
        let kept = self.units.iter().filter(|unit| cpus.contains(unit.os_id));
        let units = kept.map(|unit| UnitFacts {
            os_id: unit.os_id,
            node: self.nodes[unit.node].os_id,
            package: unit.package,
            l3: unit.l3,
            core: unit.core,
            capacity: unit.capacity,
            die: self.cores[unit.core].die,
            strength: self.cores[unit.core].class,
        });
        Facts {
            source: self.source,
            units: units.collect(),
            nodes: self
                .nodes
                .iter()
                .map(|node| NodeFacts { os_id: node.os_id, memory: node.memory })
                .collect(),
            distances: self.distances.clone(),
            packages: self.packages.iter().enumerate().filter_map(|(i, p)| Some((i, p.os_id?))).collect(),
        }
        .assemble()
    }

    /// Where this map comes from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The packages (sockets).
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The NUMA nodes, by ascending OS id; never empty, also on a machine without NUMA. Some may have no
    /// units.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The L3 groups.
    #[must_use]
    pub fn l3s(&self) -> &[L3] {
        &self.l3s
    }

    /// The physical cores.
    #[must_use]
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// The hardware threads.
    #[must_use]
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The OS ids of some units, given by logical indices; indices beyond the last unit are passed over.
    #[must_use]
    pub fn cpus(&self, units: Range<usize>) -> CpuSet {
        let end = units.end.min(self.units.len());
        self.units[units.start.min(end)..end].iter().map(|unit| unit.os_id).collect()
    }

    /// The OS ids of all units.
    #[must_use]
    pub fn allowed(&self) -> CpuSet {
        self.cpus(0..self.units.len())
    }

    /// The unit with this OS id, if there is one: a binary search.
    #[must_use]
    pub fn unit(&self, os_id: usize) -> Option<&Unit> {
        let at = self.by_os_id.binary_search_by_key(&os_id, |&unit| self.units[unit].os_id).ok()?;
        Some(&self.units[self.by_os_id[at]])
    }

    /// The unit that the calling thread runs on at this moment; `None` when the map does not have it.
    #[must_use]
    pub fn current_unit(&self) -> Option<&Unit> {
        self.unit(affinity::current_cpu())
    }

    /// How far node `to` is from node `from`, both logical indices, in the firmware's relative measure (ACPI
    /// SLIT): 10 is local, 20 takes twice as long.
    ///
    /// # Panics
    ///
    /// If one of the indices is not below the number of [`nodes`](Self::nodes).
    #[must_use]
    pub fn distance(&self, from: usize, to: usize) -> u32 {
        let nodes = self.nodes.len();
        assert!(from < nodes && to < nodes, "nodes {from} and {to} of a machine with {nodes}");
        self.distances[from * nodes + to]
    }
}

/// What a reader finds out about a machine. Keys are any numbers that are equal for units that share the
/// thing; their order becomes the order of the logical indices.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) source: Source,
    pub(super) units: Vec<UnitFacts>,
    /// Ascending by OS id; at least one.
    pub(super) nodes: Vec<NodeFacts>,
    /// Row by row in the order of `nodes`.
    pub(super) distances: Vec<u32>,
    /// The OS ids of packages, by their keys, where known.
    pub(super) packages: BTreeMap<usize, usize>,
}

#[derive(Debug)]
pub(super) struct NodeFacts {
    pub(super) os_id: usize,
    pub(super) memory: Option<u64>,
}

#[derive(Debug)]
pub(super) struct UnitFacts {
    pub(super) os_id: usize,
    /// The OS id of its node, which must be among the nodes of the [`Facts`].
    pub(super) node: usize,
    pub(super) package: usize,
    pub(super) l3: usize,
    pub(super) core: usize,
    pub(super) die: Option<usize>,
    pub(super) capacity: Option<u32>,
    /// A number that is higher for a stronger kind of core.
    pub(super) strength: Option<u32>,
}

impl UnitFacts {
    /// A unit on node 0 of which nothing is known: all keys are 0.
    pub(super) fn of(os_id: usize) -> Self {
        Self { os_id, node: 0, package: 0, l3: 0, core: 0, die: None, capacity: None, strength: None }
    }
}

impl Facts {
    pub(super) fn assemble(mut self) -> Topology {
        self.units.sort_by_key(|unit| (unit.node, unit.package, unit.l3, unit.core, unit.os_id));
        let packages: BTreeSet<usize> = self.units.iter().map(|unit| unit.package).collect();
        let packages: Vec<usize> = packages.into_iter().collect();

        let mut map = Topology {
            source: self.source,
            packages: packages
                .iter()
                .map(|key| Package { os_id: self.packages.get(key).copied(), cpus: CpuSet::new() })
                .collect(),
            nodes: self
                .nodes
                .iter()
                .map(|n| Node { os_id: n.os_id, units: 0..0, memory: n.memory })
                .collect(),
            l3s: Vec::new(),
            cores: Vec::new(),
            units: Vec::with_capacity(self.units.len()),
            by_os_id: Vec::new(),
            distances: self.distances,
        };

        let mut before: Option<&UnitFacts> = None;
        for unit in &self.units {
            let at = map.units.len();
            let node = self.nodes.partition_point(|node| node.os_id < unit.node);
            let package = packages.partition_point(|&key| key < unit.package);
            let l3 = |unit: &UnitFacts| (unit.node, unit.package, unit.l3);
            if before.map(l3) != Some(l3(unit)) {
                map.l3s.push(L3 { node, package, units: at..at });
            }
            let core = |unit: &UnitFacts| (l3(unit), unit.core);
            if before.map(core) != Some(core(unit)) {
                let (l3, die, class) = (map.l3s.len() - 1, unit.die, unit.strength);
                map.cores.push(Core { l3, node, package, die, units: at..at, class });
            }
            let (l3, core) = (map.l3s.len() - 1, map.cores.len() - 1);
            map.units.push(Unit { os_id: unit.os_id, core, l3, node, package, capacity: unit.capacity });
            map.packages[package].cpus.insert(unit.os_id);
            if map.nodes[node].units.is_empty() {
                map.nodes[node].units.start = at;
            }
            for end in
                [&mut map.nodes[node].units.end, &mut map.l3s[l3].units.end, &mut map.cores[core].units.end]
            {
                *end = at + 1;
            }
            before = Some(unit);
        }

        let kinds: BTreeSet<Option<u32>> = map.cores.iter().map(|core| core.class).collect();
        for core in &mut map.cores {
            let weaker = kinds.iter().filter(|kind| kind.is_some() && **kind < core.class).count() as u32;
            core.class = core.class.filter(|_| kinds.len() > 1).map(|_| weaker);
        }
        map.by_os_id = (0..map.units.len()).collect();
        map.by_os_id.sort_by_key(|&unit| map.units[unit].os_id);
        map
    }
}

#[cfg(test)]
mod tests;
