//! Executors beside each other: many tasks at once, and one task and its result.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::ProgressBar;

use super::options::Plan;
use super::shuffle::Shuffler;
use super::spread::Spread;
use super::table::figures;
use crate::CompareError;
use crate::executors::{EXECUTORS, PYTHON, flood, trips};

/// One executor's times over the rounds.
pub(super) struct Timed {
    name: &'static str,
    about: &'static str,
    /// Nanoseconds for each of many tasks.
    task: Option<Spread>,
    /// Microseconds from a submission to the result: median and 99th percentile.
    trip: [Option<Spread>; 2],
}

pub(super) const HEAD: [&str; 6] =
    ["executor", "tasks per s", "ns per task", "trip p50 us", "trip p99 us", "with"];

pub(super) const ABOUT: &str = "A million tiny tasks (quick: 100,000) submitted by one thread, then the result of each; \
    and one task after the other, from its submission until its result is there. Medians over the rounds.";

/// Runs all of them in turns.
pub(super) fn run(plan: &Plan, progress: &ProgressBar) -> Result<Vec<Timed>, CompareError> {
    let (tasks, times, rounds) = if plan.quick { (100_000, 2_000, 3) } else { (1_000_000, 20_000, 5) };
    let executors =
        EXECUTORS.iter().map(|listing| (listing.open)(plan.workers)).collect::<Result<Vec<_>, _>>()?;
    let mut values = vec![[const { Vec::new() }; 3]; executors.len()];
    let mut shuffler = Shuffler::new(plan.seed);
    // The first round only warms up.
    for round in 0..=rounds {
        for place in shuffler.order(executors.len()) {
            let each = flood(&*executors[place], tasks);
            let [median, late] = trips(&*executors[place], times, None);
            if round > 0 {
                for (values, value) in values[place].iter_mut().zip([each, median, late]) {
                    values.push(value);
                }
            }
            progress.tick();
        }
    }
    let spread = |values: &[f64]| Spread::of(values.iter().copied());
    let mut timed: Vec<Timed> = EXECUTORS
        .iter()
        .zip(&values)
        .map(|(listing, [task, median, late])| Timed {
            name: listing.name,
            about: listing.about,
            task: spread(task),
            trip: [spread(median), spread(late)],
        })
        .collect();
    if let Ok(python) = &plan.python {
        let asked = format!("{} {} 2000", plan.workers, if plan.quick { 20_000 } else { 100_000 });
        let said = python.script(PYTHON, &asked, Duration::from_secs(120)).unwrap_or_default();
        let said: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        if let [each, median, late, ..] = said[..] {
            let one = |value| Spread::of([value]);
            let trip = [one(median), one(late)];
            timed.push(Timed { name: "cpython", about: "ThreadPoolExecutor", task: one(each), trip });
        }
    }
    Ok(timed)
}

/// One line of the table.
pub(super) fn cells(timed: &Timed) -> [String; 6] {
    let median =
        |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |spread| figures(spread.median));
    let rate = timed.task.map_or_else(|| "-".to_owned(), |task| format!("{:.0}", 1e9 / task.median));
    [
        timed.name.to_owned(),
        rate,
        median(timed.task),
        median(timed.trip[0]),
        median(timed.trip[1]),
        timed.about.to_owned(),
    ]
}

pub(super) fn print(timed: &[Timed], out: &mut dyn Write) -> io::Result<()> {
    if timed.is_empty() {
        return Ok(());
    }
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(timed.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for line in &lines {
        let text: String = line
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 | 5 => format!("{cell:<width$}  "),
                _ => format!("{cell:>width$}  "),
            })
            .collect();
        writeln!(out, "{}", text.trim_end())?;
    }
    writeln!(out)
}
