//! Loops that go over the same items again and again, each part on the worker that had it before.

use std::fmt;
use std::ops::Range;

use crate::mill::global::in_current_by_worker;
use crate::mill::grain::piece;
use crate::mill::items::{IntoItems, Items};
use crate::mill::pool::Mill;
use crate::mill::range::{Segment, shared_segments, unit_of};
use crate::mill::shares::Shares;
use crate::mill::worker::Worker;

/// Who ran which units.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    units: Range<u32>,
    seat: usize,
}

/// Remembers which worker ran which items of a loop, so that the next loop over as many gives them the same ones.
///
/// For an array that is gone over again and again: a worker finds its items in its own caches, and on its own NUMA node.
/// Workers that are done still rob those that are not, and what they robbed is theirs the next time. The first loop gives
/// each worker as many neighbouring items as the others, those of a node next to each other, as
/// [`Mill::node_vec`] has them. (Compare oneTBB's `affinity_partitioner`.)
///
/// Called from outside of a mill, a loop is run by the mill's workers alone, while the caller waits. It pays most where
/// workers are pinned: [`MillBuilder::places`](crate::MillBuilder::places).
///
/// # Examples
///
/// ```
/// let mut heights = vec![0.0; 10_000];
/// let mut affinity = gristmill::Affinity::new();
/// for _ in 0..10 {
///     affinity.par_for(&mut heights, |height| *height += 0.5);
/// }
/// assert!(heights.iter().all(|height| *height == 5.0));
/// println!("{:.0} % of the items went back", 100.0 * affinity.kept().unwrap());
/// ```
#[doc(alias = "affinity_partitioner")]
#[derive(Clone, Default)]
pub struct Affinity {
    /// The number of items, and who ran them, in order; empty before the first loop.
    len: usize,
    runs: Vec<Run>,
    kept: Option<f64>,
}

/// So many runs for each worker are remembered; the shortest beyond go to a neighbour's.
const RUNS: usize = 16;

impl Affinity {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`par_for`](crate::par_for), on the workers that had the items before.
    ///
    /// A loop over another number of items, or on a mill with fewer workers, begins anew.
    ///
    /// # Panics
    ///
    /// As [`par_for`](crate::par_for); then it remembers nothing.
    pub fn par_for<T, F>(&mut self, items: T, body: F)
    where
        T: IntoItems,
        T::Items: Send,
        F: Fn(T::Item) + Sync + Send,
    {
        let items = items.into_items();
        in_current_by_worker(|| self.run(&items, body));
    }

    /// As [`par_for`](Self::par_for), in this mill.
    ///
    /// # Panics
    ///
    /// As [`par_for`](Self::par_for), and if the mill has been shut down.
    pub fn par_for_in<T, F>(&mut self, mill: &Mill, items: T, body: F)
    where
        T: IntoItems,
        T::Items: Send,
        F: Fn(T::Item) + Sync + Send,
    {
        let items = items.into_items();
        mill.install_by_worker(|| self.run(&items, body));
    }

    /// The part of the items that ran in the last loop where they ran in the one before, from 0 to 1; `None` if there was
    /// none before it, or nothing to run.
    #[must_use]
    pub fn kept(&self) -> Option<f64> {
        self.kept
    }

    fn run<I: Items, F>(&mut self, items: &I, body: F)
    where
        F: Fn(I::Item) + Sync,
    {
        let len = items.count();
        let worker = Worker::seated();
        let units = len.div_ceil(unit_of(len)) as u32;
        let nodes: Vec<usize> =
            worker.hall.roster.read(|crowd| crowd.seats.iter().map(|seat| seat.node()).collect());
        let workers = worker.hall.workers().min(nodes.len());
        let is_known = self.len == len && self.runs.iter().all(|run| run.seat < nodes.len());
        let before = std::mem::take(self);
        let before = if is_known { before.runs } else { Vec::new() };
        let mut of_seats = vec![Vec::new(); nodes.len()];
        if before.is_empty() {
            let mut order: Vec<usize> = (0..workers).collect();
            order.sort_by_key(|&seat| nodes[seat]);
            let bound = |k: usize| (u64::from(units) * k as u64 / workers as u64) as u32;
            order.iter().enumerate().for_each(|(k, &seat)| of_seats[seat].push(bound(k)..bound(k + 1)));
        }
        before.iter().for_each(|run| of_seats[run.seat].push(run.units.clone()));
        let made = shared_segments(
            len,
            Some(Shares::new(of_seats)),
            || (),
            |(), range| piece(items, range).for_each(&body),
        );
        self.len = len;
        self.runs = runs(&made, unit_of(len), RUNS * workers);
        self.kept = (!before.is_empty()).then(|| kept(&before, &self.runs));
    }
}

impl fmt::Debug for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Affinity")
            .field("items", &self.len)
            .field("runs", &self.runs.len())
            .field("kept", &self.kept)
            .finish()
    }
}

/// Who ran which units, from what the loop says: at most `most` runs.
fn runs(made: &[Segment<()>], unit: usize, most: usize) -> Vec<Run> {
    let unit_at = |item: usize| item.div_ceil(unit) as u32;
    let one =
        |it: &Segment<()>| Run { units: unit_at(it.range.start)..unit_at(it.range.end), seat: it.runner };
    let mut all = joined(made.iter().map(one), 0);
    let mut shortest = 1;
    while all.len() > most.max(1) {
        shortest *= 2;
        all = joined(all.into_iter(), shortest);
    }
    all
}

/// Neighbours of the same seat as one, and each that is shorter than `shortest` as a part of the one before it.
fn joined(runs: impl Iterator<Item = Run>, shortest: u32) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    for run in runs {
        match all.last_mut() {
            Some(last) if last.seat == run.seat || run.units.end - run.units.start < shortest => {
                last.units.end = run.units.end;
            }
            _ => all.push(run),
        }
    }
    all
}

/// Which part of the units is where it was. Both are in order, and over the same units.
fn kept(before: &[Run], after: &[Run]) -> f64 {
    let (mut same, mut all) = (0_u64, 0_u64);
    let mut old = before.iter().peekable();
    for run in after {
        all += u64::from(run.units.end - run.units.start);
        while let Some(was) = old.peek() {
            let common =
                was.units.end.min(run.units.end).saturating_sub(was.units.start.max(run.units.start));
            same += if was.seat == run.seat { u64::from(common) } else { 0 };
            if was.units.end > run.units.end {
                break;
            }
            old.next();
        }
    }
    if all == 0 { 1.0 } else { same as f64 / all as f64 }
}

#[cfg(all(test, not(loom)))]
mod tests;
