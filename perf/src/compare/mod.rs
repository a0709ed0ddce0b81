//! `gristmill compare`: from a request to a report.

mod apart;
mod charts;
mod executors;
pub(crate) mod foreign;
pub(crate) mod machine;
pub(crate) mod names;
pub(crate) mod options;
mod page;
pub(crate) mod python;
mod report;
mod rounds;
mod sheet;
pub(crate) mod shuffle;
pub(crate) mod spread;
pub(crate) mod table;

use std::fs::{self, File};
use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};

pub use options::{MAX_WORKERS, Options, Size};
pub use rounds::{Measured, Row, Wrong, measure};
pub use sheet::write_csv;
pub use spread::Spread;

use crate::CompareError;
use foreign::Moment;
use machine::Machine;
use options::Plan;
use report::Report;
use rounds::Manner;

/// Checks the request, runs the comparison, prints the table to `out` and writes the files.
/// While it runs, a progress bar stands on stderr if that is a terminal.
///
/// # Errors
///
/// Whatever is wrong with the request, before anything is run: a name that is in no list, a number out of
/// range, a folder that cannot be read, a file that cannot be written. Later only a failure to write.
/// Wrong answers are not an error of the comparison: they are in [`Measured::wrong`].
///
/// # Examples
///
/// ```
/// let options = perf::Options {
///     only: vec!["fib".into()],
///     engines: vec!["serial".into(), "rayon".into()],
///     size: Some(perf::Size::Exactly(20)),
///     rounds: Some(2),
///     html: None,
///     ..perf::Options::default()
/// };
/// let measured = perf::compare(&options, &mut std::io::sink())?;
/// assert_eq!(measured.rows.len(), 2);
/// # Ok::<_, perf::CompareError>(())
/// ```
pub fn compare(options: &Options, out: &mut dyn Write) -> Result<Measured, CompareError> {
    let plan = Plan::check(options)?;
    let mut pools = plan.open_pools()?;
    let mut trials = plan.make_trials()?;
    let machine = Machine::look();
    writeln!(out, "{}, {} hardware threads, {}", machine.cpu, machine.threads, machine.kernel)?;
    writeln!(out, "{}, {}, seed {}", machine.rustc, machine.date, plan.seed)?;
    out.flush()?;

    let manner = Manner { workers: plan.workers, rounds: plan.rounds, limit: plan.limit, seed: plan.seed };
    let progress = progress_bar(rounds::runs(&trials, &pools, plan.rounds));
    let begun = Moment::now();
    let mut measured = rounds::grind(&mut trials, &mut pools, &manner, &progress);
    let foreign = begun.and_then(Moment::foreign_since);
    progress.set_message("cpython");
    let mut notes = apart::run(&plan, &mut pools, &mut measured);
    let executors = if options.only.is_empty() && options.engines.is_empty() {
        progress.set_message("executors");
        executors::run(&plan, &progress)?
    } else {
        Vec::new()
    };
    progress.finish_and_clear();
    notes.extend(trials.into_iter().filter_map(|trial| trial.note));

    if measured.rounds < plan.rounds {
        let (finished, asked) = (measured.rounds, plan.rounds);
        notes.push(format!("The time limit of --quick ended the run after {finished} of {asked} rounds."));
    }
    if plan.workers > machine.threads {
        let (workers, threads) = (plan.workers, machine.threads);
        notes.push(format!(
            "{workers} workers share {threads} hardware threads: times say little about speedup."
        ));
    }
    if cfg!(debug_assertions) {
        notes.push("This is a debug build: its times say nothing. Use cargo run --release.".to_owned());
    }
    let report = Report {
        machine,
        workers: plan.workers,
        seed: plan.seed,
        rounds: plan.rounds,
        engines: plan.engines.iter().map(|engine| (engine.name, engine.about)).collect(),
        foreign,
        measured,
        executors,
        notes,
    };
    table::print(&report, out)?;
    write_files(options, &report, out)?;
    Ok(report.measured)
}

fn write_files(options: &Options, report: &Report, out: &mut dyn Write) -> Result<(), CompareError> {
    if let Some(path) = &options.csv {
        let written = File::create(path)
            .and_then(|file| write_csv(&report.measured.rows, file).map_err(io::Error::from));
        written.map_err(|source| CompareError::Output { option: "--csv", path: path.clone(), source })?;
        writeln!(out, "CSV: {}", path.display())?;
    }
    if let Some(path) = &options.html {
        let written = fs::write(path, page::page(report));
        written.map_err(|source| CompareError::Output { option: "--html", path: path.clone(), source })?;
        writeln!(out, "HTML: {}", path.display())?;
    }
    Ok(())
}

pub(crate) fn progress_bar(runs: usize) -> ProgressBar {
    let bar = ProgressBar::new(runs as u64);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
