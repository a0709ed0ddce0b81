//! The simulation itself: events in the order of their times, and of their numbers where those are equal.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use gristmill::locality::{VictimOrder, places};
use gristmill::topology::Topology;

use super::policy::{Policy, Thief};
use super::{Costs, Load, Shape};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Leaves that ran.
    pub jobs: u64,
    /// Jobs that were robbed.
    pub steals: u64,
    /// From another node.
    pub remote_steals: u64,
    /// From the beginning to the end of the last leaf.
    pub nanos: u64,
    /// The time of all workers that was no work.
    pub idle_nanos: u64,
    /// How many workers there were.
    pub workers: usize,
}

impl Outcome {
    /// The part of the steals that came from another node.
    #[must_use]
    pub fn remote_share(&self) -> f64 {
        self.remote_steals as f64 / (self.steals as f64).max(1.0)
    }

    /// Steals from other nodes for each leaf.
    #[must_use]
    pub fn remote_per_job(&self) -> f64 {
        self.remote_steals as f64 / self.jobs as f64
    }

    /// The part of the workers' time that was no work.
    #[must_use]
    pub fn idle_share(&self) -> f64 {
        self.idle_nanos as f64 / (self.nanos as f64 * self.workers as f64)
    }
}

/// Leaves, by number: `0..leaves` are all, and equal parts of that lie on the nodes.
type Job = Range<usize>;

struct Worker {
    node: usize,
    /// What it grinds.
    job: Option<Job>,
    /// What waits; the oldest in front.
    line: VecDeque<Job>,
    fruitless: u32,
}

/// A thief's round.
struct Round<'a> {
    me: usize,
    now: u64,
    costs: &'a Costs,
    workers: &'a mut [Worker],
    random: &'a mut Random,
    abroad: &'a mut [u64],
    outcome: &'a mut Outcome,
    /// How long it has taken so far.
    nanos: u64,
    went: bool,
    taken: Option<Job>,
}

impl Round<'_> {
    fn is_near(&self, victim: usize) -> bool {
        self.workers[victim].node == self.workers[self.me].node
    }
}

impl Thief for Round<'_> {
    fn random(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    fn look(&mut self, victim: usize) -> usize {
        self.nanos += if self.is_near(victim) { self.costs.look_near } else { self.costs.look_far };
        self.workers[victim].line.len()
    }

    fn take(&mut self, victim: usize) -> bool {
        self.look(victim);
        let Some(job) = self.workers[victim].line.pop_front() else { return false };
        let near = self.is_near(victim);
        self.nanos += if near { self.costs.take_near } else { self.costs.take_far };
        self.outcome.steals += 1;
        self.outcome.remote_steals += u64::from(!near);
        self.taken = Some(job);
        true
    }

    fn goes_abroad(&mut self) -> bool {
        self.went = self.now >= self.abroad[self.workers[self.me].node];
        self.went
    }
}

/// Steele, Lea and Flood's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

fn mix(state: u64) -> u64 {
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How long the leaf with this number takes, whoever runs it: spread exponentially, at most eight times the average.
fn leaf_nanos(seed: u64, number: usize, average: u64) -> f64 {
    let unit = (mix(mix(seed) ^ number as u64) >> 11) as f64 / (1_u64 << 53) as f64;
    -(1.0 - unit).ln().max(-8.0) * average as f64
}

/// Simulates a load on a machine with a worker on each core, until all `leaves` have run. The same arguments give the same
/// outcome.
///
/// # Panics
///
/// If the machine has no cores, or there are fewer leaves than nodes.
#[must_use]
pub fn simulate(
    shape: Shape,
    load: Load,
    policy: Policy,
    costs: &Costs,
    leaves: usize,
    seed: u64,
) -> Outcome {
    let machine = Topology::synthetic(&format!("node:{} core:{}", shape.nodes, shape.cores))
        .expect("a machine with cores");
    assert!(leaves >= shape.nodes, "at least a leaf for each node");
    let places = places(&machine, shape.nodes * shape.cores);
    let order = VictimOrder::new(&machine, &places);
    let mut workers: Vec<Worker> = places
        .iter()
        .map(|place| Worker { node: place.node(), job: None, line: VecDeque::new(), fruitless: 0 })
        .collect();
    let home = |leaf: usize| leaf * shape.nodes / leaves;
    match load {
        Load::OneSided => workers[0].job = Some(0..leaves),
        Load::Balanced => {
            for node in 0..shape.nodes {
                let first = workers.iter_mut().find(|worker| worker.node == node);
                let bound = |node: usize| (node * leaves).div_ceil(shape.nodes);
                first.expect("every node has cores").job = Some(bound(node)..bound(node + 1));
            }
        }
    }

    let mut random = Random(seed);
    // For each node: until when one of its thieves is on other nodes.
    let mut abroad = vec![0; shape.nodes];
    let mut outcome =
        Outcome { jobs: 0, steals: 0, remote_steals: 0, nanos: 0, idle_nanos: 0, workers: workers.len() };
    let mut work_nanos = 0;
    let mut events: BinaryHeap<Reverse<(u64, u64, usize)>> =
        (0..workers.len()).map(|worker| Reverse((0, worker as u64, worker))).collect();
    let mut number = workers.len() as u64;
    let mut left = leaves;
    while let Some(Reverse((now, _, me))) = events.pop() {
        let after = if let Some(job) = workers[me].job.take() {
            if job.len() > 1 {
                let middle = job.start + job.len() / 2;
                workers[me].line.push_back(middle..job.end);
                workers[me].job = Some(job.start..middle);
                work_nanos += costs.split;
                costs.split
            } else {
                let far = home(job.start) != workers[me].node;
                let nanos = leaf_nanos(seed, job.start, costs.leaf) * if far { costs.far_data } else { 1.0 };
                let nanos = nanos as u64 + 1;
                outcome.jobs += 1;
                outcome.nanos = outcome.nanos.max(now + nanos);
                work_nanos += nanos;
                left -= 1;
                workers[me].job = workers[me].line.pop_back();
                nanos
            }
        } else if let Some(job) = workers[me].line.pop_back() {
            workers[me].job = Some(job);
            0
        } else if left == 0 {
            continue;
        } else {
            let round = workers[me].fruitless;
            let mut thief = Round {
                me,
                now,
                costs,
                workers: &mut workers,
                random: &mut random,
                abroad: &mut abroad,
                outcome: &mut outcome,
                nanos: 0,
                went: false,
                taken: None,
            };
            policy.ask(&order, me, round, &mut thief);
            let Round { nanos, went, taken, .. } = thief;
            if went {
                abroad[workers[me].node] = now + nanos;
            }
            let found = taken.is_some();
            workers[me].fruitless = if found { 0 } else { round.wrapping_add(1) };
            workers[me].job = taken;
            nanos + if found { 0 } else { costs.pause }
        };
        events.push(Reverse((now + after, number, me)));
        number += 1;
    }
    outcome.idle_nanos = outcome.nanos * workers.len() as u64 - work_nanos;
    outcome
}
