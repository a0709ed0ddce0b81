//! CPython as one more engine: a script that runs a few kernels on a process pool, in an interpreter found
//! on this machine.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use serde::{Deserialize, Serialize};

const SCRIPT: &str = include_str!("../engines/cpython.py");

/// The kernels the script knows, with the sizes that keep it to about a second each, and to a few tenths.
const JOBS: [(&str, usize, usize); 4] =
    [("fib", 28, 25), ("nqueens", 10, 9), ("mandelbrot", 256, 128), ("wordcount", 4 << 20, 1 << 20)];

/// An interpreter is given this long before it is ended.
const PATIENCE: Duration = Duration::from_secs(120);

type Version = (u32, u32, u32);

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Python {
    path: PathBuf,
    version: Version,
}

/// A kernel for the script.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Job {
    pub(super) kernel: &'static str,
    pub(super) size: usize,
    /// The texts to read, for the kernel that reads.
    pub(super) folder: Option<PathBuf>,
}

/// What the script says about one kernel.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Said {
    pub(super) kernel: String,
    pub(super) seconds: Vec<f64>,
    pub(super) answer: u64,
}

#[derive(Serialize)]
struct Request<'a> {
    workers: usize,
    rounds: usize,
    /// No kernel is repeated after this many seconds.
    limit: f64,
    jobs: &'a [Job],
}

/// The size the script runs `kernel` at, if it knows it.
pub(super) fn size(kernel: &str, quick: bool) -> Option<usize> {
    let (_, size, small) = JOBS.into_iter().find(|(name, ..)| *name == kernel)?;
    Some(if quick { small } else { size })
}

/// Looks on `PATH`, then among pyenv's versions. Takes the first of version 3.12 or later; else the latest
/// from 3.8 on.
///
/// # Errors
///
/// A sentence for the notes of the report.
pub(crate) fn find() -> Result<Python, String> {
    let mut best: Option<Python> = None;
    for path in candidates() {
        let Some(version) = ask_version(&path) else { continue };
        let found = Python { path, version };
        if version >= (3, 12, 0) {
            return Ok(found);
        }
        if version >= (3, 8, 0) && best.as_ref().is_none_or(|best| best.version < version) {
            best = Some(found);
        }
    }
    best.ok_or_else(|| "cpython was skipped: no python3 on PATH or under pyenv".to_owned())
}

fn candidates() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("python3"));
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let versions = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let mut versions: Vec<_> = versions.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|folder| std::cmp::Reverse(folder.file_name().and_then(version_in_name)));
    let in_pyenv = versions.into_iter().map(|folder| folder.join("bin/python3"));
    on_path.chain(in_pyenv).filter(|path| path.is_file()).collect()
}

fn version_in_name(name: &OsStr) -> Option<Version> {
    parse_version(name.to_str()?)
}

fn parse_version(text: &str) -> Option<Version> {
    let mut numbers = text.trim().split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// The version of a working CPython; `None` for anything else, such as a shim with no version behind it.
fn ask_version(python: &Path) -> Option<Version> {
    let question = "import sys; v = sys.version_info; \
                    print(f'{v[0]}.{v[1]}.{v[2]}' if sys.implementation.name == 'cpython' else '')";
    let answer = output(Command::new(python).args(["-I", "-c", question]), Duration::from_secs(10)).ok()?;
    parse_version(&answer)
}

impl Python {
    /// Its version, as in `CPython 3.13.0`.
    pub(super) fn name(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("CPython {major}.{minor}.{patch}")
    }

    /// Runs another script, and returns what it prints.
    ///
    /// # Errors
    ///
    /// A sentence on what went wrong.
    pub(crate) fn script(&self, script: &str, argument: &str, patience: Duration) -> Result<String, String> {
        output(Command::new(&self.path).args(["-I", "-c", script, argument]), patience)
    }

    /// Runs the script once over all jobs.
    ///
    /// # Errors
    ///
    /// A sentence for the notes of the report.
    pub(super) fn run(
        &self,
        jobs: &[Job],
        workers: usize,
        rounds: usize,
        limit: Duration,
    ) -> Result<Vec<Said>, String> {
        let request = Request { workers, rounds, limit: limit.as_secs_f64(), jobs };
        let request = serde_json::to_string(&request).map_err(|error| error.to_string())?;
        let text = output(Command::new(&self.path).args(["-I", "-c", SCRIPT, &request]), PATIENCE)
            .map_err(|why| format!("cpython was dropped: {} {why}", self.name()))?;
        text.lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("cpython was dropped: its script said something unexpected: {error}"))
    }
}

/// What a program prints, if it ends well and in time.
fn output(command: &mut Command, patience: Duration) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = (thread::spawn(|| read(out)), thread::spawn(|| read(err)));
    if !ended_well(&mut child, patience)? {
        let said = err.join().unwrap_or_default();
        return Err(format!("failed: {}", said.lines().last().unwrap_or("it said nothing")));
    }
    Ok(out.join().unwrap_or_default())
}

fn ended_well(child: &mut Child, patience: Duration) -> Result<bool, String> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if begun.elapsed() < patience => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                // It may have ended by itself just now; either way it is gone after this.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} s", patience.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{output, parse_version};
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn versions() {
        assert_eq!(parse_version("3.13.0\n"), Some((3, 13, 0)));
        assert_eq!(parse_version("miniconda3"), None);
        assert!(parse_version("3.9.18") < parse_version("3.13.0"));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = output(Command::new("sleep").arg("60"), Duration::from_millis(20)).unwrap_err();
        assert!(error.contains("did not end"), "{error}");
    }
}
