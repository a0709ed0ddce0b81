//! `gristmill run`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Args;
use gristmill::config::Memory;
use gristmill::locality::{Place, Plan};

use crate::pools::{Source, refused};

/// Where a program is told how many threads to start, if it is not told already.
const COUNTS: [&str; 3] = ["GRISTMILL_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"];

/// Run a program on the CPUs of a pool.
///
/// It may run on those CPUs and no others, and so may what it starts. GRISTMILL_NUM_THREADS, OMP_NUM_THREADS and
/// RAYON_NUM_THREADS are set to the number of workers where they are not set.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The pool
    #[arg(long, value_name = "NAME")]
    pool: String,
    /// Say on standard error what was chosen
    #[arg(long, short)]
    verbose: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// Becomes the program; comes back only if that cannot be.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match start(arguments) {
        Ok(never) => match never {},
        Err(error) => refused(error),
    }
}

fn start(arguments: &Arguments) -> Result<std::convert::Infallible, String> {
    let pool = arguments.source.config()?.pool(&arguments.pool).map_err(|error| error.to_string())?;
    if pool.memory() != Memory::Local {
        return Err(format!(
            "pool `{}`: memory = \"{}\" is not supported by this version; expected \"local\"",
            pool.name(),
            pool.memory()
        ));
    }
    let (plan, machine) = Plan::detect(&pool).map_err(|error| error.to_string())?;
    if arguments.verbose {
        eprintln!("gristmill: CPU {}, {} workers: {}", plan.cpus(), plan.workers(), plan.why());
    }
    let place = Place::new(&machine, plan.cpus().clone());
    place.occupy().map_err(|error| format!("pool `{}`: CPU {}: {error}", pool.name(), plan.cpus()))?;
    let mut command = Command::new(&arguments.program[0]);
    command.args(&arguments.program[1..]);
    for count in COUNTS.iter().filter(|count| std::env::var_os(count).is_none()) {
        command.env(count, plan.workers().to_string());
    }
    let error = command.exec();
    Err(format!("{}: cannot be started: {error}", arguments.program[0].to_string_lossy()))
}
