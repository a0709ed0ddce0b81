//! Whom a thief asks.

use gristmill::locality::{Tier, VictimOrder};

/// Whom a thief asks, round by round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// One victim a round, any but itself.
    Random,
    /// rayon's rule: all others in the order of their numbers, from a random one on.
    Sweep,
    /// gristmill's: those of its node, nearest first, and in some rounds all, node by node.
    Near,
}

/// The round in which a thief of ours looks beyond its node for the first time, and the number of its rounds.
const FIRST_FAR: u32 = 16;
const PATIENCE: u32 = 96;

/// Does a thief of ours look everywhere in this round?
fn is_far(round: u32) -> bool {
    let round = round % PATIENCE;
    round + 1 == PATIENCE || [FIRST_FAR, 2 * FIRST_FAR, 4 * FIRST_FAR].contains(&round)
}

impl Policy {
    /// For the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Policy::Random => "random",
            Policy::Sweep => "rayon's",
            Policy::Near => "near",
        }
    }

    /// The victims of a round, in order, until `ask` says that one had something. `random` gives a number below its
    /// argument.
    pub(super) fn ask(
        self,
        order: &VictimOrder,
        thief: usize,
        round: u32,
        random: &mut impl FnMut(usize) -> usize,
        ask: &mut impl FnMut(usize) -> bool,
    ) {
        let workers = order.len();
        if workers < 2 {
            return;
        }
        match self {
            Policy::Random => {
                let _ = ask((thief + 1 + random(workers - 1)) % workers);
            }
            Policy::Sweep => {
                let start = random(workers);
                let _ =
                    (0..workers).map(|i| (start + i) % workers).any(|victim| victim != thief && ask(victim));
            }
            Policy::Near => {
                for (tier, victims) in order.groups(thief) {
                    if tier == Tier::Remote && !is_far(round) {
                        return;
                    }
                    let start = random(victims.len());
                    if (0..victims.len()).any(|i| ask(victims[(start + i) % victims.len()])) {
                        return;
                    }
                }
            }
        }
    }
}
