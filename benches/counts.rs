//! Instructions under callgrind, and the most that each may take.
//!
//! Counted is the benchmark's own thread only, between the entry and the end of a benchmark's function: callgrind's
//! toggle is one for each thread. That thread is a visitor on the mill's only slot, so it does everything itself, and
//! the counts are the same in every run. Ceilings are some 3 % above what was counted
//! with rustc 1.95 and glibc's malloc: lower them when the code gets better.
//!
//! The toggle flips at every function whose path holds that of the benchmark, also at closures in it: so each
//! benchmark calls a plain function that has the closures.
//!
//! fib(n) makes fib(n + 1) - 1 joins, so a join takes the difference of both fibs over 64,079 joins.

#![allow(missing_docs, reason = "iai-callgrind's macros make public items")]

use std::hint::black_box;

use gristmill::Mill;
use iai_callgrind::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

/// A mill of one worker, which is asleep: its slot is the caller's when it comes.
fn mill() -> Mill {
    let mill = Mill::builder().workers(1).build().expect("a thread can be had");
    // Visitors are numbered above the workers. The second visit finds the seat that the first has left.
    let mut visits = 0;
    while visits < 2 {
        visits += u32::from(mill.install(gristmill::worker_index) > Some(0));
        std::thread::yield_now();
    }
    // Grows what grows once.
    assert_eq!(joins(&mill, 10), 55);
    jobs(&mill);
    items(&mill);
    assert_eq!(fold(&mill), ITEMS * (ITEMS - 1) / 2);
    mill
}

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = gristmill::join(move || fib(n - 1), move || fib(n - 2));
    a + b
}

const JOBS: usize = 1_000;
const ITEMS: u64 = 1_000;

fn joins(mill: &Mill, n: u32) -> u64 {
    mill.install(|| fib(black_box(n)))
}

fn jobs(mill: &Mill) {
    mill.install(|| gristmill::scope(|s| (0..JOBS).for_each(|_| s.spawn(|_| black_box(())))));
}

fn items(mill: &Mill) {
    mill.install(|| gristmill::par_for(0..ITEMS, |i| assert!(black_box(i) < ITEMS)));
}

fn fold(mill: &Mill) -> u64 {
    mill.install(|| gristmill::par_reduce(0..ITEMS, || 0, |sum, i| sum + black_box(i), |a, b| a + b))
}

fn visit(mill: &Mill) {
    mill.install(|| black_box(()));
}

/// At most so many instructions.
fn ceiling(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]));
    config
}

// 10,945 joins.
#[library_benchmark(config = ceiling(475_000))]
#[bench::on_one(mill())]
fn join_20(mill: Mill) -> (u64, Mill) {
    (joins(&mill, 20), mill)
}

// 75,024 joins.
#[library_benchmark(config = ceiling(3_250_000))]
#[bench::on_one(mill())]
fn join_24(mill: Mill) -> (u64, Mill) {
    (joins(&mill, 24), mill)
}

// 1,000 jobs.
#[library_benchmark(config = ceiling(252_500))]
#[bench::on_one(mill())]
fn scope_spawn(mill: Mill) -> Mill {
    jobs(&mill);
    mill
}

// 1,000 items.
#[library_benchmark(config = ceiling(14_230))]
#[bench::on_one(mill())]
fn par_for(mill: Mill) -> Mill {
    items(&mill);
    mill
}

// 1,000 items.
#[library_benchmark(config = ceiling(13_520))]
#[bench::on_one(mill())]
fn par_reduce(mill: Mill) -> (u64, Mill) {
    (fold(&mill), mill)
}

// From outside and back.
#[library_benchmark(config = ceiling(147))]
#[bench::on_one(mill())]
fn install(mill: Mill) -> Mill {
    visit(&mill);
    mill
}

library_benchmark_group!(
    name = counts;
    benchmarks = join_20, join_24, scope_spawn, par_for, par_reduce, install
);
main!(library_benchmark_groups = counts);
