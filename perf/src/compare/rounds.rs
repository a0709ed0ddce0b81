//! The measurement itself: interleaved rounds in shuffled order, and the ratios within them.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use kernels::{Answer, Case};

use super::shuffle::Shuffler;
use super::spread::Spread;
use crate::engines::{Peer, Tally};
use crate::trial::Trial;

/// One kernel on one engine.
#[derive(Debug, Clone)]
pub struct Row {
    /// The kernel's name.
    pub kernel: &'static str,
    /// The engine's name.
    pub engine: String,
    /// The size of the kernel, in its own unit.
    pub size: usize,
    /// Threads the engine had.
    pub workers: usize,
    /// Time of a run, in seconds.
    pub seconds: Spread,
    /// Its time over rayon's in the same round: below 1 is faster than rayon.
    pub to_rayon: Option<Spread>,
    /// Its time over the serial time in the same round: below 1 is faster than serial.
    pub to_serial: Option<Spread>,
    /// Steals and parks of a run (medians), from engines that count them.
    pub tally: Option<Tally>,
    /// Whether every answer was the serial one.
    pub answer_ok: bool,
}

/// An answer that differed from the serial one.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// The kernel's name.
    pub kernel: &'static str,
    /// The engine that was wrong.
    pub engine: String,
    /// How many runs were wrong.
    pub times: usize,
    /// The first wrong answer.
    pub answer: Answer,
    /// The serial answer.
    pub expected: Answer,
}

/// What [`measure`] found.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Kernel by kernel, engine by engine, in the order they were given.
    pub rows: Vec<Row>,
    /// Every engine that was wrong, once for each kernel.
    pub wrong: Vec<Wrong>,
    /// Timed rounds that were finished.
    pub rounds: usize,
}

impl Measured {
    /// What a program that measured should exit with: 0, or 1 if there were wrong answers.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.wrong.is_empty())
    }
}

/// How to measure.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) workers: usize,
    pub(super) rounds: usize,
    pub(super) limit: Option<Duration>,
    pub(super) seed: u64,
}

/// Grinds every kernel on every engine that can run it: one warm-up round, then `rounds` timed ones.
/// Within a round the engines follow one another on the same kernel, so that what else the machine
/// does meets them alike. Every answer, the warm-up's too, is checked against the serial one.
///
/// # Examples
///
/// ```
/// let fib = perf::Trial::make(*kernels::entry("fib")?, 20)?;
/// let mut peers = vec![perf::engines::all()[0].open(1)?];
/// let measured = perf::measure(&mut [fib], &mut peers, 1, 2, 42);
/// assert!(measured.wrong.is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn measure(
    trials: &mut [Trial],
    peers: &mut [Box<dyn Peer>],
    workers: usize,
    rounds: usize,
    seed: u64,
) -> Measured {
    let manner = Manner { workers, rounds, limit: None, seed };
    grind(trials, peers, &manner, &ProgressBar::hidden())
}

/// How many runs the rounds come to, the warm-up's among them.
pub(super) fn runs(trials: &[Trial], peers: &[Box<dyn Peer>], rounds: usize) -> usize {
    let of = |trial: &Trial| peers.iter().filter(|peer| peer.supports(trial.entry.shape)).count();
    trials.iter().map(of).sum::<usize>() * (rounds + 1)
}

/// The measurements of one pair of kernel and engine, round by round.
#[derive(Debug, Clone, Default)]
struct Runs {
    seconds: Vec<f64>,
    tallies: Vec<Tally>,
    wrong: usize,
    wrong_answer: Option<Answer>,
}

pub(super) fn grind(
    trials: &mut [Trial],
    peers: &mut [Box<dyn Peer>],
    manner: &Manner,
    progress: &ProgressBar,
) -> Measured {
    let expected: Vec<Answer> = trials.iter_mut().map(Trial::expected).collect();
    let mut runs = vec![vec![Runs::default(); peers.len()]; trials.len()];
    let mut shuffler = Shuffler::new(manner.seed);
    let begun = Instant::now();
    let mut finished = 0;
    for round in 0..=manner.rounds {
        if round > 1 && manner.limit.is_some_and(|limit| begun.elapsed() > limit) {
            break;
        }
        for kernel in shuffler.order(trials.len()) {
            let Trial { entry, case, .. } = &mut trials[kernel];
            for engine in shuffler.order(peers.len()) {
                let peer = &mut peers[engine];
                if !peer.supports(entry.shape) {
                    continue;
                }
                progress.set_message(format!("{} on {}", entry.name, peer.name()));
                let runs = &mut runs[kernel][engine];
                let (seconds, tally) = timed(peer.as_mut(), case);
                if round > 0 {
                    runs.seconds.push(seconds);
                    runs.tallies.extend(tally);
                }
                let answer = case.answer();
                if !answer.agrees(&expected[kernel]) {
                    runs.wrong += 1;
                    runs.wrong_answer.get_or_insert(answer);
                }
                progress.inc(1);
            }
        }
        finished = round;
    }
    let mut measured = Measured { rounds: finished, ..Measured::default() };
    for ((trial, runs), expected) in trials.iter().zip(&runs).zip(expected) {
        let of = |name| peers.iter().position(|peer| peer.name() == name).map(|place| &runs[place].seconds);
        for (peer, own) in peers.iter().zip(runs) {
            measured.rows.extend(row(trial, peer.name(), manner.workers, own, of("rayon"), of("serial")));
            if let Some(answer) = own.wrong_answer {
                let engine = peer.name().to_owned();
                measured.wrong.push(Wrong {
                    kernel: trial.entry.name,
                    engine,
                    times: own.wrong,
                    answer,
                    expected,
                });
            }
        }
    }
    measured
}

fn timed(peer: &mut dyn Peer, case: &mut Case) -> (f64, Option<Tally>) {
    case.prepare();
    peer.rouse();
    let before = peer.tally();
    let begun = Instant::now();
    // A panic has been printed by the time it is caught; the answer it left out is what gets reported.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| peer.run(case)));
    let seconds = begun.elapsed().as_secs_f64();
    if outcome.is_err() {
        case.prepare();
    }
    let after = peer.tally();
    peer.rest();
    (seconds, after.zip(before).map(|(after, before)| after.since(before)))
}

fn row(
    trial: &Trial,
    engine: &str,
    workers: usize,
    own: &Runs,
    rayon: Option<&Vec<f64>>,
    serial: Option<&Vec<f64>>,
) -> Option<Row> {
    let ratios = |peer: Option<&Vec<f64>>| {
        Spread::of(own.seconds.iter().zip(peer?).map(|(own, peer)| own / peer.max(f64::MIN_POSITIVE)))
    };
    let middle = |count: fn(&Tally) -> u64| Spread::of(own.tallies.iter().map(|tally| count(tally) as f64));
    let tally = middle(|tally| tally.steals).zip(middle(|tally| tally.parks));
    Some(Row {
        kernel: trial.entry.name,
        engine: engine.to_owned(),
        size: trial.size,
        workers: if engine == "serial" { 1 } else { workers },
        seconds: Spread::of(own.seconds.iter().copied())?,
        to_rayon: ratios(rayon),
        to_serial: ratios(serial),
        tally: tally.map(|(steals, parks)| Tally {
            steals: steals.median.round() as u64,
            parks: parks.median.round() as u64,
        }),
        answer_ok: own.wrong == 0,
    })
}
