//! An engine that leaves work undone is found out.

use kernels::{Case, Engine, Shape};
use perf::engines::Peer;
use perf::{Measured, Trial, measure};

/// Skips the last block of every loop.
struct Lazy;

impl Peer for Lazy {
    fn name(&self) -> &str {
        "lazy"
    }

    fn supports(&self, shape: Shape) -> bool {
        shape == Shape::Loop
    }

    fn run(&mut self, case: &mut Case) {
        case.run(self);
    }
}

impl Engine for Lazy {
    fn join<A, B, RA, RB>(&mut self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&mut Self) -> RA + Send,
        B: FnOnce(&mut Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        (a(self), b(self))
    }

    fn each<F>(&mut self, blocks: usize, body: F)
    where
        F: Fn(usize) + Send + Sync,
    {
        (0..blocks - 1).for_each(body);
    }

    fn reduce<T, Z, M, C>(&mut self, blocks: usize, zero: Z, map: M, combine: C) -> T
    where
        T: Send,
        Z: Fn() -> T + Send + Sync,
        M: Fn(usize) -> T + Send + Sync,
        C: Fn(T, T) -> T + Send + Sync,
    {
        (0..blocks - 1).map(map).fold(zero(), combine)
    }

    fn chunks_mut<T, F>(&mut self, data: &mut [T], chunk: usize, body: F)
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Send + Sync,
    {
        let chunks = data.len().div_ceil(chunk);
        data.chunks_mut(chunk).take(chunks - 1).enumerate().for_each(|(index, chunk)| body(index, chunk));
    }

    fn sort<T>(&mut self, _: &mut [T])
    where
        T: Ord + Send + Copy,
    {
    }
}

fn measured(peers: &mut [Box<dyn Peer>]) -> Measured {
    let loops = ["sum", "mandelbrot"].map(|name| {
        let entry = kernels::entry(name).unwrap();
        Trial::make(*entry, entry.quick_size / 8).unwrap()
    });
    let mut trials = Vec::from(loops);
    measure(&mut trials, peers, 1, 2, 3)
}

#[test]
fn a_lazy_engine_is_reported_and_the_honest_one_is_not() {
    let serial = perf::engines::all()[0].open(1).unwrap();
    let measured = measured(&mut [serial, Box::new(Lazy)]);
    assert_eq!(measured.exit_code(), 1);
    for row in &measured.rows {
        assert_eq!(row.answer_ok, row.engine == "serial", "{} on {}", row.kernel, row.engine);
    }
    let wrong: Vec<_> =
        measured.wrong.iter().map(|wrong| (wrong.kernel, wrong.engine.as_str(), wrong.times)).collect();
    assert_eq!(wrong, [("sum", "lazy", 3), ("mandelbrot", "lazy", 3)], "the warm-up and two rounds, each");
    let line = measured.wrong[0].to_string();
    assert!(line.starts_with("WRONG: sum on lazy: "), "{line}");
}

/// Gives up in the middle.
struct Fragile;

impl Peer for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }

    fn supports(&self, _: Shape) -> bool {
        true
    }

    fn run(&mut self, case: &mut Case) {
        case.serial();
        panic!("no more threads");
    }
}

#[test]
fn an_engine_that_panics_is_wrong_and_the_others_go_on() {
    let serial = perf::engines::all()[0].open(1).unwrap();
    let measured = measured(&mut [Box::new(Fragile), serial]);
    let wrong: Vec<_> = measured.wrong.iter().map(|wrong| (wrong.engine.as_str(), wrong.times)).collect();
    assert_eq!(wrong, [("fragile", 3), ("fragile", 3)]);
    assert!(measured.wrong[0].to_string().contains("no answer instead of "));
    assert_eq!(measured.rows.iter().filter(|row| row.answer_ok).count(), 2);
}

#[test]
fn every_engine_of_this_build_gives_the_serial_answers() {
    for workers in [1, 3] {
        let mut peers: Vec<_> =
            perf::engines::all().iter().map(|engine| engine.open(workers).unwrap()).collect();
        let mut trials: Vec<_> = kernels::ENTRIES
            .iter()
            .map(|entry| Trial::make(*entry, (entry.quick_size / 16).max(entry.least)).unwrap())
            .collect();
        let measured = measure(&mut trials, &mut peers, workers, 1, 5);
        assert!(measured.wrong.is_empty(), "{:?}", measured.wrong);
        assert_eq!(measured.exit_code(), 0);
    }
}
