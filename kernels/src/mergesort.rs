//! A stable merge sort whose halves and whose merges are both forked.
//!
//! Source: Cormen, Leiserson, Rivest and Stein, "Introduction to Algorithms", 3rd ed., section 27.3,
//! with the binary search taken so that equal keys keep their order.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

/// Runs of up to this many records are left to std's stable sort: about 50 us.
const LEAF: usize = 4096;
/// Merges of up to this many records are not split further: about 20 us.
const MERGE: usize = 8192;

/// A key with many equals, and where it stood before the sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    key: u32,
    place: u32,
}

/// A stable sort by key of `n` records, four to a key on average.
///
/// The serial baseline is std's stable sort, which also sorts the leaves; the merges above them are
/// the price of forking.
#[derive(Debug, Clone)]
pub struct Mergesort {
    input: Vec<Record>,
    work: Vec<Record>,
    buffer: Vec<Record>,
    ran: bool,
}

/// Sorts `data`, and leaves the outcome in `buffer` if `over`, else in `data`.
fn forked<E: Engine>(engine: &mut E, data: &mut [Record], buffer: &mut [Record], over: bool) {
    if data.len() <= LEAF {
        data.sort_by_key(|record| record.key);
        if over {
            buffer.copy_from_slice(data);
        }
        return;
    }
    let middle = data.len() / 2;
    let (data_low, data_high) = data.split_at_mut(middle);
    let (buffer_low, buffer_high) = buffer.split_at_mut(middle);
    engine.join(
        |engine| forked(engine, data_low, buffer_low, !over),
        |engine| forked(engine, data_high, buffer_high, !over),
    );
    let (from, to) = if over { (data, buffer) } else { (buffer, data) };
    let (low, high) = from.split_at(middle);
    merge(engine, low, high, to);
}

/// Merges two sorted runs; of equal keys those of `low` come first.
fn merge<E: Engine>(engine: &mut E, low: &[Record], high: &[Record], to: &mut [Record]) {
    if to.len() <= MERGE {
        merge_plain(low, high, to);
        return;
    }
    let (low_cut, high_cut) = if low.len() >= high.len() {
        let cut = low.len() / 2;
        let key = low[cut].key;
        (cut, high.partition_point(|record| record.key < key))
    } else {
        let cut = high.len() / 2;
        let key = high[cut].key;
        (low.partition_point(|record| record.key <= key), cut)
    };
    let (low_left, low_right) = low.split_at(low_cut);
    let (high_left, high_right) = high.split_at(high_cut);
    let (to_left, to_right) = to.split_at_mut(low_cut + high_cut);
    engine.join(
        |engine| merge(engine, low_left, high_left, to_left),
        |engine| merge(engine, low_right, high_right, to_right),
    );
}

fn merge_plain(low: &[Record], high: &[Record], to: &mut [Record]) {
    let (mut i, mut j) = (0, 0);
    while i < low.len() && j < high.len() {
        // Chosen without a branch: on random keys it would be mispredicted every other time.
        let (a, b) = (low[i], high[j]);
        let high_first = b.key < a.key;
        to[i + j] = if high_first { b } else { a };
        j += usize::from(high_first);
        i += usize::from(!high_first);
    }
    let (rest_low, rest_high) = to[i + j..].split_at_mut(low.len() - i);
    rest_low.copy_from_slice(&low[i..]);
    rest_high.copy_from_slice(&high[j..]);
}

impl Kernel for Mergesort {
    const ENTRY: Entry = Entry {
        name: "mergesort",
        what: "stable merge sort of records by key, halves and merges forked",
        shape: Shape::Join,
        unit: "records",
        default_size: 1 << 22,
        quick_size: 1 << 19,
        least: 1,
        most: 1 << 27,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(3);
        let keys = size.div_ceil(4);
        let input: Vec<_> =
            (0..size).map(|place| Record { key: rng.below(keys) as u32, place: place as u32 }).collect();
        Ok(Self { work: input.clone(), buffer: input.clone(), input, ran: false })
    }

    fn prepare(&mut self) {
        self.work.copy_from_slice(&self.input);
        self.buffer.copy_from_slice(&self.input);
        self.ran = false;
    }

    fn serial(&mut self) {
        self.work.sort_by_key(|record| record.key);
        self.ran = true;
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        forked(engine, &mut self.work, &mut self.buffer, false);
        self.ran = true;
    }

    fn answer(&self) -> Answer {
        if !self.ran || !self.work.is_sorted_by_key(|record| record.key) {
            return Answer::Missing;
        }
        Answer::digest(self.work.iter().map(|record| u64::from(record.key) << 32 | u64::from(record.place)))
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAF, MERGE, Mergesort, Record, merge_plain};
    use crate::suite;

    #[test]
    fn equal_keys_keep_their_order() {
        let low = [(1, 0), (2, 1), (2, 2)].map(|(key, place)| Record { key, place });
        let high = [(0, 3), (2, 4), (3, 5)].map(|(key, place)| Record { key, place });
        let mut to = [Record { key: 0, place: 0 }; 6];
        merge_plain(&low, &high, &mut to);
        assert_eq!(to.map(|record| record.place), [3, 0, 1, 2, 4, 5]);
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Mergesort>(&[2, 3, LEAF, LEAF + 1, 5 * LEAF - 1, 4 * MERGE + 7]);
    }
}
