//! Resident memory of pools, each in a process of its own.

use std::fs;
use std::process::{Command, Stdio};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use super::pools;
use crate::CompareError;

/// The argument that makes the program measure one pool: it is followed by the engine and the number of workers, and
/// prints what [`grown`] returns.
pub const CHILD: &str = "pool-memory";

const FEW: usize = 64;
const MANY: usize = 512;

/// By how many KiB this process grows when it makes this pool and has each worker run something.
///
/// # Errors
///
/// A name that is no engine with a pool to measure, and a pool that cannot be built.
pub fn grown(engine: &str, workers: usize) -> Result<u64, CompareError> {
    let before = resident();
    // Kept until the end: the pool must be there while its memory is looked at.
    let after = match engine {
        "rayon" => {
            let pool = pools::rayon(workers)?;
            pool.broadcast(|_| ());
            resident()
        }
        "gristmill" => {
            let mill = pools::mill(workers)?;
            mill.broadcast(|_| ());
            resident()
        }
        _ => {
            let (given, all) = (engine.to_owned(), "rayon, gristmill".to_owned());
            return Err(CompareError::Unknown { what: "engine", given, nearest: "gristmill", all });
        }
    };
    Ok(after.saturating_sub(before))
}

pub(super) fn contests(options: &Options) -> Result<Vec<Contest>, CompareError> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?,
    };
    let ask = move |engine: &'static str, workers: usize| {
        let fail = |why: String| CompareError::Child { engine, workers, why };
        let mut child = Command::new(&program);
        child.args([CHILD, engine, &workers.to_string()]).stderr(Stdio::inherit());
        let said = child.output().map_err(|error| fail(error.to_string()))?;
        let text = String::from_utf8_lossy(&said.stdout);
        text.trim().parse::<f64>().map_err(|_| fail(format!("it said `{}`, {}", text.trim(), said.status)))
    };
    let per_worker = |engine| {
        let ask = ask.clone();
        // Asked once before, so that what is wrong is an error and not a gap in the table.
        ask(engine, FEW)?;
        Ok::<_, CompareError>(Contestant::new(engine, MANY, move || {
            let grown =
                ask(engine, MANY).and_then(|many| Ok((many - ask(engine, FEW)?) / (MANY - FEW) as f64));
            vec![grown.unwrap_or(f64::NAN)]
        }))
    };
    Ok(vec![Contest {
        contestants: vec![per_worker("rayon")?, per_worker("gristmill")?],
        readings: vec![Reading::new("memory", "KiB per worker", &[Goal::OverRayon(0.55)])],
        enough: Some(3),
    }])
}

/// `VmRSS` in KiB; 0 where `/proc` does not say.
pub(super) fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|size| size.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_seen() {
        assert!(super::resident() > 0);
        assert!(super::grown("gristmill", 2).is_ok());
        assert!(super::grown("mill", 2).unwrap_err().to_string().starts_with("unknown engine `mill`"));
    }
}
