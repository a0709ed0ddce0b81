//! Joins: what one costs, and a walk over a tree.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gristmill::Mill;

struct Node {
    value: u64,
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
}

/// In pre-order, so that taking the left child first walks along the memory.
fn grow(depth: u32) -> Option<Box<Node>> {
    let grown = |value| Box::new(Node { value, left: None, right: None });
    let mut node = (depth > 0).then(|| grown(depth.into()))?;
    node.left = grow(depth - 1);
    node.right = grow(depth - 1);
    Some(node)
}

macro_rules! joined_by {
    ($name:ident, $join:path) => {
        mod $name {
            use super::Node;

            pub(super) fn fib(n: u32) -> u64 {
                if n < 2 {
                    return n.into();
                }
                let (a, b) = $join(move || fib(n - 1), move || fib(n - 2));
                a + b
            }

            pub(super) fn sum(node: Option<&Node>) -> u64 {
                let Some(node) = node else { return 0 };
                let (left, right) =
                    $join(move || sum(node.left.as_deref()), move || sum(node.right.as_deref()));
                node.value + left + right
            }
        }
    };
}

fn one_after_the_other<A, B>(a: impl FnOnce() -> A, b: impl FnOnce() -> B) -> (A, B) {
    (a(), b())
}

joined_by!(serial, super::one_after_the_other);
joined_by!(by_rayon, rayon::join);
joined_by!(by_gristmill, gristmill::join);

fn bench(c: &mut Criterion) {
    let tree = grow(20);
    let root = tree.as_deref();
    let small = grow(10);
    let small = small.as_deref();
    for workers in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("threads can be had");
        let mill = Mill::builder().workers(workers).build().expect("threads can be had");
        let mut group = c.benchmark_group(format!("fib 25 on {workers}"));
        group.bench_function("serial", |b| b.iter(|| serial::fib(black_box(25))));
        group.bench_function("rayon", |b| pool.install(|| b.iter(|| by_rayon::fib(black_box(25)))));
        group.bench_function("gristmill", |b| mill.install(|| b.iter(|| by_gristmill::fib(black_box(25)))));
        group.finish();
        for (name, root) in [("tree of 1 M", root), ("tree of 1,023", small)] {
            let mut group = c.benchmark_group(format!("{name} on {workers}"));
            group.bench_function("serial", |b| b.iter(|| serial::sum(black_box(root))));
            group.bench_function("rayon", |b| pool.install(|| b.iter(|| by_rayon::sum(black_box(root)))));
            group.bench_function("gristmill", |b| {
                mill.install(|| b.iter(|| by_gristmill::sum(black_box(root))));
            });
            group.finish();
        }
    }
}

fn short() -> Criterion {
    let (warm_up, time) = (Duration::from_millis(100), Duration::from_millis(500));
    Criterion::default().sample_size(10).warm_up_time(warm_up).measurement_time(time)
}

criterion_group! { name = benches; config = short(); targets = bench }
criterion_main!(benches);
