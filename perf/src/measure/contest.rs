//! A contest: several engines do the same thing in turns, interleaved and in shuffled order.

use indicatif::ProgressBar;

use crate::compare::Spread;
use crate::compare::foreign::Moment;
use crate::compare::shuffle::Shuffler;

/// A round in which others used more than this many CPUs is held again.
const SPOILT: f64 = 0.5;

/// What one engine does in a round; returns one value for each reading.
pub(super) type Turn = Box<dyn FnMut() -> Vec<f64>>;

/// One engine on one number of workers.
pub(super) struct Contestant {
    pub(super) engine: &'static str,
    pub(super) workers: usize,
    pub(super) turn: Turn,
}

impl Contestant {
    pub(super) fn new(
        engine: &'static str,
        workers: usize,
        turn: impl FnMut() -> Vec<f64> + 'static,
    ) -> Self {
        Self { engine, workers, turn: Box::new(turn) }
    }
}

/// What gristmill is to reach in a reading.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    /// At most this much of rayon's value on as many workers.
    OverRayon(f64),
    /// At most this much of another engine's value on as many workers (of the serial one on 1).
    Over(&'static str, f64),
    /// At most this much of gristmill's own value on so many workers.
    OverWorkers(usize, f64),
    /// At least this many times faster than serial.
    Speedup(f64),
    /// At most this.
    AtMost(f64),
}

/// One of the values that a turn returns.
pub(super) struct Reading {
    pub(super) measure: String,
    pub(super) unit: &'static str,
    pub(super) goals: Vec<Goal>,
}

impl Reading {
    pub(super) fn new(measure: impl Into<String>, unit: &'static str, goals: &[Goal]) -> Self {
        Self { measure: measure.into(), unit, goals: goals.to_vec() }
    }
}

/// See the module.
pub(super) struct Contest {
    pub(super) contestants: Vec<Contestant>,
    pub(super) readings: Vec<Reading>,
    /// Rounds that are enough, for what is slow and steady; also says that no warm-up is needed.
    pub(super) enough: Option<usize>,
}

/// One line of the results.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub measure: String,
    /// By whom.
    pub engine: &'static str,
    /// Threads it had.
    pub workers: usize,
    /// The value in each round.
    pub value: Spread,
    /// What the value counts; `x NAME` for a ratio to another engine.
    pub unit: String,
    /// The value over rayon's in the same round.
    pub to_rayon: Option<Spread>,
    /// The bound that the ratio to rayon, or else the value, is to keep.
    pub target: Option<f64>,
    /// Whether the median keeps it.
    pub met: Option<bool>,
    /// CPUs that other programs kept busy during the rounds that count.
    pub foreign: Option<f64>,
    /// Rounds that count, and rounds that were held.
    pub rounds: (usize, usize),
}

/// The values of a contestant: reading by reading, round by round.
type Values = Vec<Vec<f64>>;

impl Contest {
    /// Holds `rounds` rounds after a warm-up, and up to twice as many if others spoil some.
    pub(super) fn hold(mut self, rounds: usize, shuffler: &mut Shuffler, progress: &ProgressBar) -> Vec<Row> {
        if self.enough.is_none() {
            for contestant in &mut self.contestants {
                (contestant.turn)();
            }
        }
        let rounds = self.enough.map_or(rounds, |enough| enough.min(rounds));
        let empty: Vec<Values> = vec![vec![Vec::new(); self.readings.len()]; self.contestants.len()];
        let (mut quiet, mut spoilt) = ((empty.clone(), Vec::new()), (empty, Vec::new()));
        let mut held = 0;
        while quiet.1.len() < rounds && held < 2 * rounds {
            held += 1;
            let begun = Moment::now();
            let mut results: Vec<Option<Vec<f64>>> = vec![None; self.contestants.len()];
            for place in shuffler.order(self.contestants.len()) {
                results[place] = Some((self.contestants[place].turn)());
            }
            let foreign = begun.and_then(Moment::foreign_since);
            let kept = if foreign.is_some_and(|foreign| foreign > SPOILT) { &mut spoilt } else { &mut quiet };
            kept.1.push(foreign);
            for (values, result) in kept.0.iter_mut().zip(results.into_iter().flatten()) {
                for (values, value) in values.iter_mut().zip(result) {
                    values.push(value);
                }
            }
            progress.tick();
        }
        // Better bad news than none, and the column `foreign` says that it is bad.
        let (values, foreign) = if quiet.1.is_empty() { spoilt } else { quiet };
        let counted = (foreign.len(), held);
        let foreign = Spread::of(foreign.into_iter().flatten()).map(|foreign| foreign.median);
        let mut rows = Vec::new();
        for (index, reading) in self.readings.iter().enumerate() {
            let values: Vec<&[f64]> = values.iter().map(|values| &*values[index]).collect();
            rows.extend(self.rows(reading, &values));
        }
        rows.into_iter().map(|row| Row { foreign, rounds: counted, ..row }).collect()
    }

    fn find(&self, engine: &str, workers: usize) -> Option<usize> {
        let is = |c: &Contestant| c.engine == engine && (c.workers == workers || engine == "serial");
        self.contestants.iter().position(is)
    }

    fn rows(&self, reading: &Reading, values: &[&[f64]]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (contestant, own) in self.contestants.iter().zip(values) {
            let ours = contestant.engine == "gristmill";
            let over = |engine: &str, workers: usize| {
                let other = values[self.find(engine, workers)?];
                let known = own.iter().zip(other).filter(|(_, other)| **other > 0.0);
                Spread::of(known.map(|(own, other)| own / other))
            };
            let Some(value) = Spread::of(own.iter().copied()) else { continue };
            let mut first = Row {
                measure: reading.measure.clone(),
                engine: contestant.engine,
                workers: contestant.workers,
                value,
                unit: reading.unit.to_owned(),
                to_rayon: over("rayon", contestant.workers).filter(|_| contestant.engine != "rayon"),
                target: None,
                met: None,
                foreign: None,
                rounds: (0, 0),
            };
            let mut more = Vec::new();
            let mut ratio =
                |spread: Option<Spread>, unit: String, target: Option<f64>, met: fn(f64, f64) -> bool| {
                    more.extend(spread.map(|value| Row {
                        value,
                        unit,
                        to_rayon: None,
                        target,
                        met: target.map(|target| met(value.median, target)),
                        ..first.clone()
                    }));
                };
            let below = |value: f64, bound: f64| value <= bound;
            let above = |value: f64, bound: f64| value >= bound;
            let mut judged = None;
            for goal in &reading.goals {
                match *goal {
                    Goal::OverRayon(bound) if ours => {
                        judged = first.to_rayon.map(|ratio| (bound, ratio.median <= bound));
                    }
                    Goal::AtMost(bound) if ours => judged = Some((bound, value.median <= bound)),
                    Goal::Over(other, bound) if ours => {
                        ratio(over(other, contestant.workers), format!("x {other}"), Some(bound), below);
                    }
                    Goal::OverWorkers(few, bound) if ours && contestant.workers > few => {
                        ratio(over("gristmill", few), format!("x {few} workers"), Some(bound), below);
                    }
                    Goal::Speedup(bound) if contestant.engine != "serial" => {
                        let speedup = over("serial", 1).map(Spread::inverse);
                        ratio(speedup, "speed-up".to_owned(), ours.then_some(bound), above);
                    }
                    _ => {}
                }
            }
            (first.target, first.met) = judged.unzip();
            rows.push(first);
            rows.extend(more);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressBar;

    use super::{Contest, Contestant, Goal, Reading};
    use crate::compare::shuffle::Shuffler;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut round = 0.0;
        let drifting = move |factor: f64| {
            round += 1.0;
            vec![round * factor]
        };
        let engine = |name, workers, factor| {
            let mut drifting = drifting;
            Contestant::new(name, workers, move || drifting(factor))
        };
        let contest = Contest {
            contestants: vec![
                engine("serial", 1, 8.0),
                engine("rayon", 2, 10.0),
                engine("gristmill", 2, 4.0),
                engine("gristmill", 8, 5.0),
            ],
            readings: vec![Reading::new(
                "nothing",
                "ns",
                &[
                    Goal::OverRayon(0.5),
                    Goal::Over("serial", 0.4),
                    Goal::OverWorkers(2, 1.3),
                    Goal::Speedup(2.0),
                ],
            )],
            enough: None,
        };
        let rows = contest.hold(3, &mut Shuffler::new(1), &ProgressBar::hidden());
        let of = |workers, unit: &str| {
            rows.iter().find(|row| row.engine == "gristmill" && row.workers == workers && row.unit == unit)
        };
        let plain = of(2, "ns").unwrap();
        assert_eq!(plain.value.median, 12.0);
        assert_eq!((plain.to_rayon.unwrap().high, plain.target, plain.met), (0.4, Some(0.5), Some(true)));
        assert_eq!(
            (of(2, "x serial").unwrap().value.low, of(2, "x serial").unwrap().met),
            (0.5, Some(false))
        );
        assert_eq!(
            (of(8, "x 2 workers").unwrap().value.low, of(8, "x 2 workers").unwrap().met),
            (1.25, Some(true))
        );
        assert_eq!(of(2, "speed-up").unwrap().met, Some(true));
        assert!(of(2, "x 2 workers").is_none() && of(8, "ns").unwrap().target.is_none());
    }
}
