//! What runs tasks and hands back their results, ours and others'.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gristmill::concurrent::futures::ThreadPoolExecutor;

use crate::CompareError;

/// A pool of threads that one thread from outside hands tasks to.
pub(crate) trait Executor {
    /// Submits so many tasks, then waits for the result of each. Returns the sum of what they returned: their numbers.
    fn flood(&self, tasks: u64) -> u64;

    /// Submits one task and waits for its result, which is `number`.
    fn trip(&self, number: u64) -> u64;
}

/// An executor's name, what it is, and how to open one.
pub(crate) struct Listing {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) open: fn(usize) -> Result<Box<dyn Executor>, CompareError>,
}

/// All that are in this program.
pub(crate) const EXECUTORS: [Listing; 6] = [
    Listing { name: "gristmill", about: "ThreadPoolExecutor::submit and Future::result", open: gristmill },
    Listing {
        name: "gristmill-apart",
        about: "the same, where callers never run tasks",
        open: gristmill_apart,
    },
    Listing { name: "rayon", about: "ThreadPool::spawn and a oneshot channel", open: rayon },
    Listing {
        name: "crossbeam",
        about: "threads on a crossbeam channel, a oneshot channel each",
        open: channels,
    },
    Listing { name: "tokio", about: "spawn and JoinHandle, runtime of several threads", open: tokio },
    Listing { name: "tokio-blocking", about: "spawn_blocking and JoinHandle", open: tokio_blocking },
];

/// The task: as good as nothing, but not to be left out.
fn task(number: u64) -> u64 {
    std::hint::black_box(number)
}

fn refused(engine: &'static str, workers: usize, why: impl ToString) -> CompareError {
    CompareError::Pool { engine, workers, why: why.to_string() }
}

struct Gristmill(ThreadPoolExecutor);

fn gristmill(workers: usize) -> Result<Box<dyn Executor>, CompareError> {
    open_gristmill(workers, true)
}

fn gristmill_apart(workers: usize) -> Result<Box<dyn Executor>, CompareError> {
    open_gristmill(workers, false)
}

fn open_gristmill(workers: usize, caller_runs: bool) -> Result<Box<dyn Executor>, CompareError> {
    let pool = ThreadPoolExecutor::builder().max_workers(workers).caller_runs(caller_runs).build();
    let pool = pool.map_err(|why| refused("gristmill", workers, why))?;
    Ok(Box::new(Gristmill(pool)))
}

impl Executor for Gristmill {
    fn flood(&self, tasks: u64) -> u64 {
        let futures: Vec<_> =
            (0..tasks).filter_map(|number| self.0.submit(move || task(number)).ok()).collect();
        futures.into_iter().filter_map(|future| future.result().ok()).sum()
    }

    fn trip(&self, number: u64) -> u64 {
        self.0.submit(move || task(number)).map_or(u64::MAX, |future| future.result().unwrap_or(u64::MAX))
    }
}

struct Rayon(rayon::ThreadPool);

fn rayon(workers: usize) -> Result<Box<dyn Executor>, CompareError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = pool.map_err(|why| refused("rayon", workers, why))?;
    Ok(Box::new(Rayon(pool)))
}

impl Rayon {
    fn submit(&self, number: u64) -> oneshot::Receiver<u64> {
        let (sender, receiver) = oneshot::channel();
        self.0.spawn(move || sender.send(task(number)).unwrap_or(()));
        receiver
    }
}

impl Executor for Rayon {
    fn flood(&self, tasks: u64) -> u64 {
        let receivers: Vec<_> = (0..tasks).map(|number| self.submit(number)).collect();
        receivers.into_iter().filter_map(|receiver| receiver.recv().ok()).sum()
    }

    fn trip(&self, number: u64) -> u64 {
        self.submit(number).recv().unwrap_or(u64::MAX)
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// What many write for themselves: threads that take boxed closures from a channel.
struct Channels {
    jobs: Option<crossbeam_channel::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

fn channels(workers: usize) -> Result<Box<dyn Executor>, CompareError> {
    let (jobs, taken) = crossbeam_channel::unbounded::<Job>();
    let start = |_| {
        let taken = taken.clone();
        std::thread::Builder::new().spawn(move || taken.iter().for_each(|job| job()))
    };
    let threads: Result<_, _> = (0..workers).map(start).collect();
    let threads = threads.map_err(|why| refused("crossbeam", workers, why))?;
    Ok(Box::new(Channels { jobs: Some(jobs), threads }))
}

impl Channels {
    fn submit(&self, number: u64) -> oneshot::Receiver<u64> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || sender.send(task(number)).unwrap_or(()));
        if let Some(jobs) = &self.jobs {
            jobs.send(job).unwrap_or(());
        }
        receiver
    }
}

impl Executor for Channels {
    fn flood(&self, tasks: u64) -> u64 {
        let receivers: Vec<_> = (0..tasks).map(|number| self.submit(number)).collect();
        receivers.into_iter().filter_map(|receiver| receiver.recv().ok()).sum()
    }

    fn trip(&self, number: u64) -> u64 {
        self.submit(number).recv().unwrap_or(u64::MAX)
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A task that panicked has said so.
            let _ = thread.join();
        }
    }
}

struct Tokio {
    runtime: Arc<tokio::runtime::Runtime>,
    blocking: bool,
}

fn runtime(workers: usize) -> Result<Arc<tokio::runtime::Runtime>, CompareError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).max_blocking_threads(workers).build();
    runtime.map(Arc::new).map_err(|why| refused("tokio", workers, why))
}

fn tokio(workers: usize) -> Result<Box<dyn Executor>, CompareError> {
    Ok(Box::new(Tokio { runtime: runtime(workers)?, blocking: false }))
}

fn tokio_blocking(workers: usize) -> Result<Box<dyn Executor>, CompareError> {
    Ok(Box::new(Tokio { runtime: runtime(workers)?, blocking: true }))
}

impl Tokio {
    fn submit(&self, number: u64) -> tokio::task::JoinHandle<u64> {
        if self.blocking {
            self.runtime.spawn_blocking(move || task(number))
        } else {
            self.runtime.spawn(async move { task(number) })
        }
    }
}

impl Executor for Tokio {
    fn flood(&self, tasks: u64) -> u64 {
        let handles: Vec<_> = (0..tasks).map(|number| self.submit(number)).collect();
        self.runtime.block_on(async {
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.unwrap_or(0);
            }
            sum
        })
    }

    fn trip(&self, number: u64) -> u64 {
        self.runtime.block_on(self.submit(number)).unwrap_or(u64::MAX)
    }
}

/// Nanoseconds for each of so many tasks, submitted all at once.
pub(crate) fn flood(executor: &dyn Executor, tasks: u64) -> f64 {
    let begun = Instant::now();
    let sum = executor.flood(tasks);
    let nanos = begun.elapsed().as_secs_f64() * 1e9 / tasks as f64;
    assert_eq!(sum, tasks * (tasks - 1) / 2, "a wrong sum");
    nanos
}

/// Median and 99th percentile of one task's time from its submission until its result is there, in microseconds, with a
/// pause before each.
pub(crate) fn trips(executor: &dyn Executor, trips: usize, pause: Option<Duration>) -> [f64; 2] {
    let mut times = Vec::with_capacity(trips);
    for number in 0..trips as u64 {
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        let begun = Instant::now();
        let result = executor.trip(number);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        assert_eq!(result, number, "a wrong result");
    }
    times.sort_by(f64::total_cmp);
    [times[trips / 2], times[trips * 99 / 100]]
}

/// What CPython's own pool of threads is asked to do.
pub(crate) const PYTHON: &str = include_str!("executors.py");

#[cfg(test)]
mod tests {
    #[test]
    fn all_of_them_bring_results_back() {
        for listing in super::EXECUTORS {
            let executor = (listing.open)(2).unwrap();
            assert!(super::flood(&*executor, 1_000) > 0.0, "{}", listing.name);
            let [median, late] = super::trips(&*executor, 100, None);
            assert!(median <= late, "{}", listing.name);
        }
    }
}
