//! The timers of a wheel, in cells that are used again, and named such that a name is good for one timer only.

/// How many cells are made at a time. What is there is never moved, so adding one never takes long.
const CHUNK: usize = 1 << 10;

/// No cell.
pub(super) const NONE: u32 = u32::MAX;

/// A timer, and its place in a list.
#[derive(Debug)]
pub(super) struct Cell<T> {
    pub(super) tick: u64,
    pub(super) next: u32,
    pub(super) previous: u32,
    /// How many timers had this cell before.
    generation: u32,
    /// Which list it is in; the wheel's own coding.
    pub(super) list: u16,
    value: Option<T>,
}

/// Names one timer: its cell, and which of the cell's timers it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cells<T> {
    chunks: Vec<Vec<Cell<T>>>,
    /// The first of the cells that are not in use, which form a list.
    free: u32,
}

impl<T> Cells<T> {
    pub(super) const fn new() -> Self {
        Cells { chunks: Vec::new(), free: NONE }
    }

    #[inline]
    pub(super) fn at(&mut self, index: u32) -> &mut Cell<T> {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    /// Puts a timer into a cell of its own, which is in no list.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 cells already.
    pub(super) fn insert(&mut self, tick: u64, value: T) -> Key {
        if self.free == NONE {
            return self.grow(tick, value);
        }
        let index = self.free;
        let cell = self.at(index);
        let (free, generation) = (cell.next, cell.generation);
        (cell.tick, cell.value) = (tick, Some(value));
        self.free = free;
        Key { index, generation }
    }

    fn grow(&mut self, tick: u64, value: T) -> Key {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let Some(last) = self.chunks.last_mut() else { unreachable!("there is one") };
        let index = u32::try_from(full + last.len()).ok().filter(|&index| index != NONE);
        let index = index.expect("a timer wheel holds less than 2^32 timers");
        last.push(Cell { tick, next: NONE, previous: NONE, generation: 0, list: 0, value: Some(value) });
        Key { index, generation: 0 }
    }

    /// The cell of this timer, if it is still there.
    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let cell = self.chunks.get(key.index as usize / CHUNK)?.get(key.index as usize % CHUNK)?;
        (cell.generation == key.generation && cell.value.is_some()).then_some(key.index)
    }

    /// Takes the timer out of its cell, which is in no list any more.
    pub(super) fn take(&mut self, index: u32) -> Option<T> {
        let free = self.free;
        let cell = self.at(index);
        let value = cell.value.take();
        if let Some(generation) = cell.generation.checked_add(1) {
            (cell.generation, cell.next) = (generation, free);
            self.free = index;
        } // else it has no names left, and is not used again
        value
    }

    /// All timers, in no particular order.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.chunks.into_iter().flatten().filter_map(|cell| cell.value)
    }
}

impl Key {
    pub(super) fn index(self) -> u32 {
        self.index
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, Key};

    #[test]
    fn a_name_is_good_for_one_timer() {
        let mut cells = Cells::new();
        let keys: Vec<Key> = (0..3_000_u64).map(|n| cells.insert(n, n)).collect();
        for key in &keys[..2_000] {
            let index = cells.find(*key).unwrap();
            assert_eq!(cells.take(index), Some(u64::from(index)));
            assert_eq!(cells.find(*key), None);
        }
        let again: Vec<Key> = (0..2_000).map(|n| cells.insert(n, n)).collect();
        assert!(keys[..2_000].iter().all(|key| cells.find(*key).is_none()));
        assert!(keys[2_000..].iter().chain(&again).all(|key| cells.find(*key) == Some(key.index())));
        assert_eq!((cells.chunks.len(), cells.into_values().count()), (3, 3_000));
    }

    #[test]
    fn a_cell_that_has_no_names_left_is_not_used_again() {
        let mut cells = Cells::new();
        let first: Key = cells.insert(0, ());
        cells.at(first.index).generation = u32::MAX;
        let last = Key { generation: u32::MAX, ..first };
        assert_eq!(cells.take(last.index), Some(()));
        assert_eq!(cells.find(last), None);
        assert_ne!(cells.insert(0, ()).index, first.index);
    }
}
