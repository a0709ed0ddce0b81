//! Who sits where, and whom to rob.
//!
//! Both are answers to one question: what do two workers share? A thief that takes a job from its SMT sibling
//! finds the data in the first-level cache, from a neighbour under the same L3 in that, and from another node
//! over the interconnect. So victims are asked nearest first (compare the hierarchical stealing of Min, Iancu
//! and Yelick, "Hierarchical Work Stealing on Manycore Clusters", PGAS 2011).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use crate::sys::affinity;
use crate::topology::{Core, CpuSet, Topology};

/// How near a victim is to its thief, nearest first.
///
/// # Examples
///
/// ```
/// use gristmill::locality::Tier;
///
/// let mut steals = [0; Tier::COUNT];
/// steals[Tier::L3.index()] += 1;
/// assert!(Tier::Smt < Tier::Remote && steals == [0, 1, 0, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// On the same core: an SMT sibling, or the same unit where there are more workers than units.
    Smt,
    /// On another core under the same L3 cache.
    L3,
    /// Under another L3 cache of the same NUMA node.
    Node,
    /// On another NUMA node.
    Remote,
}

impl Tier {
    /// How many tiers there are, for arrays of counters.
    pub const COUNT: usize = 4;
    /// The tiers, nearest first.
    pub const ALL: [Self; Self::COUNT] = [Self::Smt, Self::L3, Self::Node, Self::Remote];

    /// The place of this tier in [`ALL`](Self::ALL), from 0 (nearest) to 3.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Where a worker sits: the CPUs it may run on, and what they have in common.
///
/// # Examples
///
/// A place for each node, for workers that are to stay on a node and may wander there:
///
/// ```
/// use gristmill::locality::Place;
/// use gristmill::topology::Topology;
///
/// let machine = Topology::synthetic("node:2 l3:2 core:4")?;
/// let places: Vec<Place> =
///     machine.nodes().iter().map(|node| Place::new(&machine, machine.cpus(node.units.clone()))).collect();
/// assert_eq!(places[1].cpus().to_string(), "8-15");
/// assert_eq!((places[1].node(), places[1].l3()), (1, None));
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    cpus: CpuSet,
    node: usize,
    l3: Option<usize>,
    core: Option<usize>,
}

impl Place {
    /// The place that covers these CPUs. CPUs that are not in the map belong to it but say nothing about
    /// where it is.
    #[must_use]
    pub fn new(topology: &Topology, cpus: CpuSet) -> Self {
        let units = || cpus.iter().filter_map(|cpu| topology.unit(cpu));
        let Some(first) = units().next() else {
            return Self { cpus, node: 0, l3: None, core: None };
        };
        let mut on_node = vec![0usize; topology.nodes().len()];
        units().for_each(|unit| on_node[unit.node] += 1);
        let most = on_node.iter().copied().max().unwrap_or(0);
        let node = on_node.iter().position(|&count| count == most).unwrap_or(0);
        let l3 = units().all(|unit| unit.l3 == first.l3).then_some(first.l3);
        let core = units().all(|unit| unit.core == first.core).then_some(first.core);
        Self { cpus, node, l3, core }
    }

    /// The OS ids of the CPUs it covers; empty where a worker may run anywhere.
    #[must_use]
    pub fn cpus(&self) -> &CpuSet {
        &self.cpus
    }

    /// Logical index of its NUMA node; if it covers several, of the one with most of its CPUs (the first, if
    /// tied).
    #[must_use]
    pub fn node(&self) -> usize {
        self.node
    }

    /// Logical index of its L3 group, when it lies in one.
    #[must_use]
    pub fn l3(&self) -> Option<usize> {
        self.l3
    }

    /// Logical index of its core, when it lies in one.
    #[must_use]
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// Moves the calling thread here: from now on it runs on the CPUs of this place only. An empty place
    /// leaves it be.
    ///
    /// # Errors
    ///
    /// What the kernel answers: `InvalidInput` when none of the CPUs can be used (offline, or outside the
    /// cgroup's cpuset). `Unsupported` when it took only some of them. Then the thread runs where it ran before.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{locality, topology::Topology};
    ///
    /// let place = locality::places(&Topology::detect(), 1).remove(0);
    /// std::thread::spawn(move || place.occupy()).join().unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "os.sched_setaffinity")]
    pub fn occupy(&self) -> io::Result<()> {
        let cpus: Vec<usize> = self.cpus.iter().collect();
        let before = affinity::allowed();
        let result = match cpus[..] {
            [] => return Ok(()),
            [cpu] => affinity::pin(cpu),
            _ => affinity::set_allowed(&cpus),
        };
        if let (Err(_), Ok(before)) = (&result, before) {
            // Half a place is none. What failed is the news; that the old mask cannot be had back either is not.
            let _ = affinity::set_allowed(&before);
        }
        result
    }
}

/// A place of one unit for each of so many workers, spread over the machine.
///
/// Each core gets a worker before any gets a second one on its SMT siblings; when all units have one, the
/// round begins again. Within such a round, packages, the nodes in them and the L3 groups in those fill in
/// step, each in proportion to how many units it has to give (the divisor method of Webster and
/// Sainte-Laguë). Where cores differ in [`class`](crate::topology::Core::class), the strongest are such a
/// round of their own, before the weaker. Asking for more workers only adds places: the first n are the same
/// for any number, so a pool can grow and shrink without moving those that stay. On a machine without units
/// the places are empty.
///
/// # Examples
///
/// ```
/// use gristmill::{locality::places, topology::Topology};
///
/// let machine = Topology::synthetic("node:2 core:2 pu:2")?;
/// let cpus: Vec<String> = places(&machine, 6).iter().map(|place| place.cpus().to_string()).collect();
/// assert_eq!(cpus, ["0", "4", "2", "6", "1", "5"]);
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[must_use]
pub fn places(topology: &Topology, workers: usize) -> Vec<Place> {
    let order = filling(topology);
    if order.is_empty() {
        return vec![Place::new(topology, CpuSet::new()); workers];
    }
    let place = |unit: &usize| {
        let unit = &topology.units()[*unit];
        Place {
            cpus: CpuSet::from_iter([unit.os_id]),
            node: unit.node,
            l3: Some(unit.l3),
            core: Some(unit.core),
        }
    };
    order.iter().cycle().take(workers).map(place).collect()
}

/// All units, by logical index, in the order in which they are given to workers.
pub(super) fn filling(topology: &Topology) -> Vec<usize> {
    let cores = topology.cores();
    // One round for each sibling and, within it, each class of cores, the strongest first.
    let mut rounds: BTreeMap<(usize, Reverse<Option<u32>>), Vec<usize>> = BTreeMap::new();
    for (i, core) in cores.iter().enumerate() {
        for sibling in 0..core.units.len() {
            rounds.entry((sibling, Reverse(core.class))).or_default().push(i);
        }
    }
    let levels: [fn(&Core) -> usize; 3] = [|core| core.package, |core| core.node, |core| core.l3];
    let mut order = Vec::with_capacity(topology.units().len());
    for ((sibling, _), mut round) in rounds {
        round.sort_by_key(|&core| levels.map(|level| level(&cores[core])));
        order.extend(in_step(cores, &round, &levels).iter().map(|&core| cores[core].units.start + sibling));
    }
    order
}

/// Reorders cores, which are sorted by these levels, so that each prefix has its share of each group of the
/// first level, and in each group again of the next.
fn in_step(cores: &[Core], round: &[usize], levels: &[fn(&Core) -> usize]) -> Vec<usize> {
    let Some((level, inner)) = levels.split_first() else { return round.to_vec() };
    let mut queue = Vec::with_capacity(round.len());
    for group in round.chunk_by(|&a, &b| level(&cores[a]) == level(&cores[b])) {
        let size = group.len() as u64;
        queue.extend(in_step(cores, group, inner).into_iter().zip(0u64..).map(|(core, k)| (k, size, core)));
    }
    // Member k of a group of n stands at (2k + 1) / 2n of the way. The sort is stable: ties go to the first
    // group.
    queue.sort_by(|(k, n, _), (other_k, other_n, _)| ((2 * k + 1) * other_n).cmp(&((2 * other_k + 1) * n)));
    queue.into_iter().map(|(_, _, core)| core).collect()
}

/// For each place, all others, nearest first.
///
/// One permutation of the places, sorted by node, L3 and core, serves all of them: whoever shares something
/// with a place is a range of it. So the memory is linear in the number of places (plus a row for each pair
/// of nodes), and [`groups`](Self::groups) and [`tier`](Self::tier) allocate nothing. Places are named by
/// their index in the slice that the order was made from. Not to be changed; make a new one when places
/// change.
///
/// # Examples
///
/// ```
/// use gristmill::locality::{Tier, VictimOrder, places};
/// use gristmill::topology::Topology;
///
/// let machine = Topology::synthetic("node:2 core:2 pu:2")?;
/// let order = VictimOrder::new(&machine, &places(&machine, 6)); // on CPUs 0, 4, 2, 6, 1, 5
/// let groups: Vec<(Tier, &[usize])> = order.groups(0).collect();
/// assert_eq!(groups, [(Tier::Smt, &[4][..]), (Tier::L3, &[2]), (Tier::Remote, &[1, 5, 3])]);
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug)]
pub struct VictimOrder {
    /// Indices of places, sorted by node, L3 and core.
    order: Vec<usize>,
    /// By index of the place.
    seats: Vec<Seat>,
    /// The part of `order` of each node that has places.
    nodes: Vec<Range<usize>>,
    /// For each of these nodes the others, nearest first: rows of `nodes.len() - 1`.
    remote: Vec<usize>,
}

/// Where in `order` a place and those near it are; the ranges contain one another and the place itself.
#[derive(Clone, Debug)]
struct Seat {
    at: usize,
    core: Range<usize>,
    l3: Range<usize>,
    /// Index into `nodes`.
    node: usize,
}

impl VictimOrder {
    /// The order among these places of a machine: a sort, and one over the nodes for each node.
    ///
    /// Two places share a core or an L3 only if each lies wholly in it; places that span a whole node share
    /// the node.
    ///
    /// # Panics
    ///
    /// If a place is on a node that the machine does not have.
    #[must_use]
    pub fn new(topology: &Topology, places: &[Place]) -> Self {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|&i| {
            let place = &places[i];
            // What lies in no one L3, or no one core, goes last and shares it with nobody.
            (place.node, place.l3.is_none(), place.l3, place.core.is_none(), place.core, i)
        });

        let mut seats = vec![Seat { at: 0, core: 0..0, l3: 0..0, node: 0 }; places.len()];
        let (mut nodes, mut os_nodes) = (Vec::new(), Vec::new());
        let mut start = 0;
        for node in order.chunk_by(|&a, &b| places[a].node == places[b].node) {
            nodes.push(start..start + node.len());
            os_nodes.push(places[node[0]].node);
            for l3 in node.chunk_by(|&a, &b| places[a].l3.is_some() && places[a].l3 == places[b].l3) {
                let in_l3 = start..start + l3.len();
                for core in l3.chunk_by(|&a, &b| places[a].core.is_some() && places[a].core == places[b].core)
                {
                    let in_core = start..start + core.len();
                    for (at, &place) in in_core.clone().zip(core) {
                        seats[place] =
                            Seat { at, core: in_core.clone(), l3: in_l3.clone(), node: nodes.len() - 1 };
                    }
                    start = in_core.end;
                }
            }
        }

        let count = nodes.len();
        let mut remote = Vec::with_capacity(count * count.saturating_sub(1));
        for own in 0..count {
            let row = remote.len();
            // Among nodes that are equally far each begins with the one after itself, so that not all rob the
            // first.
            remote.extend((1..count).map(|step| (own + step) % count));
            remote[row..].sort_by_key(|&other| topology.distance(os_nodes[own], os_nodes[other]));
        }
        Self { order, seats, nodes, remote }
    }

    /// How many places there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether there are no places.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// All places but `place`, each once, nearest first, in groups.
    ///
    /// A tier comes as several groups: [`Smt`](Tier::Smt), [`L3`](Tier::L3) and [`Node`](Tier::Node) as up to
    /// two, the places behind `place` and then those before it, so that the thieves of a node do not all
    /// begin with the same victim; [`Remote`](Tier::Remote) as one for each other node, by its distance. No
    /// group is empty. Within a group all are equally near: a thief may begin anywhere in it.
    ///
    /// # Panics
    ///
    /// If `place` is not below [`len`](Self::len).
    #[must_use]
    pub fn groups(&self, place: usize) -> Groups<'_> {
        Groups { all: self, seat: &self.seats[place], step: 0 }
    }

    /// How near `victim` is to `thief`; [`Tier::Smt`] to itself. Symmetric.
    ///
    /// # Panics
    ///
    /// If one of them is not below [`len`](Self::len).
    #[must_use]
    pub fn tier(&self, thief: usize, victim: usize) -> Tier {
        let (thief, victim) = (&self.seats[thief], &self.seats[victim]);
        if thief.core.contains(&victim.at) {
            Tier::Smt
        } else if thief.l3.contains(&victim.at) {
            Tier::L3
        } else if thief.node == victim.node {
            Tier::Node
        } else {
            Tier::Remote
        }
    }
}

/// The groups of victims of one place, nearest first; made by [`VictimOrder::groups`].
///
/// # Examples
///
/// ```
/// use gristmill::locality::{Tier, VictimOrder, places};
/// use gristmill::topology::Topology;
///
/// let machine = Topology::synthetic("node:2 core:2")?;
/// let order = VictimOrder::new(&machine, &places(&machine, 4));
/// let far: usize = order.groups(0).filter(|(tier, _)| *tier == Tier::Remote).map(|(_, victims)| victims.len()).sum();
/// assert_eq!(far, 2);
/// # Ok::<(), gristmill::topology::SyntheticError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Groups<'a> {
    all: &'a VictimOrder,
    seat: &'a Seat,
    step: usize,
}

impl<'a> Iterator for Groups<'a> {
    type Item = (Tier, &'a [usize]);

    fn next(&mut self) -> Option<Self::Item> {
        let VictimOrder { order, nodes, remote, .. } = self.all;
        let Seat { at, core, l3, node } = self.seat;
        loop {
            let (tier, range) = match self.step {
                0 => (Tier::Smt, at + 1..core.end),
                1 => (Tier::Smt, core.start..*at),
                2 => (Tier::L3, core.end..l3.end),
                3 => (Tier::L3, l3.start..core.start),
                4 => (Tier::Node, l3.end..nodes[*node].end),
                5 => (Tier::Node, nodes[*node].start..l3.start),
                step => {
                    let others = nodes.len() - 1;
                    let row = &remote[node * others..(node + 1) * others];
                    (Tier::Remote, nodes[*row.get(step - 6)?].clone())
                }
            };
            self.step += 1;
            if !range.is_empty() {
                return Some((tier, &order[range]));
            }
        }
    }
}

impl std::iter::FusedIterator for Groups<'_> {}

#[cfg(test)]
mod tests;
