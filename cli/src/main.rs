//! The `gristmill` command.

mod compare;
mod config;
mod doctor;
mod launch;
mod measure;
mod pools;
mod topo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The exit code for bad usage and bad inputs, as clap has it.
const REFUSED: u8 = 2;

/// CPU-bound parallelism on one machine: compare the engines on it, look at it, and run programs on parts of it.
#[derive(Parser)]
#[command(name = "gristmill", version, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Compare(compare::Arguments),
    Measure(measure::Arguments),
    Topo(topo::Arguments),
    Doctor(doctor::Arguments),
    Config(config::Arguments),
    Run(launch::Arguments),
    #[command(name = perf::measure::CHILD, hide = true)]
    PoolMemory(measure::PoolMemory),
}

fn main() -> ExitCode {
    match Command::parse().task {
        Task::Compare(arguments) => compare::run(arguments),
        Task::Measure(arguments) => measure::run(arguments),
        Task::Topo(arguments) => topo::run(&arguments),
        Task::Doctor(arguments) => doctor::run(&arguments),
        Task::Config(arguments) => config::run(&arguments),
        Task::Run(arguments) => launch::run(&arguments),
        Task::PoolMemory(arguments) => measure::pool_memory(&arguments),
    }
}
