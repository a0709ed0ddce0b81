//! `gristmill measure`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use perf::measure::{MEASURES, Options, grown, run as take};

use crate::REFUSED;
use crate::pools::complain;

/// Measure what is no kernel: the cost of a join, a spawn, a wake-up, a pool; each beside its peers.
///
/// Every round gives each engine one turn, in shuffled order; what counts is the ratio within a round. A target
/// that is missed does not change the exit code.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct Arguments {
    /// Take only these measures
    #[arg(long, value_name = "MEASURES", value_delimiter = ',')]
    only: Vec<String>,
    /// Timed rounds of each, after a warm-up
    #[arg(long, value_name = "N", default_value_t = Options::default().rounds)]
    rounds: usize,
    /// How long to watch pools that have nothing to do
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600))]
    idle_seconds: u32,
    /// Repeat the order of an earlier run, which printed its seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the results as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Measures the memory of one pool; `measure` starts the command again with this.
#[derive(Args)]
pub(crate) struct PoolMemory {
    engine: String,
    workers: usize,
}

/// Takes the measurements and says how it went.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let options = Options {
        only: arguments.only,
        rounds: arguments.rounds,
        idle_seconds: arguments.idle_seconds.into(),
        seed: arguments.seed,
        csv: arguments.csv,
        program: None,
    };
    ended(take(&options, &mut io::stdout()).map(drop))
}

/// Prints by how many KiB a pool lets the process grow.
pub(crate) fn pool_memory(arguments: &PoolMemory) -> ExitCode {
    ended(grown(&arguments.engine, arguments.workers).map(|kib| println!("{kib}")))
}

fn ended(result: Result<(), perf::CompareError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.to_string());
            ExitCode::from(REFUSED)
        }
    }
}

fn after_help() -> String {
    let lines: Vec<_> =
        MEASURES.iter().map(|measure| format!("  {:<16}{}", measure.name, measure.about)).collect();
    format!("Measures:\n{}", lines.join("\n"))
}
