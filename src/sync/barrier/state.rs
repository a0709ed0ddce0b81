//! The word of a barrier.
//!
//! A *round* begins when somebody arrives and ends when all have (it *passed*) or when it is given up (it *broke*).
//! Rounds are numbered. The word holds the number of the round under way, how many have arrived in it, the phase, and
//! how the rounds just before it ended, one bit each. So a thread that arrived in some round can tell how that ended
//! however late it looks, and nobody needs to keep the next round from starting until it has.
//!
//! Whoever is more than [`REMEMBERED`] rounds late gets the answer that fits all of those: if one of them broke, so
//! did its own. The numbers repeat after 2<sup>20</sup> rounds.

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
const ROUND_BITS: u32 = 20;
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

    fn round(self) -> u64 {
        (self.0 / ROUND) & ((1 << ROUND_BITS) - 1)
    }

    fn history(self) -> u64 {
        self.0 / HISTORY
    }

    /// Is it the same round?
    pub(super) fn is_in_round_of(self, other: State) -> bool {
        self.round() == other.round()
    }

    /// How the round of `earlier` ended: whether it passed. `None` if it is under way.
    pub(super) fn outcome(self, earlier: State) -> Option<bool> {
        let ago = self.round().wrapping_sub(earlier.round()) & ((1 << ROUND_BITS) - 1);
        match ago {
            0 => None,
            ago if ago <= u64::from(REMEMBERED) => Some(self.history() >> (ago - 1) & 1 == 0),
            _ => Some(self.history() == 0),
        }
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
        let round = self.round().wrapping_add(1) & ((1 << ROUND_BITS) - 1);
        // The oldest memory falls off the top.
        State(((self.history() << 1) | broke).wrapping_mul(HISTORY) | (round * ROUND))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{MAX_PARTIES, Phase, REMEMBERED, State};

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
        assert_eq!(full.outcome(state), None);
    }

    proptest::proptest! {
        #[test]
        fn each_round_s_end_is_remembered(start in 0..1_u64 << 20, ends in proptest::collection::vec(0..3_u8, 0..80)) {
            // Any round, with a history that all rounds passed.
            let start = State(start << 20);
            let mut rounds = vec![start];
            for &end in &ends {
                let state = rounds[rounds.len() - 1].joined();
                rounds.push(match end {
                    0 => state.passed(),
                    1 => state.given_up(),
                    _ => state.broken().healed(),
                });
            }
            let now = rounds[ends.len()];
            assert_eq!(now.outcome(now.joined()), None);
            for (at, &end) in ends.iter().enumerate() {
                let remembered = ends.len() - at <= REMEMBERED as usize;
                let recent = &ends[ends.len().saturating_sub(REMEMBERED as usize)..];
                let expected = if remembered { end == 0 } else { recent.iter().all(|&end| end == 0) };
                assert_eq!(now.outcome(rounds[at].joined()), Some(expected));
            }
        }
    }
}
