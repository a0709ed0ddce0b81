//! The `gristmill` command.

mod compare;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// CPU-bound parallelism on one machine: compare the engines on it.
#[derive(Parser)]
#[command(name = "gristmill", version, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Compare(compare::Arguments),
}

fn main() -> ExitCode {
    match Command::parse().task {
        Task::Compare(arguments) => compare::run(arguments),
    }
}
