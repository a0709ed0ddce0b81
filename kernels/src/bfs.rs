//! Distances in a skewed graph, one level after another.
//!
//! Source: the graph is the R-MAT of Chakrabarti, Zhan and Faloutsos, "R-MAT: a recursive model for
//! graph mining", SDM 2004, with the numbers of Graph500; labels are left as they come out, so that
//! the vertices with many neighbours stand together.

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Vertices of the frontier that a block expands: about 5 us, and far more where the hubs are.
const BLOCK: usize = 64;
const EDGES_PER_VERTEX: usize = 8;
const UNSEEN: u32 = u32::MAX;

/// How far each of 2^n vertices is from the one with the most neighbours.
///
/// Within a level, the blocks race for a vertex that several of them reach; whoever wins, the
/// distance is the same.
#[derive(Debug)]
pub struct Bfs {
    /// The neighbours of vertex `v` stand at `ends[v]..ends[v + 1]`.
    ends: Vec<u32>,
    neighbours: Vec<u32>,
    root: u32,
    distances: Vec<AtomicU32>,
}

/// A pair of vertices below 2^`scale`: at each bit one of four quarters, by 57, 19, 19 and 5 %.
fn edge(scale: usize, rng: &mut Rng) -> (u32, u32) {
    let (mut from, mut to) = (0, 0);
    let mut bits = 0;
    for bit in 0..scale {
        if bit % 4 == 0 {
            bits = rng.word();
        }
        let (down, right) = match bits & 0xffff {
            0..37_356 => (0, 0),
            37_356..49_807 => (0, 1),
            49_807..62_259 => (1, 0),
            _ => (1, 1),
        };
        bits >>= 16;
        from = from << 1 | down;
        to = to << 1 | right;
    }
    (from, to)
}

/// The neighbours of each vertex, in both directions, without loops but with repeats.
fn graph(scale: usize) -> (Vec<u32>, Vec<u32>) {
    let vertices = 1_usize << scale;
    let mut rng = Rng::new(18);
    let edges: Vec<_> = (0..vertices * EDGES_PER_VERTEX)
        .map(|_| edge(scale, &mut rng))
        .filter(|(from, to)| from != to)
        .collect();
    let mut ends = vec![0_u32; vertices + 1];
    for &(from, to) in &edges {
        ends[from as usize + 1] += 1;
        ends[to as usize + 1] += 1;
    }
    for vertex in 0..vertices {
        ends[vertex + 1] += ends[vertex];
    }
    let mut free = ends.clone();
    let mut neighbours = vec![0; 2 * edges.len()];
    for (from, to) in edges {
        for (here, there) in [(from, to), (to, from)] {
            let place = &mut free[here as usize];
            neighbours[*place as usize] = there;
            *place += 1;
        }
    }
    (ends, neighbours)
}

impl Bfs {
    fn of(&self, vertex: u32) -> &[u32] {
        let vertex = vertex as usize;
        &self.neighbours[self.ends[vertex] as usize..self.ends[vertex + 1] as usize]
    }

    /// The vertices that these were the first to reach.
    fn expand(&self, vertices: &[u32], distance: u32) -> Vec<u32> {
        let mut reached = Vec::new();
        for &vertex in vertices {
            for &neighbour in self.of(vertex) {
                let slot = &self.distances[neighbour as usize];
                // Nothing else is published through a distance, and the engine's return orders the
                // levels. The load spares most of the exchanges.
                if slot.load(Ordering::Relaxed) == UNSEEN
                    && slot.compare_exchange(UNSEEN, distance, Ordering::Relaxed, Ordering::Relaxed).is_ok()
                {
                    reached.push(neighbour);
                }
            }
        }
        reached
    }
}

fn append(mut into: Vec<u32>, from: Vec<u32>) -> Vec<u32> {
    if into.is_empty() {
        return from;
    }
    into.extend(from);
    into
}

impl Kernel for Bfs {
    const ENTRY: Entry = Entry {
        name: "bfs",
        what: "breadth-first distances in a skewed graph, level by level",
        shape: Shape::Loop,
        unit: "log2 of the vertices",
        default_size: 20,
        quick_size: 18,
        least: 1,
        most: 23,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let (ends, neighbours) = graph(size);
        let vertices = 1_u32 << size;
        let degree = |vertex: u32| ends[vertex as usize + 1] - ends[vertex as usize];
        let root = (0..vertices).max_by_key(|vertex| degree(*vertex)).unwrap_or(0);
        let distances = (0..vertices).map(|_| AtomicU32::new(UNSEEN)).collect();
        Ok(Self { ends, neighbours, root, distances })
    }

    fn prepare(&mut self) {
        self.distances.fill_with(|| AtomicU32::new(UNSEEN));
    }

    fn serial(&mut self) {
        let Self { ends, neighbours, root, distances } = self;
        *distances[*root as usize].get_mut() = 0;
        let (mut frontier, mut reached) = (vec![*root], Vec::new());
        let mut distance = 0;
        while !frontier.is_empty() {
            distance += 1;
            for vertex in frontier.drain(..) {
                let vertex = vertex as usize;
                for &neighbour in &neighbours[ends[vertex] as usize..ends[vertex + 1] as usize] {
                    let slot = distances[neighbour as usize].get_mut();
                    if *slot == UNSEEN {
                        *slot = distance;
                        reached.push(neighbour);
                    }
                }
            }
            mem::swap(&mut frontier, &mut reached);
        }
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        *self.distances[self.root as usize].get_mut() = 0;
        let bfs = &*self;
        let mut frontier = vec![bfs.root];
        let mut distance = 0;
        while !frontier.is_empty() {
            distance += 1;
            let blocks = frontier.len().div_ceil(BLOCK);
            let block = |block: usize| {
                let first = block * BLOCK;
                bfs.expand(&frontier[first..frontier.len().min(first + BLOCK)], distance)
            };
            frontier = engine.reduce(blocks, Vec::new, block, append);
        }
    }

    fn answer(&self) -> Answer {
        if self.distances[self.root as usize].load(Ordering::Relaxed) != 0 {
            return Answer::Missing;
        }
        Answer::digest(self.distances.iter().map(|slot| u64::from(slot.load(Ordering::Relaxed))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{Bfs, UNSEEN};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn neighbours_are_at_most_one_apart() {
        let mut bfs = Bfs::make(10).unwrap();
        bfs.serial();
        let distance = |vertex: u32| bfs.distances[vertex as usize].load(Ordering::Relaxed);
        let mut reached = 0;
        for vertex in 0..1024 {
            for &neighbour in bfs.of(vertex) {
                assert_eq!(distance(vertex) == UNSEEN, distance(neighbour) == UNSEEN);
                assert!(distance(vertex).abs_diff(distance(neighbour)) <= 1);
            }
            if distance(vertex) != UNSEEN && distance(vertex) > 0 {
                assert!(bfs.of(vertex).iter().any(|n| distance(*n) + 1 == distance(vertex)));
                reached += 1;
            }
        }
        assert!(reached > 500);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Bfs>(&[2, 3, 7, 12]);
    }
}
