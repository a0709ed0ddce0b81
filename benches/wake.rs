//! From a submission from outside to its result, and from a join to its theft.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use gristmill::Mill;

/// Times `submit` with a pause before each call, in which the pool goes to sleep.
fn asleep(times: u64, mut submit: impl FnMut()) -> Duration {
    let timed = |_| {
        thread::sleep(Duration::from_millis(1));
        let begun = Instant::now();
        submit();
        begun.elapsed()
    };
    (0..times).map(timed).sum()
}

/// A first half that ends when the second has begun, which only another worker can bring about.
fn until_stolen(join: impl FnOnce(&(dyn Fn() + Sync), &(dyn Fn() + Sync)) -> ((), ())) {
    let stolen = AtomicBool::new(false);
    let wait = || {
        while !stolen.load(Ordering::Acquire) {
            thread::yield_now();
        }
    };
    let ((), ()) = join(&wait, &|| stolen.store(true, Ordering::Release));
}

fn bench(c: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be had");
    let mill = Mill::builder().workers(2).build().expect("threads can be had");
    let received = |spawn: &dyn Fn(Box<dyn FnOnce() + Send>)| {
        let (send, receive) = mpsc::channel();
        spawn(Box::new(move || send.send(black_box(1)).unwrap_or(())));
        receive.recv().expect("the job answers")
    };
    let by_rayon = || received(&|job| pool.spawn(job));
    let by_gristmill = || received(&|job| mill.spawn(job).expect("the mill is open"));

    let mut group = c.benchmark_group("install");
    group.bench_function("rayon, hot", |b| b.iter(|| pool.install(|| black_box(1))));
    group.bench_function("gristmill, hot", |b| b.iter(|| mill.install(|| black_box(1))));
    group.bench_function("rayon, asleep", |b| {
        b.iter_custom(|times| asleep(times, || drop(pool.install(|| Box::new(1)))));
    });
    group.bench_function("gristmill, asleep", |b| {
        b.iter_custom(|times| asleep(times, || drop(mill.install(|| Box::new(1)))));
    });
    group.finish();

    let mut group = c.benchmark_group("spawn and receive");
    group.bench_function("rayon, hot", |b| b.iter(by_rayon));
    group.bench_function("gristmill, hot", |b| b.iter(by_gristmill));
    group.bench_function("rayon, asleep", |b| {
        b.iter_custom(|times| asleep(times, || assert_eq!(by_rayon(), 1)));
    });
    group.bench_function("gristmill, asleep", |b| {
        b.iter_custom(|times| asleep(times, || assert_eq!(by_gristmill(), 1)));
    });
    group.finish();

    let mut group = c.benchmark_group("join until it is stolen");
    group.bench_function("rayon", |b| {
        pool.install(|| b.iter(|| until_stolen(|a, b| rayon::join(a, b))));
    });
    group.bench_function("gristmill", |b| {
        mill.install(|| b.iter(|| until_stolen(|a, b| gristmill::join(a, b))));
    });
    group.finish();
}

fn short() -> Criterion {
    let (warm_up, time) = (Duration::from_millis(100), Duration::from_millis(500));
    Criterion::default().sample_size(10).warm_up_time(warm_up).measurement_time(time)
}

criterion_group! { name = benches; config = short(); targets = bench }
criterion_main!(benches);
