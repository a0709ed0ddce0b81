//! `gristmill run`.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Args;
use gristmill::locality::{MemoryPolicy, Place, Plan};

use crate::pools::{Source, complain, count, refused};

/// Where a program is told how many threads to start, if it is not told already.
const COUNTS: [&str; 3] = ["GRISTMILL_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"];

/// The exit codes for programs that are not there, or cannot be run, as shells and `env` have them.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;
/// By which the C library is told to ask for huge pages.
const TUNABLES: &str = "GLIBC_TUNABLES";
const HUGE: &str = "glibc.malloc.hugetlb";

/// Run a program on the CPUs of a pool, with its memory.
///
/// It may run on those CPUs and no others, its memory comes from where the pool's does, and so it is with what it starts.
/// GRISTMILL_NUM_THREADS, OMP_NUM_THREADS and RAYON_NUM_THREADS are set to the number of workers where they are not set; for
/// `huge_pages = true`, GLIBC_TUNABLES makes malloc ask for them. The exit code is the program's; 127 if it is not there, 126
/// if it cannot be run, 2 if the pool cannot be had.
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
        Ok(error) => {
            let program = arguments.program[0].to_string_lossy();
            let _ = refused(format!("{program}: cannot be started: {error}"));
            ExitCode::from(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED })
        }
        Err(error) => refused(error),
    }
}

/// Why the program could not be started, unless something was wrong before.
fn start(arguments: &Arguments) -> Result<io::Error, String> {
    let pool = arguments.source.config()?.pool(&arguments.pool).map_err(|error| error.to_string())?;
    let (plan, machine) = Plan::detect(&pool).map_err(|error| error.to_string())?;
    if arguments.verbose {
        complain(format!("CPU {}, {}: {}", plan.cpus(), count(plan.workers(), "worker"), plan.why()));
        if *plan.memory() != MemoryPolicy::Local {
            complain(format!("memory: {:?}", plan.memory()));
        }
    }
    let place = Place::new(&machine, plan.cpus().clone());
    place.occupy().map_err(|error| format!("pool `{}`: CPU {}: {error}", pool.name(), plan.cpus()))?;
    if *plan.memory() != MemoryPolicy::Local {
        // It holds for the program as well.
        plan.memory().take_up().map_err(|error| format!("pool `{}`: {error}", pool.name()))?;
    }
    let mut command = Command::new(&arguments.program[0]);
    command.args(&arguments.program[1..]);
    for count in COUNTS.iter().filter(|count| std::env::var_os(count).is_none()) {
        command.env(count, plan.workers().to_string());
    }
    if pool.huge_pages() {
        let mut tunables = std::env::var_os(TUNABLES).unwrap_or_default();
        if !tunables.to_string_lossy().contains(HUGE) {
            tunables.push(if tunables.is_empty() { "" } else { ":" });
            tunables.push(format!("{HUGE}=1"));
            command.env(TUNABLES, tunables);
        }
    }
    Ok(command.exec())
}
