//! How a thread passes a short time.
//!
//! Three things are waited for here. A thread that lost a race for a word steps aside for as long as the winner needs
//! for a good many operations: so the word's cache line moves once for all of those, and not once for each
//! ([`Contention`]). One that needs the next few instructions of another thread pauses, then yields, then naps, since
//! that thread may have lost its processor, or have a lower priority ([`Moment`]). And one that needs an item, or room
//! for one, polls for a bounded time before it goes to sleep ([`Patience`]).

use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{const_fn, spin_loop, yield_now};
use crate::sync::help::asleep;

fn pause(times: u32) {
    for _ in 0..times {
        spin_loop();
    }
}

/// Loses races for a word.
#[derive(Debug, Default)]
pub(super) struct Contention(u32);

impl Contention {
    /// Pauses after the first loss, doubled with each that follows: a pause is some 20 ns, an operation 5.
    const FIRST: u32 = 1 << 5;
    const MOST: u32 = 1 << 8;

    #[cold]
    pub(super) fn lost(&mut self) {
        // A model has the scheduler try all orders.
        if cfg!(loom) {
            return yield_now();
        }
        self.0 = (2 * self.0).clamp(Self::FIRST, Self::MOST);
        pause(self.0);
    }
}

/// Waits for the next few instructions of another thread.
#[derive(Debug, Default)]
pub(super) struct Moment(u32);

impl Moment {
    const PAUSES: u32 = 6;
    const YIELDS: u32 = 200;
    const NAP: Duration = Duration::from_micros(50);

    #[cold]
    pub(super) fn wait(&mut self) {
        self.0 += 1;
        if cfg!(loom) {
            yield_now();
        } else if self.0 <= Self::PAUSES {
            pause(1 << self.0);
        } else if self.0 <= Self::PAUSES + Self::YIELDS {
            yield_now();
        } else {
            asleep(|| std::thread::sleep(Self::NAP));
            self.0 -= 1;
        }
    }
}

/// What the waits of one kind at one queue have learnt from those before them. Only hints: races do no harm.
#[derive(Debug)]
pub(super) struct Pace(AtomicU32);

#[derive(Debug, Clone, Copy)]
struct Hints {
    /// The first pause is doubled this many times.
    longer: u32,
    /// Not zero: yield first. The larger, the more often that was right.
    yields: u32,
    /// Counts waits, modulo 2^16.
    waits: u32,
}

impl Hints {
    /// `longer` in the word, and what a wait adds to it.
    const LONGER: u32 = 0xFF;
    const WAIT: u32 = 1 << 16;
    const LONGEST: u32 = 6;
    const SUREST: u32 = 6;
    /// Who finds one item at a time may be about to get an answer, or may be too fast for a stream of them. So once in so
    /// many waits the first pause is this long, whatever was found before.
    const PROBE_EVERY: u32 = 64;
    const PROBE: u32 = 5;

    fn unpack(word: u32) -> Self {
        Hints { longer: word & Self::LONGER, yields: word >> 8 & 0xFF, waits: word >> 16 }
    }

    fn pack(self) -> u32 {
        self.longer | self.yields << 8 | self.waits << 16
    }

    /// Is this one of the few waits that try whether pausing would do?
    fn is_trial(self) -> bool {
        self.waits & ((8 << self.yields) - 1) == 0
    }

    fn yields_first(self) -> bool {
        self.yields != 0 && !self.is_trial()
    }

    /// How often the first pause is doubled this time.
    fn doublings(self) -> u32 {
        if self.longer == 0 && self.waits % Self::PROBE_EVERY == Self::PROBE_EVERY - 1 {
            Self::PROBE
        } else {
            self.longer
        }
    }

    /// After a wait that ended in a yield, or in a pause, and found this much.
    fn after(self, yielded: bool, found: u64) -> Self {
        let longer = self.doublings();
        let longer = match found {
            // A single item: somebody waits for the answer.
            0 | 1 => longer.saturating_sub(2) * u32::from(self.longer != 0),
            // Who comes back to a heap can stay away longer: the other side works undisturbed meanwhile.
            _ if found >= 2 << longer.min(4) => (longer + 1).min(Self::LONGEST),
            _ if 4 * found >= 1 << longer => longer,
            _ => longer - 1,
        };
        let yields = match (yielded, self.is_trial()) {
            (false, _) => 0,
            (true, true) => (self.yields + 1).min(Self::SUREST),
            (true, false) => self.yields,
        };
        Hints { longer, yields, waits: (self.waits + 1) & 0xFFFF }
    }
}

impl Pace {
    const_fn! {
        pub(super) fn new() -> Self {
            Pace(AtomicU32::new(0))
        }
    }
}

/// Polls for an item or for room.
///
/// What is waited for comes from a thread on another processor, while this one pauses, or from one that waits for this
/// processor, once this one yields. Which it is, is learnt. Where much came at a time, the first pause gets longer.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    pace: &'a Pace,
    /// The hints, and what they say of the first turn.
    word: u32,
    yields_first: bool,
    deadline: Option<Instant>,
    round: u32,
}

impl<'a> Patience<'a> {
    /// About a microsecond in all.
    const PAUSES: u32 = 20;
    /// Some 20 us on a processor that nobody else wants.
    const YIELDS: u32 = 60;

    pub(super) fn new(pace: &'a Pace, deadline: Option<Instant>) -> Self {
        let word = pace.0.load(Ordering::Relaxed);
        Patience { pace, word, yields_first: Hints::unpack(word).yields_first(), deadline, round: 0 }
    }

    /// Passes a little time and says true; says false at once when it is time to sleep.
    pub(super) fn turn(&mut self) -> bool {
        self.round += 1;
        if cfg!(loom) || self.round > 1 + Self::PAUSES + Self::YIELDS {
            return false;
        }
        match self.round {
            1 if !self.yields_first => pause(1 << Hints::unpack(self.word).doublings()),
            round @ 2.. if round <= 1 + Self::PAUSES => pause(1 + round / 4),
            // Others may use this processor for a while.
            _ if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) => return false,
            _ => yield_now(),
        }
        true
    }

    /// The wait is over; there was as much as this.
    #[inline]
    pub(super) fn learn(&self, found: u64) {
        if found <= 1 && self.round == 1 && self.yields_first && self.word & Hints::LONGER == 0 {
            // As expected: another wait, and nothing new. Between two threads on one processor each message comes by here.
            self.pace.0.store(self.word.wrapping_add(Hints::WAIT), Ordering::Relaxed);
        } else {
            self.learn_more(found);
        }
    }

    #[cold]
    fn learn_more(&self, found: u64) {
        let yielded = self.round > 1 + Self::PAUSES || (self.round == 1 && self.yields_first);
        self.pace.0.store(Hints::unpack(self.word).after(yielded, found).pack(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        let pace = Pace::new();
        let mut patience = Patience::new(&pace, None);
        let turns = std::iter::from_fn(|| patience.turn().then_some(())).count();
        assert_eq!(turns as u32, 1 + Patience::PAUSES + Patience::YIELDS);
        assert!(!patience.turn());
        let mut patience = Patience::new(&pace, Some(Instant::now()));
        let turns = std::iter::from_fn(|| patience.turn().then_some(())).count();
        assert_eq!(turns as u32, 1 + Patience::PAUSES, "it does not yield when the time is up");
    }

    #[test]
    fn a_processor_that_is_shared_is_yielded_at_once_and_tried_ever_less_often() {
        let mut hints = Hints::unpack(0);
        let mut trials = 0;
        for _ in 0..10_000 {
            trials += u32::from(!hints.yields_first());
            hints = Hints::unpack(hints.after(true, 1).pack());
        }
        assert!((7..40).contains(&trials), "{trials}");
        assert_eq!(hints.after(false, 1).yields, 0, "a pause that did is believed at once");
    }

    #[test]
    fn the_first_pause_follows_what_is_found() {
        let mut hints = Hints::unpack(0);
        for _ in 0..100 {
            hints = hints.after(false, 1_000);
        }
        assert_eq!(hints.longer, Hints::LONGEST);
        assert_eq!(hints.after(false, 20).longer, Hints::LONGEST, "enough for so long a pause");
        assert_eq!(hints.after(false, 10).longer, Hints::LONGEST - 1);
        assert_eq!(hints.after(false, 1).longer, Hints::LONGEST - 2);
    }

    #[test]
    fn who_finds_one_item_at_a_time_tries_now_and_then_whether_waiting_longer_finds_more() {
        let waits = |found: fn(u32) -> u64| {
            let mut hints = Hints::unpack(0);
            let pauses: Vec<u32> = (0..1_000)
                .map(|_| {
                    let doublings = hints.doublings();
                    hints = Hints::unpack(hints.after(false, found(doublings)).pack());
                    doublings
                })
                .collect();
            (pauses.iter().filter(|doublings| **doublings != 0).count(), hints.longer)
        };
        assert_eq!(waits(|_| 1), (1_000 / 64, 0), "an answer is not waited for longer");
        let (longer, last) = waits(|doublings| 1 << doublings);
        assert!(longer > 900 && last >= Hints::PROBE, "a stream is: {longer}");
    }
}
