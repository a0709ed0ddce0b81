//! More workers than the machine has cores.

use super::Options;
use super::cases::Ground;
use super::contest::{Contest, Goal, Reading};
use crate::CompareError;

/// Kernels of every kind: joins down to nothing, even loops, uneven loops, joins of large leaves.
const KERNELS: [(&str, usize); 8] = [
    ("fib", 3),
    ("tree", 3),
    ("nqueens", 5),
    ("mergesort", 3),
    ("matmul", 5),
    ("sum", 5),
    ("mandelbrot", 5),
    ("skew", 5),
];

pub(super) fn contests(_: &Options) -> Result<Vec<Contest>, CompareError> {
    KERNELS.iter().map(|&(kernel, times)| contest(kernel, times)).collect()
}

fn contest(kernel: &str, times: usize) -> Result<Contest, CompareError> {
    let size = kernels::entry(kernel)?.quick_size;
    let ground = Ground::make(kernel, size)?;
    let on = |engine, workers| ground.on(engine, workers, times, 1e-3);
    Ok(Contest {
        contestants: vec![on("rayon", 2)?, on("rayon", 8)?, on("gristmill", 2)?, on("gristmill", 8)?],
        readings: vec![Reading::new(format!("crowd-{kernel}"), "ms", &[Goal::OverWorkers(2, 1.15)])],
        enough: None,
    })
}
