//! The sum of a binary tree, by each engine's own `join`.
//!
//! Nodes are allocated in pre-order and every engine takes the left child first, so all walk along the memory.
//! chili runs its second closure first: here it gets the left child there.

use std::rc::Rc;
use std::time::Instant;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use crate::CompareError;
use crate::engines;

struct Node {
    value: u64,
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
}

type Child<'a> = Option<&'a Node>;

/// A full tree of this depth; the values are 1, so the sum is the number of nodes.
fn grow(depth: u32) -> Option<Box<Node>> {
    if depth == 0 {
        return None;
    }
    let mut node = Box::new(Node { value: 1, left: None, right: None });
    node.left = grow(depth - 1);
    node.right = grow(depth - 1);
    Some(node)
}

fn serial(node: Child) -> u64 {
    node.map_or(0, |node| node.value + serial(node.left.as_deref()) + serial(node.right.as_deref()))
}

fn rayon(node: Child) -> u64 {
    let Some(node) = node else { return 0 };
    let (left, right) =
        rayon::join(move || rayon(node.left.as_deref()), move || rayon(node.right.as_deref()));
    node.value + left + right
}

fn chili(scope: &mut chili::Scope<'_>, node: Child) -> u64 {
    let Some(node) = node else { return 0 };
    let (right, left) = scope.join(
        move |scope| chili(scope, node.right.as_deref()),
        move |scope| chili(scope, node.left.as_deref()),
    );
    node.value + left + right
}

fn gristmill(node: Child) -> u64 {
    let Some(node) = node else { return 0 };
    let (left, right) =
        gristmill::join(move || gristmill(node.left.as_deref()), move || gristmill(node.right.as_deref()));
    node.value + left + right
}

/// Seconds of a call of `sum`, on average over `times` calls, in units of `unit`.
fn each(times: u32, unit: f64, expected: u64, mut sum: impl FnMut() -> u64) -> Vec<f64> {
    let begun = Instant::now();
    let mut right = true;
    for _ in 0..times {
        right &= sum() == expected;
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert!(right, "a wrong sum");
    vec![seconds / f64::from(times) / unit]
}

/// Each engine on a tree of this depth, `times` times in a turn; inside one install, or with an install each.
fn contest(
    depth: u32,
    times: u32,
    unit: f64,
    inside: bool,
    reading: Reading,
) -> Result<Vec<Contest>, CompareError> {
    let tree: Rc<Option<Box<Node>>> = Rc::new(grow(depth));
    let expected = (1 << depth) - 1;
    let (pool, mill, chili_pool) = (pools::rayon(2)?, pools::mill(2)?, engines::chili::pool(2));
    let trees: [_; 4] = std::array::from_fn(|_| Rc::clone(&tree));
    let [for_serial, for_rayon, for_chili, for_mill] = trees;
    let contestants = vec![
        Contestant::new("serial", 1, move || {
            let root = for_serial.as_deref();
            each(times, unit, expected, || serial(std::hint::black_box(root)))
        }),
        Contestant::new("rayon", 2, move || {
            let root = for_rayon.as_deref();
            if inside {
                return pool.install(|| each(times, unit, expected, || rayon(root)));
            }
            each(times, unit, expected, || pool.install(|| rayon(root)))
        }),
        Contestant::new("chili", 2, move || {
            let root = for_chili.as_deref();
            if inside {
                let mut scope = chili_pool.scope();
                return each(times, unit, expected, || chili(&mut scope, root));
            }
            each(times, unit, expected, || chili(&mut chili_pool.scope(), root))
        }),
        Contestant::new("gristmill", 2, move || {
            let root = for_mill.as_deref();
            if inside {
                return mill.install(|| each(times, unit, expected, || gristmill(root)));
            }
            each(times, unit, expected, || mill.install(|| gristmill(root)))
        }),
    ];
    Ok(vec![Contest { contestants, readings: vec![reading], enough: None }])
}

pub(super) fn large(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let goals = [Goal::OverRayon(0.35), Goal::Over("chili", 1.0)];
    contest(24, 1, 1e-3, true, Reading::new("tree", "ms", &goals))
}

pub(super) fn inside(_: &Options) -> Result<Vec<Contest>, CompareError> {
    contest(10, 20_000, 1e-6, true, Reading::new("tree-inside", "us per sum", &[Goal::OverRayon(0.35)]))
}

pub(super) fn outside(_: &Options) -> Result<Vec<Contest>, CompareError> {
    contest(10, 5_000, 1e-6, false, Reading::new("tree-outside", "us per sum", &[Goal::OverRayon(0.25)]))
}
