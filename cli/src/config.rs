//! `gristmill config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use gristmill::Config;
use gristmill::config::json_schema;
use gristmill::locality::Plan;

use crate::pools::{count, refused, say};

/// Check a configuration, or print the schema of such files.
#[derive(Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Say all that is wrong with a file, and with the environment; and whether its pools fit this machine
    Check {
        /// The file
        file: PathBuf,
        /// Do not ask whether its pools fit this machine
        #[arg(long)]
        only_file: bool,
    },
    /// Print the JSON schema of such files, for editors
    Schema,
}

/// Checks, and says how it went.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.task {
        Task::Schema => {
            say(json_schema());
            ExitCode::SUCCESS
        }
        Task::Check { file, only_file } => match Config::builder().file(file).load() {
            Err(error) => refused(error.to_string()),
            Ok(config) => check(&config, *only_file),
        },
    }
}

fn check(config: &Config, only_file: bool) -> ExitCode {
    config.notes().iter().for_each(|note| say(format!("{note}\n")));
    if config.pools().next().is_none() {
        say("no pool is described\n");
    }
    let mut misfits = Vec::new();
    for pool in config.pools() {
        match Plan::detect(&pool) {
            _ if only_file => say(format!("pool {}: well described\n", pool.name())),
            Ok((plan, _)) => {
                let workers = count(plan.workers(), "worker");
                say(format!("pool {}: {workers} on CPU {}, {}\n", pool.name(), plan.cpus(), plan.why()));
            }
            Err(error) => misfits.push(error.to_string()),
        }
    }
    // A quarrel of two pools is told once.
    misfits.dedup();
    if misfits.is_empty() { ExitCode::SUCCESS } else { refused(misfits.join("\n")) }
}
