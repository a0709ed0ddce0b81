//! What runs apart from the rounds: CPython, at sizes of its own, with Rust beside it at the same sizes.

use std::path::Path;
use std::time::Duration;

use kernels::{Answer, Entry, corpus};

use super::options::{CPYTHON, Plan};
use super::python::{self, Job, Said};
use super::rounds::{Measured, Row, Wrong, measure};
use super::spread::Spread;
use crate::engines::Peer;
use crate::trial::{READS_INPUT, Trial};

/// Adds CPython's rows to `measured`, each after the other rows of its kernel, and returns notes on it.
pub(super) fn run(plan: &Plan, pools: &mut [Box<dyn Peer>], measured: &mut Measured) -> Vec<String> {
    let python = match &plan.python {
        Ok(python) => python,
        Err(why) if why.is_empty() => return Vec::new(),
        Err(why) => return vec![why.clone()],
    };
    let texts = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return vec![format!("cpython was skipped: no temporary folder: {error}")],
    };
    let known = |(entry, _): &(Entry, usize)| job(entry, plan, texts.path());
    let jobs: Vec<Job> = plan.kernels.iter().filter_map(known).collect();
    if jobs.is_empty() {
        return vec![
            "cpython was skipped: none of these kernels has a counterpart in pure Python".to_owned(),
        ];
    }
    // More processes than the machine has threads would only measure their number.
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(plan.workers);
    let (rounds, limit) = if plan.quick { (3, 0.6) } else { (5, 4.0) };
    let said = match python.run(&jobs, workers, rounds, Duration::from_secs_f64(limit)) {
        Ok(said) => said,
        Err(why) => return vec![why],
    };
    for (job, said) in jobs.iter().zip(&said).filter(|(job, said)| job.kernel == said.kernel) {
        set_beside(plan, pools, job, said, workers, measured);
    }
    vec![format!(
        "cpython is {} with a ProcessPoolExecutor of {} processes, pure Python, run apart from the rounds and at the \
         smaller sizes shown; its ratios are to serial and rayon at those same sizes.",
        python.name(),
        workers
    )]
}

/// What the script is to do with a kernel, if it knows it. For the one that reads, texts are made up in
/// `folder`; a folder of the user's is left to Rust, since the two languages do not agree in every script
/// on what a letter is.
fn job(entry: &Entry, plan: &Plan, folder: &Path) -> Option<Job> {
    let size = python::size(entry.name, plan.quick)?;
    if entry.name != READS_INPUT {
        return Some(Job { kernel: entry.name, size, folder: None });
    }
    let written = plan.input.is_none() && corpus::write(&corpus::documents(size), folder).is_ok();
    written.then(|| Job { kernel: entry.name, size, folder: Some(folder.to_owned()) })
}

/// Runs Rust at the size of a finished job, checks the job's answer, and adds the row.
fn set_beside(
    plan: &Plan,
    pools: &mut [Box<dyn Peer>],
    job: &Job,
    said: &Said,
    workers: usize,
    measured: &mut Measured,
) {
    let entry = plan.kernels.iter().map(|(entry, _)| *entry).find(|entry| entry.name == job.kernel);
    let trial = entry.map(|entry| match &job.folder {
        Some(folder) => Trial::read(entry, folder),
        None => Trial::make(entry, job.size),
    });
    let Some(Ok(mut trial)) = trial else { return };
    let Some(seconds) = Spread::of(said.seconds.iter().copied()) else { return };
    let expected = trial.expected();
    let answer = match expected {
        Answer::Digest(_) => Answer::Digest(said.answer),
        _ => Answer::Count(said.answer),
    };
    let beside = measure(&mut [trial], pools, plan.workers, 5, plan.seed);
    let ratio = |engine: &str| {
        let peer = beside.rows.iter().find(|row| row.engine == engine)?.seconds.median;
        Spread::of(said.seconds.iter().map(|seconds| seconds / peer.max(f64::MIN_POSITIVE)))
    };
    let row = Row {
        kernel: job.kernel,
        engine: CPYTHON.to_owned(),
        size: job.size,
        workers,
        seconds,
        to_rayon: ratio("rayon"),
        to_serial: ratio("serial"),
        tally: None,
        answer_ok: answer.agrees(&expected),
    };
    if !row.answer_ok {
        let engine = CPYTHON.to_owned();
        measured.wrong.push(Wrong {
            kernel: job.kernel,
            engine,
            times: said.seconds.len(),
            answer,
            expected,
        });
    }
    let after = measured.rows.iter().rposition(|row| row.kernel == job.kernel);
    measured.rows.insert(after.map_or(measured.rows.len(), |place| place + 1), row);
}
