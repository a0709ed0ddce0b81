//! How models are run.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many steps one run may have in which something could have gone otherwise. A model that needs more has a loop
/// in which a thread waits for another without saying so: by a futex, `yield_now` or `spin_loop`.
const STEPS: usize = 20_000;

/// Runs `model` in all ways with at most `preemptions` switches between threads that could have gone on, or as
/// `LOOM_MAX_PREEMPTIONS` says.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = STEPS;
    let before = RUNS.load(Ordering::Relaxed);
    builder.check(move || {
        RUNS.fetch_add(1, Ordering::Relaxed);
        model();
    });
    eprintln!("{} runs", RUNS.load(Ordering::Relaxed) - before);
}
