//! Everything a report says, whatever its form.

use std::fmt;

use super::executors::Timed;
use super::machine::Machine;
use super::rounds::{Measured, Wrong};
use super::table::figures;

/// A finished comparison with all that is needed to judge it.
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) workers: usize,
    pub(super) seed: u64,
    /// Rounds that were asked for; `measured.rounds` were finished.
    pub(super) rounds: usize,
    /// The engines in their order, with what they are.
    pub(super) engines: Vec<(&'static str, &'static str)>,
    /// CPUs that other programs kept busy during the rounds, on average.
    pub(super) foreign: Option<f64>,
    pub(super) measured: Measured,
    /// Executors beside each other; none if only some kernels were asked for.
    pub(super) executors: Vec<Timed>,
    /// What a reader must know besides, a sentence each.
    pub(super) notes: Vec<String>,
}

impl Report {
    /// How the numbers came about and how to read them.
    pub(super) fn reading(&self) -> Vec<String> {
        let rounds = self.measured.rounds;
        let mut reading = vec![
            format!(
                "{rounds} timed {} after a warm-up; in each, every engine runs every kernel once, in shuffled \
                 order (seed {}); {} {} to a pool.",
                plural(rounds, "round", "rounds"),
                self.seed,
                self.workers,
                plural(self.workers, "worker", "workers"),
            ),
            "x rayon: time over rayon's time in the same round, median and quartiles; below 1 is faster than \
             rayon, above 1 slower."
                .to_owned(),
            "speedup: serial time over time in the same round, median; above 1 is faster than serial.".to_owned(),
            "Differences below about 1.2 are noise unless a quiet machine and many rounds say otherwise.".to_owned(),
        ];
        if let Some(foreign) = self.foreign.filter(|foreign| *foreign > 0.1) {
            reading.push(format!(
                "Other programs kept {foreign:.1} of {} CPUs busy meanwhile: everything parallel looks worse against \
                 serial code than on a quiet machine.",
                self.machine.threads
            ));
        }
        reading
    }

    /// Each engine's time over rayon's as a geometric mean over the kernels that both ran, at full size.
    pub(super) fn summary(&self) -> Vec<String> {
        let of = |engine: &str| {
            let rows = self.measured.rows.iter().filter(|row| row.engine == engine);
            let ratios: Vec<f64> = rows.filter_map(|row| Some(row.to_rayon?.median.ln())).collect();
            let mean = (ratios.iter().sum::<f64>() / ratios.len() as f64).exp();
            let kernels = plural(ratios.len(), "kernel", "kernels");
            Some(format!("{engine}: {} x rayon, geometric mean of {} {kernels}", figures(mean), ratios.len()))
                .filter(|_| !ratios.is_empty())
        };
        self.engines
            .iter()
            .filter(|(engine, _)| *engine != "rayon")
            .filter_map(|(engine, _)| of(engine))
            .collect()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, engine, times, answer, expected } = self;
        let runs = plural(*times, "run", "runs");
        write!(f, "WRONG: {kernel} on {engine}: {answer} instead of {expected} ({times} {runs})")
    }
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
