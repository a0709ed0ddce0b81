//! The sum over a binary tree of separately allocated nodes.
//!
//! Order matters more than the engine here: walking against the order of the memory can cost five
//! times as much as walking along it. So both are fixed. Nodes are allocated in pre-order, each
//! before its left subtree and that before its right one, so that on a fresh heap their addresses
//! ascend in that order; and the serial walk and the first closure of each join take the left child.
//! An engine that runs the second closure first walks against the memory, and pays for it.
//!
//! Source: the example that chili and Zig's Spice show themselves with, with its order turned
//! around to the one that readers expect.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

#[derive(Debug)]
struct Node {
    value: u64,
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
}

/// The sum of a balanced tree of `n` nodes, with a join at every node: `n` joins.
///
/// The leaves join too, over two absent children, so that nothing but the tree sets the grain.
#[derive(Debug)]
pub struct Tree {
    root: Option<Box<Node>>,
    sum: Option<u64>,
}

/// A subtree of `nodes` nodes, allocated in pre-order; the left child has the odd one.
fn grow(nodes: usize, rng: &mut Rng) -> Option<Box<Node>> {
    if nodes == 0 {
        return None;
    }
    let mut node = Box::new(Node { value: rng.word() >> 32, left: None, right: None });
    node.left = grow(nodes / 2, rng);
    node.right = grow((nodes - 1) / 2, rng);
    Some(node)
}

fn plain(node: Option<&Node>) -> u64 {
    node.map_or(0, |node| node.value + plain(node.left.as_deref()) + plain(node.right.as_deref()))
}

fn forked<E: Engine>(engine: &mut E, node: Option<&Node>) -> u64 {
    let Some(node) = node else { return 0 };
    let (left, right) = engine.join(
        move |engine| forked(engine, node.left.as_deref()),
        move |engine| forked(engine, node.right.as_deref()),
    );
    node.value + left + right
}

impl Kernel for Tree {
    const ENTRY: Entry = Entry {
        name: "tree",
        what: "sum over a binary tree on the heap, a join at every node",
        shape: Shape::Join,
        unit: "nodes",
        default_size: (1 << 24) - 1,
        quick_size: (1 << 22) - 1,
        least: 1,
        most: 1 << 27,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        Ok(Self { root: grow(size, &mut Rng::new(2)), sum: None })
    }

    fn prepare(&mut self) {
        self.sum = None;
    }

    fn serial(&mut self) {
        self.sum = Some(plain(self.root.as_deref()));
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        self.sum = Some(forked(engine, self.root.as_deref()));
    }

    fn answer(&self) -> Answer {
        Answer::count(self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, grow};
    use crate::rng::Rng;
    use crate::suite;

    #[test]
    fn as_many_nodes_as_asked_for_in_the_order_of_their_values() {
        fn walk(node: Option<&super::Node>, values: &mut Vec<u64>) {
            if let Some(node) = node {
                values.push(node.value);
                walk(node.left.as_deref(), values);
                walk(node.right.as_deref(), values);
            }
        }
        for nodes in [1, 2, 3, 4, 100, 1023] {
            let mut values = Vec::new();
            walk(grow(nodes, &mut Rng::new(2)).as_deref(), &mut values);
            let mut rng = Rng::new(2);
            let expected: Vec<u64> = (0..nodes).map(|_| rng.word() >> 32).collect();
            assert_eq!(values, expected);
        }
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Tree>(&[1, 2, 3, 1000, 4095]);
    }
}
