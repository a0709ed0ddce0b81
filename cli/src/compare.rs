//! `gristmill compare`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use perf::{Options, Size};

use crate::REFUSED;
use crate::pools::complain;

/// Run the kernels on every engine side by side, check the answers, and report.
///
/// Every round runs each kernel once on each engine, in shuffled order; what counts is the ratio within a
/// round. Below 1 is faster than rayon. Answers are checked against serial code: if one is wrong the exit
/// code is 1.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct Arguments {
    /// Run only these kernels
    #[arg(long, value_name = "KERNELS", value_delimiter = ',')]
    only: Vec<String>,
    /// Run only these engines
    #[arg(long, value_name = "ENGINES", value_delimiter = ',')]
    engines: Vec<String>,
    /// Threads in each engine's pool, 1 to 4096 [default: what the machine offers]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// small or large; or a number, which is the size of the one kernel named by --only
    /// [default: large, with --quick small]
    #[arg(long, value_name = "SIZE")]
    size: Option<Size>,
    /// Count the words of the texts in this folder instead of generated text
    #[arg(long, value_name = "FOLDER")]
    input: Option<PathBuf>,
    /// Small kernels and a limit on the time: under a minute in all on two cores
    #[arg(long)]
    quick: bool,
    /// Timed rounds, after a warm-up [default: 9, with --quick 15]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Repeat the order of an earlier run, which printed its seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the results as CSV; both ratios in it are time over time, below 1 is faster
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the results as a page with plots
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    html: PathBuf,
    /// Leave CPython out
    #[arg(long)]
    no_python: bool,
}

/// Runs the comparison and says how it went.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let options = Options {
        only: arguments.only,
        engines: arguments.engines,
        workers: arguments.workers,
        size: arguments.size,
        input: arguments.input,
        quick: arguments.quick,
        rounds: arguments.rounds,
        seed: arguments.seed,
        csv: arguments.csv,
        html: Some(arguments.html),
        python: !arguments.no_python,
    };
    match perf::compare(&options, &mut io::stdout()) {
        Ok(measured) => ExitCode::from(measured.exit_code()),
        Err(error) => {
            complain(error.to_string());
            ExitCode::from(REFUSED)
        }
    }
}

fn after_help() -> String {
    let kernels = perf::kernels::ENTRIES.iter().map(|entry| format!("  {:<12}{}", entry.name, entry.what));
    let engines =
        perf::engines::all().into_iter().map(|engine| format!("  {:<12}{}", engine.name, engine.about));
    let python =
        std::iter::once(format!("  {:<12}a ProcessPoolExecutor, where a python3 is found", "cpython"));
    let lines = |lines: Vec<String>| lines.join("\n");
    format!("Kernels:\n{}\n\nEngines:\n{}", lines(kernels.collect()), lines(engines.chain(python).collect()))
}
