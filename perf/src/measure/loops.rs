//! Coarse loops, written item by item with each library's own loops.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use crate::CompareError;

/// Runs of the loop in a turn.
const TIMES: u32 = 8;

/// Milliseconds of a run.
fn each(mut run: impl FnMut()) -> Vec<f64> {
    let begun = Instant::now();
    for _ in 0..TIMES {
        run();
    }
    vec![begun.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES)]
}

fn contest(
    name: &'static str,
    on_serial: impl FnMut() + 'static,
    mut on_rayon: impl FnMut(&rayon::ThreadPool) + 'static,
    mut on_mill: impl FnMut(&gristmill::Mill) + 'static,
) -> Result<Vec<Contest>, CompareError> {
    let (pool, mill) = (pools::rayon(2)?, pools::mill(2)?);
    let mut on_serial = on_serial;
    let contestants = vec![
        Contestant::new("serial", 1, move || each(&mut on_serial)),
        Contestant::new("rayon", 2, move || each(|| on_rayon(&pool))),
        Contestant::new("gristmill", 2, move || each(|| on_mill(&mill))),
    ];
    let readings = vec![Reading::new(name, "ms", &[Goal::OverRayon(1.03)])];
    Ok(vec![Contest { contestants, readings, enough: None }])
}

fn floats(count: u32) -> Rc<Vec<f64>> {
    Rc::new((0..count).map(|i| f64::from(i.wrapping_mul(2_654_435_769) >> 12)).collect())
}

pub(super) fn sum(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let numbers = floats(1 << 25);
    // Whole numbers below 2^20, so every sum is exact.
    let expected: f64 = numbers.iter().sum();
    let (for_serial, for_rayon, for_mill) = (Rc::clone(&numbers), Rc::clone(&numbers), numbers);
    let check = move |sum: f64| assert!(sum.to_bits() == expected.to_bits(), "a wrong sum");
    contest(
        "sum",
        move || check(std::hint::black_box(&*for_serial).iter().sum()),
        move |pool| {
            let numbers = for_rayon.as_slice();
            check(pool.install(|| numbers.par_iter().sum()));
        },
        move |mill| {
            let numbers = for_mill.as_slice();
            let add = |sum: f64, x: &f64| sum + x;
            check(mill.install(|| gristmill::par_reduce(numbers, || 0.0, add, |a, b| a + b)));
        },
    )
}

fn formula(x: f64) -> f64 {
    (x * x + 1.0).sqrt() / (x.abs() + 2.0) + 0.5 * x
}

pub(super) fn map(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let numbers = floats(1 << 23);
    let (for_serial, for_rayon, for_mill) = (Rc::clone(&numbers), Rc::clone(&numbers), numbers);
    let check = |made: Vec<f64>| {
        assert_eq!(
            (made.len(), made[77]),
            (1 << 23, formula(f64::from(77_u32.wrapping_mul(2_654_435_769) >> 12)))
        );
    };
    contest(
        "map",
        move || check(for_serial.iter().map(|x| formula(*x)).collect()),
        move |pool| {
            let numbers = for_rayon.as_slice();
            check(pool.install(|| numbers.par_iter().map(|x| formula(*x)).collect()));
        },
        move |mill| {
            let numbers = for_mill.as_slice();
            check(mill.install(|| gristmill::par_map(numbers, |x| formula(*x))));
        },
    )
}

const ITEMS: usize = 400_000;

/// Of 32,768 items one costs a millisecond, and half cost some 30 ns: the share of those that cost x falls as 1 / x.
fn item(number: usize) -> u64 {
    let mut word = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let draw = (word >> 49) as u32;
    for _ in 0..16 * (32_768 / (1 + draw)) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    word
}

pub(super) fn skew(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let slots: Arc<Vec<AtomicU64>> = Arc::new((0..ITEMS).map(|_| AtomicU64::new(0)).collect());
    let (for_serial, for_rayon, for_mill) = (Arc::clone(&slots), Arc::clone(&slots), slots);
    let store = |slots: &[AtomicU64], number: usize| slots[number].store(item(number), Ordering::Relaxed);
    contest(
        "skew",
        move || (0..ITEMS).for_each(|number| store(&for_serial, number)),
        move |pool| pool.install(|| (0..ITEMS).into_par_iter().for_each(|number| store(&for_rayon, number))),
        move |mill| mill.install(|| gristmill::par_for(0..ITEMS, |number| store(&for_mill, number))),
    )
}
