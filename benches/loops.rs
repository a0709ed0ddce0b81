//! The parallel loops beside rayon's, item by item.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use gristmill::Mill;
use rayon::prelude::*;

const ITEMS: u32 = 1_000_000;

fn formula(x: f64) -> f64 {
    (x * x + 1.0).sqrt() / (x.abs() + 2.0) + 0.5 * x
}

/// One item in 64 costs as much as the other 63.
fn uneven(i: u32) -> u64 {
    let rounds = if i % 64 == 0 { 630 } else { 10 };
    let mut word = u64::from(i) + 1;
    for _ in 0..rounds {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    word
}

fn bench(c: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be had");
    let mill = Mill::builder().workers(2).build().expect("threads can be had");
    let numbers: Vec<f64> = (0..ITEMS).map(f64::from).collect();
    let numbers = numbers.as_slice();
    let mut pair = |name: &str, by_rayon: &dyn Fn(), by_gristmill: &(dyn Fn() + Sync)| {
        let mut group: BenchmarkGroup<WallTime> = c.benchmark_group(name);
        group.bench_function("rayon", |b| b.iter(by_rayon));
        group.bench_function("gristmill", |b| b.iter(by_gristmill));
        group.finish();
    };

    let add = |sum: f64, x: &f64| sum + x;
    pair("par_reduce", &|| assert!(pool.install(|| numbers.par_iter().sum::<f64>()) > 0.0), &|| {
        assert!(mill.install(|| gristmill::par_reduce(numbers, || 0.0, add, |a, b| a + b)) > 0.0)
    });
    pair(
        "par_map",
        &|| drop(pool.install(|| numbers.par_iter().map(|x| formula(*x)).collect::<Vec<_>>())),
        &|| drop(mill.install(|| gristmill::par_map(numbers, |x| formula(*x)))),
    );
    let body = |i: u32| assert!(black_box(uneven(i)) != 0);
    pair("par_for, uneven", &|| pool.install(|| (0..ITEMS).into_par_iter().for_each(body)), &|| {
        mill.install(|| gristmill::par_for(0..ITEMS, body))
    });
    pair("par_for, 100 items", &|| pool.install(|| (0..100_u32).into_par_iter().for_each(body)), &|| {
        mill.install(|| gristmill::par_for(0..100_u32, body))
    });
    pair(
        "par_scan",
        &|| {
            let mut sum = 0.0;
            assert_eq!(
                numbers
                    .iter()
                    .map(|x| {
                        sum += formula(*x);
                        sum
                    })
                    .collect::<Vec<_>>()
                    .len(),
                numbers.len()
            );
        },
        &|| {
            let step = |sum: f64, x: &f64| sum + formula(*x);
            let totals = mill.install(|| gristmill::par_scan(numbers, || 0.0, step, |a, b| a + b));
            assert_eq!(totals.len(), numbers.len());
        },
    );
}

fn short() -> Criterion {
    let (warm_up, time) = (Duration::from_millis(100), Duration::from_millis(500));
    Criterion::default().sample_size(10).warm_up_time(warm_up).measurement_time(time)
}

criterion_group! { name = benches; config = short(); targets = bench }
criterion_main!(benches);
