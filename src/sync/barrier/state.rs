//! The word of a barrier.
//!
//! A *round* begins when somebody arrives and ends when all have (it *passed*) or when it is given up (it *broke*).
//! Rounds are numbered. The word holds the number of the round under way, how many have arrived in it, the phase, and
//! how the rounds just before it ended, one bit each. So a thread that arrived in some round can tell how that ended,
//! and nobody needs to keep the next round from starting until it has.
//!
//! Only where there are more threads than parties, or resets, can others be more than [`REMEMBERED`] rounds ahead when
//! it looks. For those there is a second word, with the last of the rounds that [broke](Broke) and are not remembered:
//! whoever ends a round writes down the oldest one first, if that broke and is now forgotten. So all whose round came
//! after that one know that theirs passed. To the others it is as if theirs had broken, as that or a later one has: in
//! Python one that is late finds a barrier broken, too, that broke since. No thread goes on as if all had come when they
//! have not.
//!
//! The numbers repeat after 2<sup>32</sup> rounds.

/// What a barrier does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Threads arrive.
    Filling,
    /// All have arrived, and the last runs the action.
    Acting,
    /// Nobody may arrive until a reset.
    Broken,
}

const PHASE: u64 = 0b11;
const ACTING: u64 = 1;
const BROKEN: u64 = 2;

const ARRIVED: u64 = 1 << 2;
const ARRIVED_BITS: u32 = 18;
const ROUND: u64 = ARRIVED << ARRIVED_BITS;
const ROUND_BITS: u32 = u32::BITS;
const HISTORY: u64 = ROUND << ROUND_BITS;

/// How many rounds are remembered.
pub(super) const REMEMBERED: u32 = u64::BITS - HISTORY.trailing_zeros();

/// How many may take part.
pub(super) const MAX_PARTIES: u32 = (1 << ARRIVED_BITS) - 1;

/// The word, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

impl State {
    pub(super) fn phase(self) -> Phase {
        match self.0 & PHASE {
            ACTING => Phase::Acting,
            BROKEN => Phase::Broken,
            _ => Phase::Filling,
        }
    }

    /// How many have arrived in this round.
    pub(super) fn arrived(self) -> u32 {
        (self.0 / ARRIVED) as u32 & MAX_PARTIES
    }

    fn round(self) -> u32 {
        (self.0 / ROUND) as u32
    }

    fn history(self) -> u64 {
        self.0 / HISTORY
    }

    /// Is it the same round?
    pub(super) fn is_in_round_of(self, other: State) -> bool {
        self.round() == other.round()
    }

    /// Did the round of `earlier`, which is over, pass? `None` if that is not remembered.
    pub(super) fn has_passed(self, earlier: State) -> Option<bool> {
        let ago = self.round().wrapping_sub(earlier.round());
        debug_assert_ne!(ago, 0, "it is under way");
        (ago <= REMEMBERED).then(|| self.history() >> (ago - 1) & 1 == 0)
    }

    /// Will the end of this round forget one that broke?
    #[inline]
    pub(super) fn is_about_to_forget(self) -> bool {
        self.0 >> (u64::BITS - 1) != 0
    }

    /// The oldest round that is remembered, as one that broke.
    pub(super) fn oldest(self) -> Broke {
        Broke(Some(self.round().wrapping_sub(REMEMBERED)))
    }

    /// One more has arrived. The phase must be filling.
    pub(super) fn joined(self) -> State {
        State(self.0 + ARRIVED)
    }

    /// The last arriver runs the action. The phase must be filling.
    pub(super) fn acting(self) -> State {
        State(self.0 | ACTING)
    }

    /// The next round, empty.
    pub(super) fn passed(self) -> State {
        self.next(0)
    }

    /// The next round, empty; this one broke.
    pub(super) fn given_up(self) -> State {
        self.next(1)
    }

    /// This round broke, and nobody may arrive.
    pub(super) fn broken(self) -> State {
        State(self.given_up().0 | BROKEN)
    }

    /// As it was before it broke.
    pub(super) fn healed(self) -> State {
        State(self.0 & !PHASE)
    }

    fn next(self, broke: u64) -> State {
        let round = u64::from(self.round().wrapping_add(1));
        // The oldest memory falls off the top.
        State(((self.history() << 1) | broke).wrapping_mul(HISTORY) | (round * ROUND))
    }
}

/// The last round that broke and is not remembered, if one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broke(Option<u32>);

/// Somebody who has been kept from writing it down since he looked at the state is not so many rounds late.
const SOON: u32 = 1 << 24;

impl Broke {
    pub(super) fn from_bits(bits: u64) -> Broke {
        Broke((bits != 0).then_some(bits as u32))
    }

    pub(super) fn bits(self) -> u64 {
        self.0.map_or(0, |round| 1 << u32::BITS | u64::from(round))
    }

    /// Is this the later one?
    pub(super) fn is_later(self, other: Broke) -> bool {
        let after = self.0.zip(other.0).map(|(own, other)| own.wrapping_sub(other));
        after.is_some_and(|after| (1..SOON).contains(&after))
    }

    /// Was it the round of `mine`, or one after that? `now` may be older than what was written down.
    pub(super) fn is_since(self, mine: State, now: State) -> bool {
        self.0.is_some_and(|round| {
            let (ago, limit) = (now.round().wrapping_sub(round), now.round().wrapping_sub(mine.round()));
            ago <= limit || ago.wrapping_neg() < SOON
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Broke, MAX_PARTIES, Phase, REMEMBERED, State};

    #[test]
    fn the_fields_do_not_touch() {
        let mut state = State(0);
        for arrived in 1..=3 {
            state = state.joined();
            assert_eq!((state.arrived(), state.phase()), (arrived, Phase::Filling));
        }
        assert_eq!((state.acting().arrived(), state.acting().phase()), (3, Phase::Acting));
        assert_eq!(state.acting().passed(), state.passed());
        assert_eq!(state.passed().arrived(), 0);
        assert_eq!(state.broken().phase(), Phase::Broken);
        assert_eq!(state.broken().healed(), state.given_up());
        let full = State(u64::from(MAX_PARTIES) << 2);
        assert_eq!((full.arrived(), full.phase()), (MAX_PARTIES, Phase::Filling));
        assert!(full.is_in_round_of(state) && !full.is_in_round_of(state.passed()));
    }

    proptest::proptest! {
        #[test]
        fn each_round_s_end_is_remembered(start in 0..1_u64 << 32, ends in proptest::collection::vec(0..3_u8, 0..80)) {
            // Any round, with a history that all rounds passed.
            let start = State(start << 20);
            let (mut rounds, mut forgotten) = (vec![start], Broke::from_bits(0));
            for &end in &ends {
                let state = rounds[rounds.len() - 1].joined();
                if state.is_about_to_forget() {
                    assert!(!forgotten.is_later(state.oldest()) && state.oldest() == Broke::from_bits(state.oldest().bits()));
                    forgotten = state.oldest();
                }
                rounds.push(match end {
                    0 => state.passed(),
                    1 => state.given_up(),
                    _ => state.broken().healed(),
                });
            }
            let now = rounds[ends.len()];
            for (at, &end) in ends.iter().enumerate() {
                let remembered = ends.len() - at <= REMEMBERED as usize;
                let mine = rounds[at].joined();
                assert_eq!(now.has_passed(mine), remembered.then_some(end == 0));
                if !remembered {
                    let since = &ends[at..ends.len() - REMEMBERED as usize];
                    assert_eq!(forgotten.is_since(mine, now), since.iter().any(|&end| end != 0));
                }
            }
        }
    }
}
