//! `gristmill measure`: the micro-measurements that are no kernels, each beside its peers.
//!
//! A measure holds one or more contests: in each round every engine has one turn, in shuffled order, and what
//! counts is the ratio within a round. Rounds in which other programs used more than half a CPU are held
//! again, up to twice as many in all. Each measure has pools of its own, so that nothing else is awake.

mod cases;
mod contest;
mod cpython;
mod crowd;
mod idle;
mod joins;
mod locks;
mod loops;
mod memory;
mod pingpong;
mod pools;
mod pthread;
mod queues;
mod rooms;
mod sheet;
mod spawns;
mod submit;
mod tasks;
mod topology;
mod tree;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

pub use contest::Row;
pub use memory::{CHILD, grown};
pub use sheet::write_csv;

use crate::CompareError;
use crate::compare::foreign::Moment;
use crate::compare::machine::Machine;
use crate::compare::names::chosen;
use crate::compare::options::check_output;
use crate::compare::progress_bar;
use crate::compare::shuffle::Shuffler;
use contest::Contest;

/// A request for measurements; [`Options::default`] is what `gristmill measure` does when told nothing.
#[derive(Debug, Clone)]
pub struct Options {
    /// The measures to take; all if empty.
    pub only: Vec<String>,
    /// Timed rounds of each contest, after a warm-up.
    pub rounds: usize,
    /// How long idle pools are watched.
    pub idle_seconds: f64,
    /// The seed of the order within the rounds; drawn if not given.
    pub seed: Option<u64>,
    /// Where to write the results as CSV.
    pub csv: Option<PathBuf>,
    /// The program that, given [`CHILD`], an engine and a number of workers, prints what [`grown`] returns; this one if
    /// not given.
    pub program: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: Vec::new(), rounds: 7, idle_seconds: 2.0, seed: None, csv: None, program: None }
    }
}

/// One thing that can be measured.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its name on the command line; those of its rows begin with it.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    contests: fn(&Options) -> Result<Vec<Contest>, CompareError>,
}

/// All measures, in the order of the table.
pub const MEASURES: &[Measure] = &[
    Measure { name: "fib", about: "time per join, fib(36), 1 and 2 workers", contests: joins::fib },
    Measure { name: "tree", about: "sum of a tree of 16.8 M nodes", contests: tree::large },
    Measure { name: "tree-inside", about: "sums of 1,023 nodes inside one install", contests: tree::inside },
    Measure { name: "tree-outside", about: "sums of 1,023 nodes, an install each", contests: tree::outside },
    Measure { name: "nqueens", about: "13 queens, a join at every choice", contests: joins::nqueens },
    Measure { name: "leaves", about: "joins of two leaves of 5 ms", contests: joins::leaves },
    Measure {
        name: "spawn-outside",
        about: "1 M empty jobs spawned from outside",
        contests: spawns::outside,
    },
    Measure { name: "scope-outside", about: "the same in a scope", contests: spawns::scope_outside },
    Measure { name: "spawn-inside", about: "1 M empty jobs spawned by one job", contests: spawns::inside },
    Measure { name: "scope-inside", about: "the same in a scope", contests: spawns::scope_inside },
    Measure {
        name: "install-asleep",
        about: "install from outside, pool asleep",
        contests: submit::install_asleep,
    },
    Measure { name: "spawn-asleep", about: "spawn and receive, pool asleep", contests: submit::spawn_asleep },
    Measure {
        name: "install-hot",
        about: "install from outside, back to back",
        contests: submit::install_hot,
    },
    Measure { name: "spawn-hot", about: "spawn and receive, back to back", contests: submit::spawn_hot },
    Measure { name: "sort", about: "unstable sort of 10 M words", contests: cases::sort },
    Measure { name: "sum", about: "par_reduce of 33 M floats, item by item", contests: loops::sum },
    Measure { name: "map", about: "par_map of 8 M floats, item by item", contests: loops::map },
    Measure { name: "skew", about: "par_for over items of very different cost", contests: loops::skew },
    Measure { name: "pool", about: "a pool of 512: created, broadcast to, dropped", contests: pools::large },
    Measure { name: "memory", about: "resident memory per worker of a pool", contests: memory::contests },
    Measure { name: "idle", about: "CPU used by a pool without work", contests: idle::idle },
    Measure { name: "busy", about: "CPU used beside one long sequential job", contests: idle::busy },
    Measure {
        name: "crowd",
        about: "8 workers over 2 workers on several kernels",
        contests: crowd::contests,
    },
    Measure {
        name: "locks",
        about: "locks, semaphores, events, once: nobody else wants them",
        contests: locks::uncontended,
    },
    Measure {
        name: "locks-shared",
        about: "one mutex for 2 and for 8 threads, and the longest wait",
        contests: locks::contended,
    },
    Measure {
        name: "waits",
        about: "two threads wake each other by a condition or by events",
        contests: pingpong::waits,
    },
    Measure { name: "queue-trips", about: "two threads, a queue each way", contests: pingpong::queues },
    Measure { name: "queues", about: "items through queues, against channels", contests: queues::contests },
    Measure {
        name: "queues-alone",
        about: "put and get on one thread, against CPython",
        contests: queues::alone,
    },
    Measure { name: "contexts", about: "reading a variable, copying a context", contests: rooms::contexts },
    Measure { name: "events", about: "scheduled events and timers", contests: rooms::events },
    Measure {
        name: "topology",
        about: "reading this machine, and one of 256 CPUs",
        contests: topology::contests,
    },
    Measure { name: "tasks", about: "1 M tiny tasks and their results", contests: tasks::million },
    Measure { name: "trip-hot", about: "one task and its result, back to back", contests: tasks::hot },
    Measure { name: "trip-idle", about: "one task and its result, pool asleep", contests: tasks::idle },
    Measure { name: "as-completed", about: "10,000 and 100,000 futures as they end", contests: tasks::many },
    Measure { name: "map-endless", about: "memory of a map over an endless input", contests: tasks::endless },
];

/// Takes the measurements, prints the table to `out` and writes the CSV. Targets that are missed are no error:
/// they are in [`Row::met`].
///
/// # Errors
///
/// Whatever is wrong with the request, before anything is run: a name that is in no list, no rounds, a file that
/// cannot be written. Later a pool that cannot be built, and a failure to write.
///
/// # Examples
///
/// ```no_run
/// let options = perf::measure::Options { only: vec!["fib".into()], ..Default::default() };
/// let rows = perf::measure::run(&options, &mut std::io::stdout())?;
/// assert!(rows.iter().all(|row| row.measure == "fib"));
/// # Ok::<_, perf::CompareError>(())
/// ```
pub fn run(options: &Options, out: &mut dyn Write) -> Result<Vec<Row>, CompareError> {
    let measures = chosen("measure", &options.only, MEASURES, |measure| measure.name)?;
    if options.rounds == 0 {
        return Err(CompareError::NoRounds);
    }
    if let Some(path) = &options.csv {
        check_output("--csv", path)?;
    }
    let seed = options.seed.unwrap_or_else(Shuffler::fresh_seed);
    let machine = Machine::look();
    writeln!(out, "{}, {} hardware threads, {}", machine.cpu, machine.threads, machine.kernel)?;
    writeln!(out, "{}, {}, seed {seed}", machine.rustc, machine.date)?;
    out.flush()?;

    let begun = Moment::now();
    let progress = progress_bar(measures.len());
    let mut shuffler = Shuffler::new(seed);
    let mut rows = Vec::new();
    for measure in &measures {
        progress.set_message(measure.name);
        for contest in (measure.contests)(options)? {
            rows.extend(contest.hold(options.rounds, &mut shuffler, &progress));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    sheet::print(&rows, out)?;
    writeln!(out)?;
    let (met, judged) =
        (rows.iter().filter(|row| row.met == Some(true)).count(), rows.iter().filter_map(|row| row.met));
    writeln!(out, "{met} of {} targets met.", judged.count())?;
    if let Some(foreign) = begun.and_then(Moment::foreign_since) {
        writeln!(
            out,
            "Other programs kept {foreign:.2} CPUs busy on average; `foreign` says it measure by measure."
        )?;
    }
    writeln!(
        out,
        "x rayon: the value over rayon's in the same round; the target bounds it, or else the value."
    )?;
    writeln!(
        out,
        "rounds: those that count / those held; others kept more than half a CPU busy in the rest."
    )?;
    if cfg!(debug_assertions) {
        writeln!(out, "This is a debug build: its times say nothing. Use cargo run --release.")?;
    }
    if let Some(path) = &options.csv {
        let written = File::create(path).and_then(|file| write_csv(&rows, file).map_err(io::Error::from));
        written.map_err(|source| CompareError::Output { option: "--csv", path: path.clone(), source })?;
        writeln!(out, "CSV: {}", path.display())?;
    }
    Ok(rows)
}
