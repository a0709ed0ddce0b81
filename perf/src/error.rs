//! What can be wrong with a request for a comparison.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a comparison could not be run or reported. Each prints as one line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A name that is in no list.
    #[error("unknown {what} `{given}`; did you mean `{nearest}`? ({all})")]
    Unknown {
        /// `kernel` or `engine`.
        what: &'static str,
        /// What was asked for.
        given: String,
        /// The name that needs the fewest changes.
        nearest: &'static str,
        /// All names, comma separated.
        all: String,
    },
    /// A number of workers that makes no sense.
    #[error("--workers {given}: must be from 1 to {max}", max = crate::MAX_WORKERS)]
    Workers {
        /// What was asked for.
        given: usize,
    },
    /// No rounds at all.
    #[error("--rounds 0: at least one round is needed")]
    NoRounds,
    /// A number given as the size of several kernels at once.
    #[error(
        "--size {size} is the size of one kernel: name that kernel with --only, or use a scale ({scales})"
    )]
    SizeOfMany {
        /// What was asked for.
        size: usize,
        /// The names of the scales.
        scales: &'static str,
    },
    /// A kernel could not be made, mostly because it does not take this size.
    #[error("--size: {0}")]
    Kernel(#[from] kernels::Error),
    /// An input folder for kernels that read none.
    #[error("--input is for wordcount, which is not among the chosen kernels ({chosen})")]
    InputUnused {
        /// The chosen kernels, comma separated.
        chosen: String,
    },
    /// The input folder cannot be used.
    #[error("--input {path}: {why}", path = path.display())]
    Input {
        /// The folder.
        path: PathBuf,
        /// What the system, or the kernel, said.
        why: String,
    },
    /// A report cannot be written.
    #[error("{option} {path}: cannot be written: {source}", path = path.display())]
    Output {
        /// `--csv` or `--html`.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// None of the chosen engines can run any of the chosen kernels.
    #[error("none of the engines {engines} can run {kernels}")]
    NothingToRun {
        /// The chosen engines.
        engines: String,
        /// The chosen kernels.
        kernels: String,
    },
    /// An engine's pool could not be opened.
    #[error("engine {engine}: no pool of {workers} workers: {why}")]
    Pool {
        /// The engine.
        engine: &'static str,
        /// The threads it was asked for.
        workers: usize,
        /// What it said.
        why: String,
    },
    /// A process that was started to measure could not, or said something else than a number.
    #[error("a process of its own for {engine} with {workers} workers: {why}")]
    Child {
        /// The engine.
        engine: &'static str,
        /// The threads it was asked for.
        workers: usize,
        /// What went wrong.
        why: String,
    },
    /// The table could not be printed.
    #[error("the table cannot be printed: {0}")]
    Print(#[from] io::Error),
}
