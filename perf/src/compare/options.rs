//! What was asked for, and the plan that follows from it once it has been checked.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use kernels::{ENTRIES, Entry};

use super::names::chosen;
use super::python::{self, Python};
use super::shuffle::Shuffler;
use crate::CompareError;
use crate::engines::{self, Listing, Peer};
use crate::trial::{READS_INPUT, Scale, Trial};

/// The most workers an engine is asked for.
pub const MAX_WORKERS: usize = 4096;

/// The name by which CPython is chosen among the engines.
pub(super) const CPYTHON: &str = "cpython";

/// How large the kernels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Each kernel's own size at this scale.
    Scale(Scale),
    /// This size, for one kernel that is named.
    Exactly(usize),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(scale) = Scale::ALL.into_iter().find(|scale| scale.name() == text) {
            return Ok(Self::Scale(scale));
        }
        text.replace('_', "")
            .parse()
            .map(Self::Exactly)
            .map_err(|_| format!("neither a scale ({}) nor a whole number", Scale::NAMES))
    }
}

/// A request for a comparison; [`Options::default`] is what `gristmill compare` does when told nothing.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kernels to run; all if empty.
    pub only: Vec<String>,
    /// The engines to run; all if empty.
    pub engines: Vec<String>,
    /// Threads in each pool, 1 to [`MAX_WORKERS`]; the machine's available parallelism if not given.
    pub workers: Option<usize>,
    /// The size of the kernels; large, or small when quick, if not given.
    pub size: Option<Size>,
    /// A folder of texts for wordcount, instead of generated text.
    pub input: Option<PathBuf>,
    /// Small kernels, few rounds, and a limit on the time: under a minute in all on two cores.
    pub quick: bool,
    /// Timed rounds, after one that is not.
    pub rounds: Option<usize>,
    /// The seed of the order within the rounds; drawn if not given.
    pub seed: Option<u64>,
    /// Where to write the results as CSV.
    pub csv: Option<PathBuf>,
    /// Where to write the results as a page with plots.
    pub html: Option<PathBuf>,
    /// Whether to run CPython too, if there is one.
    pub python: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            engines: Vec::new(),
            workers: None,
            size: None,
            input: None,
            quick: false,
            rounds: None,
            seed: None,
            csv: None,
            html: Some("report.html".into()),
            python: true,
        }
    }
}

/// A checked request.
pub(super) struct Plan {
    pub(super) kernels: Vec<(Entry, usize)>,
    pub(super) engines: Vec<Listing>,
    pub(super) input: Option<PathBuf>,
    pub(super) python: Result<Python, String>,
    pub(super) workers: usize,
    pub(super) rounds: usize,
    /// No further round is begun after this long.
    pub(super) limit: Option<Duration>,
    pub(super) seed: u64,
    pub(super) quick: bool,
}

impl Plan {
    pub(super) fn check(options: &Options) -> Result<Self, CompareError> {
        let entries = chosen("kernel", &options.only, ENTRIES, |entry| entry.name)?;
        let (engines, python_wanted) = chosen_engines(options)?;
        let workers = match options.workers {
            Some(given @ 1..=MAX_WORKERS) => given,
            Some(given) => return Err(CompareError::Workers { given }),
            None => std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS),
        };
        if options.rounds == Some(0) {
            return Err(CompareError::NoRounds);
        }
        let plan = Self {
            kernels: sized(entries, options)?,
            engines,
            input: options.input.clone(),
            python: if python_wanted { python::find() } else { Err(String::new()) },
            workers,
            rounds: options.rounds.unwrap_or(if options.quick { 15 } else { 9 }),
            limit: options.quick.then_some(Duration::from_secs(35)),
            seed: options.seed.unwrap_or_else(Shuffler::fresh_seed),
            quick: options.quick,
        };
        if let Some(folder) = &options.input {
            check_input(folder, &plan.kernels)?;
        }
        for (option, path) in [("--csv", &options.csv), ("--html", &options.html)] {
            if let Some(path) = path {
                check_output(option, path)?;
            }
        }
        Ok(plan)
    }

    pub(super) fn make_trials(&self) -> Result<Vec<Trial>, CompareError> {
        let make = |&(entry, size): &(Entry, usize)| match &self.input {
            Some(folder) if entry.name == READS_INPUT => Trial::read(entry, folder)
                .map_err(|why| CompareError::Input { path: folder.clone(), why: why.to_string() }),
            _ => Ok(Trial::make(entry, size)?),
        };
        self.kernels.iter().map(make).collect()
    }

    pub(super) fn open_pools(&self) -> Result<Vec<Box<dyn Peer>>, CompareError> {
        let mut pools = Vec::new();
        for engine in &self.engines {
            let pool = engine.open(self.workers);
            pools.push(pool.map_err(|why| CompareError::Pool {
                engine: engine.name,
                workers: self.workers,
                why,
            })?);
        }
        let able = pools.iter().any(|pool| self.kernels.iter().any(|(entry, _)| pool.supports(entry.shape)));
        if !able && self.python.is_err() {
            let names: Vec<_> = self.engines.iter().map(|engine| engine.name).collect();
            return Err(CompareError::NothingToRun {
                engines: if names.is_empty() { CPYTHON.to_owned() } else { names.join(", ") },
                kernels: self.kernels.iter().map(|(entry, _)| entry.name).collect::<Vec<_>>().join(", "),
            });
        }
        Ok(pools)
    }
}

/// The engines of this build, and whether CPython is wanted beside them.
fn chosen_engines(options: &Options) -> Result<(Vec<Listing>, bool), CompareError> {
    let mut list: Vec<_> = engines::all().into_iter().map(Some).collect();
    list.push(None);
    let name = |engine: &Option<Listing>| engine.map_or(CPYTHON, |engine| engine.name);
    let chosen = chosen("engine", &options.engines, &list, name)?;
    let python = options.python && chosen.iter().any(Option::is_none);
    Ok((chosen.into_iter().flatten().collect(), python))
}

fn sized(entries: Vec<Entry>, options: &Options) -> Result<Vec<(Entry, usize)>, CompareError> {
    let usual = if options.quick { Scale::Small } else { Scale::Large };
    match options.size.unwrap_or(Size::Scale(usual)) {
        Size::Scale(scale) => Ok(entries.into_iter().map(|entry| (entry, scale.size(&entry))).collect()),
        Size::Exactly(size) => match entries[..] {
            [entry] => Ok(vec![(entry, size)]),
            _ => Err(CompareError::SizeOfMany { size, scales: Scale::NAMES }),
        },
    }
}

fn check_input(folder: &Path, kernels: &[(Entry, usize)]) -> Result<(), CompareError> {
    if !kernels.iter().any(|(entry, _)| entry.name == READS_INPUT) {
        let chosen = kernels.iter().map(|(entry, _)| entry.name).collect::<Vec<_>>().join(", ");
        return Err(CompareError::InputUnused { chosen });
    }
    match fs::read_dir(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(CompareError::Input { path: folder.to_owned(), why: error.to_string() }),
    }
}

/// Tries to open a report for writing, leaving an older one as it is.
pub(crate) fn check_output(option: &'static str, path: &Path) -> Result<(), CompareError> {
    let existed = path.exists();
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(_) if existed => Ok(()),
        Ok(_) => fs::remove_file(path).map_err(|source| (source, path)),
        Err(source) => Err((source, path)),
    }
    .map_err(|(source, path)| CompareError::Output { option, path: path.to_owned(), source })
}
