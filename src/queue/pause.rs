//! How a thread passes a short time.
//!
//! Three things are waited for here. A thread that lost a race for a word steps aside for long enough that the winner
//! gets a good many operations done before the word's cache line moves again ([`Contention`]). One that needs the
//! next few instructions of another thread pauses, then yields, then naps, since that thread may have lost its
//! processor, or be of a lower priority than this one ([`Moment`]). And one that needs an item, or room for one, polls
//! for a bounded time before it goes to sleep ([`Patience`]).

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{spin_loop, yield_now};

fn pauses(n: u32) {
    for _ in 0..n {
        spin_loop();
    }
}

/// Loses races for a word.
#[derive(Debug, Default)]
pub(super) struct Contention(u32);

impl Contention {
    const FIRST: u32 = 5;
    const LAST: u32 = 7;

    #[cold]
    pub(super) fn lost(&mut self) {
        if cfg!(loom) {
            return yield_now();
        }
        pauses(1 << (Self::FIRST + self.0));
        self.0 = (self.0 + 1).min(Self::LAST - Self::FIRST);
    }
}

/// Waits for the next few instructions of another thread.
#[derive(Debug, Default)]
pub(super) struct Moment(u32);

impl Moment {
    const PAUSES: u32 = 6;
    const YIELDS: u32 = 200;

    #[cold]
    pub(super) fn wait(&mut self) {
        if cfg!(loom) {
            return yield_now();
        }
        if self.0 < Self::PAUSES {
            pauses(1 << self.0);
        } else if self.0 < Self::PAUSES + Self::YIELDS {
            yield_now();
        } else {
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
        self.0 += 1;
    }
}

/// What waits of one kind at one queue have learnt from those before them.
///
/// Bits 0 to 7: by how much the first pause is longer. Bit 8: yield at once. The rest counts waits.
pub(super) struct Pace(AtomicU32);

impl Pace {
    const YIELD: u32 = 1 << 8;
    const WAIT: u32 = 1 << 9;
    const LONGEST: u32 = 6;
    /// Every so many waits it is tried out whether pausing is better than yielding.
    const TRIAL: u32 = 16;

    crate::prim::const_fn! {
        pub(super) fn new() -> Self {
            Pace(AtomicU32::new(0))
        }
    }
}

/// Polls for an item or for room.
pub(super) struct Patience<'a> {
    pace: &'a Pace,
    word: u32,
    round: u32,
}

impl<'a> Patience<'a> {
    const PAUSES: u32 = 5;
    const YIELDS: u32 = 60;

    pub(super) fn new(pace: &'a Pace) -> Self {
        let word = pace.0.load(Ordering::Relaxed);
        Patience { pace, word, round: 0 }
    }

    fn yields_first(&self) -> bool {
        self.word & Pace::YIELD != 0 && self.word / Pace::WAIT % Pace::TRIAL != 0
    }

    /// Passes a little time and says true; says false at once when it is time to sleep.
    pub(super) fn turn(&mut self) -> bool {
        self.round += 1;
        if cfg!(loom) || self.round > 1 + Self::PAUSES + Self::YIELDS {
            return false;
        }
        if self.round == 1 {
            if self.yields_first() {
                yield_now();
            } else {
                pauses(1 << (self.word & 0xFF));
            }
        } else if self.round <= 1 + Self::PAUSES {
            pauses(1 << (self.round - 1));
        } else {
            yield_now();
        }
        true
    }

    /// The wait is over; there was as much as this.
    pub(super) fn learn(&self, found: u64) {
        let mut level = self.word & 0xFF;
        if found >= 4 << level.min(4) {
            level = (level + 1).min(Pace::LONGEST);
        } else if found <= 1 {
            level = 0;
        } else {
            level = level.saturating_sub(1);
        }
        let yielded = self.round > 1 + Self::PAUSES || (self.round == 1 && self.yields_first());
        let word = (self.word / Pace::WAIT).wrapping_add(1) * Pace::WAIT
            | level
            | if yielded { Pace::YIELD } else { 0 };
        self.pace.0.store(word, Ordering::Relaxed);
    }
}
