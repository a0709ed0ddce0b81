//! Ten thousand empty jobs at a time: detached and in a scope, from outside and from a job.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gristmill::Mill;

const JOBS: usize = 10_000;

/// Makes the jobs, hands each to `spawn`, and waits until the last has run.
fn all_over(spawn: impl Fn(Box<dyn FnOnce() + Send>)) {
    let (done, over) = mpsc::sync_channel(1);
    let shared = Arc::new((AtomicUsize::new(JOBS), done));
    for _ in 0..JOBS {
        let shared = Arc::clone(&shared);
        spawn(Box::new(move || {
            if shared.0.fetch_sub(1, Ordering::AcqRel) == 1 {
                shared.1.send(()).expect("somebody waits");
            }
        }));
    }
    over.recv().expect("the last job tells");
}

fn bench(c: &mut Criterion) {
    for workers in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("threads can be had");
        let mill = Mill::builder().workers(workers).build().expect("threads can be had");
        let mut group = c.benchmark_group(format!("detached from outside on {workers}"));
        group.throughput(Throughput::Elements(JOBS as u64));
        group.bench_function("rayon", |b| b.iter(|| all_over(|job| pool.spawn(job))));
        group.bench_function("gristmill", |b| {
            b.iter(|| all_over(|job| mill.spawn(job).expect("the mill is open")));
        });
        group.finish();
        let mut group = c.benchmark_group(format!("scope in install on {workers}"));
        group.throughput(Throughput::Elements(JOBS as u64));
        group.bench_function("rayon", |b| {
            pool.install(|| b.iter(|| rayon::scope(|s| (0..JOBS).for_each(|_| s.spawn(|_| ())))));
        });
        group.bench_function("gristmill", |b| {
            mill.install(|| b.iter(|| gristmill::scope(|s| (0..JOBS).for_each(|_| s.spawn(|_| ())))));
        });
        group.finish();
    }
}

fn short() -> Criterion {
    let (warm_up, time) = (Duration::from_millis(100), Duration::from_millis(500));
    Criterion::default().sample_size(10).warm_up_time(warm_up).measurement_time(time)
}

criterion_group! { name = benches; config = short(); targets = bench }
criterion_main!(benches);
