//! What the commands about pools share: where the configuration comes from, and how a refusal reads.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gristmill::Config;

use crate::REFUSED;

/// Where the configuration comes from.
#[derive(Args)]
pub(crate) struct Source {
    /// The configuration [default: what GRISTMILL_CONFIG names, or gristmill.toml in this folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl Source {
    pub(crate) fn config(&self) -> Result<Config, String> {
        let builder = match &self.config {
            Some(path) => Config::builder().file(path),
            None => Config::builder(),
        };
        builder.load().map_err(|error| error.to_string())
    }
}

/// Prints to standard output. Whoever reads it may have seen enough (`| head`); if it cannot be written for another reason,
/// nothing that follows makes sense.
pub(crate) fn say(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format!("standard output cannot be written to: {error}"));
            std::process::exit(1);
        }
        _ => {}
    }
}

/// A number of things in words.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Prints a line to standard error. Nobody may read that.
pub(crate) fn complain(line: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "gristmill: {}", line.as_ref());
}

/// Says why nothing was done, a line for each reason.
pub(crate) fn refused(error: impl AsRef<str>) -> ExitCode {
    for line in error.as_ref().lines() {
        complain(line);
    }
    ExitCode::from(REFUSED)
}
