//! A hierarchical timing wheel: what is due when, at a constant price for each timer.
//!
//! Time is counted in ticks. Level 0 has a slot for each tick of the current 64, level 1 one for each 64 ticks of the
//! current 64², and so on up to the highest that 64 bits can say. A timer lies on the level of the highest digit (to
//! base 64) in which its tick differs from the present, in the slot of that digit. When the present comes to a slot
//! above level 0, its timers *move* down; each does so once a level at most. A bit for each slot says whether anything
//! is in it, so empty time is skipped.
//!
//! Lists are first in, first out, and a slot's timers move down before anything is put below it, so timers of one tick
//! come out in the order in which they went in.
//!
//! Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.

use super::cells::{Cells, Key, NONE};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;

/// The ends of a slot's list.
#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

const EMPTY: Ends = Ends { first: NONE, last: NONE };

/// See the module.
#[derive(Debug)]
pub(super) struct Slots<T> {
    cells: Cells<T>,
    lists: Box<[Ends]>,
    /// A bit for each slot of a level that has a list.
    taken: [u64; LEVELS],
    /// The present. All that is due before has been taken out.
    now: u64,
    /// The list that is moving down, if it has not done so wholly: its slot holds the present, and what belongs below it
    /// is put at its end.
    moving: Option<usize>,
    len: usize,
}

/// What [`Slots::expire`] has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// It has done as much as it should at a time.
    Some,
    /// Nothing is due any more.
    All,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Slots {
            cells: Cells::new(),
            lists: vec![EMPTY; LEVELS * SLOTS].into(),
            taken: [0; LEVELS],
            now: 0,
            moving: None,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts in a timer that is due at `tick`, or at once if that is over.
    pub(super) fn insert(&mut self, tick: u64, value: T) -> Key {
        let key = self.cells.insert(tick.max(self.now), value);
        self.link(key.index());
        self.len += 1;
        key
    }

    /// Takes a timer out before it is due.
    pub(super) fn cancel(&mut self, key: Key) -> Option<T> {
        let index = self.cells.find(key)?;
        self.unlink(index);
        self.len -= 1;
        self.cells.take(index)
    }

    /// A tick before which nothing is due: that of the next timer, or of the slot that it is in.
    pub(super) fn next(&self) -> Option<u64> {
        let is_taken = |list: usize| self.lists[list].first != NONE;
        if self.moving.is_some_and(is_taken) || is_taken(list(0, self.now)) {
            return Some(self.now);
        }
        self.next_slot().map(|(_, start)| start)
    }

    /// Takes out what is due at `tick` or earlier, in order; at most `limit` timers, and moves at most ten times that.
    pub(super) fn expire(&mut self, tick: u64, limit: usize, out: &mut impl FnMut(T)) -> Expired {
        let (mut left, mut moves) = (limit, limit * 10);
        loop {
            if left == 0 || moves == 0 {
                return Expired::Some;
            }
            if let Some(list) = self.moving {
                match self.lists[list].first {
                    NONE => self.moving = None,
                    first => {
                        self.unlink(first);
                        self.link_below(first);
                        moves -= 1;
                    }
                }
                continue;
            }
            let first = self.lists[list(0, self.now)].first;
            if first != NONE {
                self.unlink(first);
                self.len -= 1;
                left -= 1;
                if let Some(value) = self.cells.take(first) {
                    out(value);
                }
                continue;
            }
            match self.next_slot().filter(|&(_, start)| start <= tick) {
                Some((level, start)) => {
                    self.now = start;
                    self.moving = (level > 0).then(|| list(level, start));
                }
                None => {
                    // Slots that lie ahead of both lie as far ahead of either.
                    self.now = self.now.max(tick);
                    return Expired::All;
                }
            }
        }
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.cells.into_values()
    }

    /// The next slot after those that the present is in: its level, and where it starts.
    fn next_slot(&self) -> Option<(usize, u64)> {
        (0..LEVELS).find_map(|level| {
            let shift = level as u32 * BITS;
            // What lies ahead on a level lies before all that is above it.
            let digit = self.now >> shift & (SLOTS as u64 - 1);
            let ahead = self.taken[level] & (!1 << digit);
            let slot = u64::from(ahead.trailing_zeros());
            let above = self.now & u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
            (ahead != 0).then(|| (level, above | slot << shift))
        })
    }

    /// Puts a cell at the end of the list that its tick belongs to.
    fn link(&mut self, index: u32) {
        let tick = self.cells.at(index).tick;
        match self.moving.filter(|moving| level(tick, self.now) < moving / SLOTS) {
            Some(moving) => self.append(moving, index),
            None => self.link_below(index),
        }
    }

    fn link_below(&mut self, index: u32) {
        let tick = self.cells.at(index).tick;
        self.append(list(level(tick, self.now), tick), index);
    }

    fn append(&mut self, list: usize, index: u32) {
        let last = std::mem::replace(&mut self.lists[list].last, index);
        let cell = self.cells.at(index);
        (cell.previous, cell.next, cell.list) = (last, NONE, list as u16);
        if last == NONE {
            self.lists[list].first = index;
            self.taken[list / SLOTS] |= 1 << (list % SLOTS);
        } else {
            self.cells.at(last).next = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let cell = self.cells.at(index);
        let (previous, next, list) = (cell.previous, cell.next, usize::from(cell.list));
        match previous {
            NONE => self.lists[list].first = next,
            previous => self.cells.at(previous).next = next,
        }
        match next {
            NONE => self.lists[list].last = previous,
            next => self.cells.at(next).previous = previous,
        }
        if self.lists[list].first == NONE {
            self.taken[list / SLOTS] &= !(1 << (list % SLOTS));
        }
    }
}

/// The highest digit in which the two differ, or 0.
fn level(tick: u64, now: u64) -> usize {
    ((tick ^ now) | 1).ilog2() as usize / BITS as usize
}

/// The list of the slot that `tick` is in on this level.
fn list(level: usize, tick: u64) -> usize {
    level * SLOTS + (tick >> (level as u32 * BITS)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::{Expired, Slots};

    impl<T> Slots<T> {
        /// Takes out all that is due at `tick`, in steps of `limit`.
        fn drain(&mut self, tick: u64, limit: usize) -> Vec<T> {
            let mut due = Vec::new();
            while self.expire(tick, limit, &mut |value| due.push(value)) == Expired::Some {}
            due
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64),
        Cancel(usize),
        Advance(u64),
        /// As far as one step of so many goes.
        Part(u64, usize),
    }

    fn delays() -> impl Strategy<Value = u64> {
        prop_oneof![
            4 => 0..200_u64,
            2 => 0..70_000_u64,
            1 => (0..64_u32).prop_map(|bit| 1 << bit),
            1 => any::<u64>(),
        ]
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => delays().prop_map(Step::Insert),
            2 => any::<usize>().prop_map(Step::Cancel),
            2 => delays().prop_map(Step::Advance),
            3 => (delays(), 1..4_usize).prop_map(|(delay, limit)| Step::Part(delay, limit)),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn it_does_what_a_heap_does(steps in steps(), start in delays()) {
            let (mut slots, mut heap) = (Slots::new(), BinaryHeap::new());
            let (mut now, mut keys) = (start, Vec::new());
            prop_assert_eq!(slots.drain(start, 10), Vec::<usize>::new());
            for step in steps {
                match step {
                    Step::Insert(delay) => {
                        let tick = now.saturating_add(delay);
                        heap.push(Reverse((tick, keys.len())));
                        keys.push(Some(slots.insert(tick, keys.len())));
                    }
                    Step::Cancel(which) if !keys.is_empty() => {
                        let which = which % keys.len();
                        let there = heap.iter().any(|Reverse((_, n))| *n == which);
                        heap.retain(|Reverse((_, n))| *n != which);
                        if let Some(key) = keys[which] {
                            prop_assert_eq!(slots.cancel(key), there.then_some(which));
                        }
                    }
                    Step::Cancel(_) => {}
                    Step::Advance(delay) => {
                        now = now.saturating_add(delay);
                        let due = slots.drain(now, 7);
                        let mut expected = Vec::new();
                        while heap.peek().is_some_and(|Reverse((tick, _))| *tick <= now) {
                            expected.push(heap.pop().unwrap().0.1);
                        }
                        prop_assert_eq!(due, expected);
                    }
                    Step::Part(delay, limit) => {
                        // What is inserted from now on is due later than what is still due.
                        now = now.saturating_add(delay);
                        let mut due = Vec::new();
                        slots.expire(now, limit, &mut |value| due.push(value));
                        prop_assert!(due.len() <= limit);
                        for n in due {
                            prop_assert_eq!(heap.pop().unwrap().0.1, n);
                        }
                    }
                }
                prop_assert_eq!(slots.len(), heap.len());
                let first = heap.peek().map(|Reverse((tick, _))| *tick);
                prop_assert_eq!(slots.next().is_some(), first.is_some());
                prop_assert!(slots.next() <= first);
            }
            let mut rest: Vec<usize> = slots.drain(u64::MAX, 5);
            rest.reverse();
            let mut expected = heap.into_vec();
            expected.sort_unstable();
            prop_assert_eq!(rest, expected.iter().map(|Reverse((_, n))| *n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_due_before_the_present_is_due_at_once() {
        let mut slots = Slots::new();
        assert_eq!(slots.drain(1_000, 10), [0; 0]);
        slots.insert(5, 1);
        slots.insert(1_000, 2);
        assert_eq!(slots.next(), Some(1_000));
        assert_eq!(slots.drain(0, 10), [1, 2], "time does not go back");
    }

    #[test]
    fn one_tick_comes_out_in_order_even_while_its_slot_moves_down() {
        let mut slots = Slots::new();
        for n in 0..100 {
            slots.insert(64 * 64 + 3, n);
        }
        // Moves ten down, and takes none out.
        let mut none = |_| panic!("not due");
        assert_eq!(slots.expire(64 * 64, 1, &mut none), Expired::Some);
        assert!(slots.moving.is_some());
        for n in 100..110 {
            slots.insert(64 * 64 + 3, n);
        }
        slots.insert(64 * 64 + 64, 200);
        slots.insert(u64::MAX, 300);
        assert_eq!(slots.drain(64 * 64 + 3, 8), (0..110).collect::<Vec<_>>());
        assert_eq!(slots.drain(64 * 64 + 63, 8), [0; 0]);
        assert_eq!(slots.next(), Some(64 * 64 + 64));
        assert_eq!(slots.drain(64 * 64 + 64, 8), [200]);
        assert_eq!(slots.drain(u64::MAX, 8), [300]);
    }

    #[test]
    fn nothing_is_to_come_when_the_last_is_cancelled_while_it_moves() {
        let mut slots = Slots::new();
        let keys: Vec<_> = (0..15).map(|n| slots.insert(64 * 64 + 3, n)).collect();
        assert_eq!(slots.expire(64 * 64, 1, &mut |_| panic!("not due")), Expired::Some);
        for key in keys {
            assert!(slots.cancel(key).is_some());
        }
        assert_eq!((slots.next(), slots.len()), (None, 0));
        slots.insert(64 * 64 + 5, 20);
        assert_eq!(slots.drain(64 * 64 + 5, 10), [20]);
    }

    #[test]
    fn a_timer_is_touched_once_a_level_at_most() {
        let mut slots = Slots::new();
        slots.insert(u64::MAX - 1, ());
        let mut wakes = 0;
        while let Some(next) = slots.next() {
            slots.drain(next, 10);
            wakes += 1;
        }
        assert!(wakes <= super::LEVELS, "{wakes} wakes");
    }
}
