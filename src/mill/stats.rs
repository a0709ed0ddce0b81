//! What each worker counts, always.

use std::time::Duration;

use crate::locality::Tier;
use std::sync::atomic::{AtomicU64, Ordering};

/// One worker's counters, on cache lines of their own; only the worker writes them.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Page {
    jobs: AtomicU64,
    steals: [AtomicU64; Tier::COUNT],
    failed_steals: AtomicU64,
    parks: AtomicU64,
    wakes: AtomicU64,
    spin_nanos: AtomicU64,
    park_nanos: AtomicU64,
}

/// Adds to a counter that only this thread writes: a load and a store, no locked instruction.
#[inline]
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

impl Page {
    #[inline]
    pub(crate) fn ran(&self) {
        add(&self.jobs, 1);
    }

    pub(crate) fn stole(&self, tier: Tier) {
        add(&self.steals[tier.index()], 1);
    }

    pub(crate) fn failed(&self) {
        add(&self.failed_steals, 1);
    }

    pub(crate) fn woke_somebody(&self) {
        add(&self.wakes, 1);
    }

    pub(crate) fn span(&self, slept: bool, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if slept {
            add(&self.parks, 1);
            add(&self.park_nanos, nanos);
        } else {
            add(&self.spin_nanos, nanos);
        }
    }

    pub(crate) fn read(&self) -> WorkerStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkerStats {
            jobs: get(&self.jobs),
            steals: std::array::from_fn(|tier| get(&self.steals[tier])),
            failed_steals: get(&self.failed_steals),
            parks: get(&self.parks),
            wakes: get(&self.wakes),
            spin: Duration::from_nanos(get(&self.spin_nanos)),
            park: Duration::from_nanos(get(&self.park_nanos)),
        }
    }
}

/// What one worker has done since its mill was built.
///
/// Read while the worker runs: each number is exact at some moment, but not all at the same one.
///
/// # Examples
///
/// ```
/// use gristmill::{Mill, locality::Tier};
///
/// let mill = Mill::builder().workers(2).build()?;
/// mill.install(|| gristmill::par_for(0..10_000, |_| ()));
/// let all = mill.stats().total();
/// println!("{} of {} steals went far", all.steals[Tier::Remote.index()], all.steals_total());
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Jobs that went through a queue others can see. Halves of joins that never left their worker, which
    /// is nearly all of them, are not counted.
    pub jobs: u64,
    /// Jobs robbed from others, by how far away the victim was; index by [`Tier::index`]. Those that were taken out of the
    /// inbox of another node count as [`Tier::Remote`].
    pub steals: [u64; Tier::COUNT],
    /// Rounds over all victims that found nothing.
    pub failed_steals: u64,
    /// How often the worker went to sleep.
    pub parks: u64,
    /// How often the worker woke another.
    pub wakes: u64,
    /// Time spent looking for work.
    pub spin: Duration,
    /// Time spent asleep.
    pub park: Duration,
}

impl WorkerStats {
    /// Steals from all tiers together.
    #[must_use]
    pub fn steals_total(&self) -> u64 {
        self.steals.iter().sum()
    }

    fn plus(mut self, other: &WorkerStats) -> WorkerStats {
        self.jobs += other.jobs;
        for (sum, n) in self.steals.iter_mut().zip(other.steals) {
            *sum += n;
        }
        self.failed_steals += other.failed_steals;
        self.parks += other.parks;
        self.wakes += other.wakes;
        self.spin += other.spin;
        self.park += other.park;
        self
    }
}

/// What a mill's workers have done; see [`Mill::stats`](crate::Mill::stats).
///
/// # Examples
///
/// ```
/// let mill = gristmill::Mill::builder().workers(2).build()?;
/// let stats = mill.stats();
/// assert!(stats.workers.len() >= 2 && stats.total().jobs == 0);
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MillStats {
    /// One entry a worker, then one for each spare thread and each visiting thread there ever was at a time.
    pub workers: Vec<WorkerStats>,
}

impl MillStats {
    /// All workers together.
    #[must_use]
    pub fn total(&self) -> WorkerStats {
        self.workers.iter().fold(WorkerStats::default(), WorkerStats::plus)
    }
}
