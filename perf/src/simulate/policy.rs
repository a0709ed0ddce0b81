//! Whom a thief asks.

use gristmill::locality::{Tier, VictimOrder};

/// Whom a thief asks, round by round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// One victim a round, any but itself.
    Random,
    /// rayon's rule: all others in the order of their numbers, from a random one on.
    Sweep,
    /// Those of its node, nearest first, and in some rounds all, node by node.
    Near,
    /// Those of its node, nearest first; then, if no other thief of the node is abroad just now, the richest of a few on
    /// other nodes.
    Envoy,
}

impl Policy {
    /// All of them, the one that others are compared with first.
    pub const ALL: [Self; 4] = [Policy::Random, Policy::Sweep, Policy::Near, Policy::Envoy];
}

/// The round in which a thief looks beyond its node for the first time under [`Policy::Near`], and the number of its rounds.
const FIRST_FAR: u32 = 16;
const PATIENCE: u32 = 96;
/// The same under [`Policy::Envoy`], and how many it looks at.
const FIRST_TRIP: u32 = 4;
const SAMPLE: usize = 8;

/// Does a thief look everywhere in this round?
fn is_far(round: u32) -> bool {
    let round = round % PATIENCE;
    round + 1 == PATIENCE || [FIRST_FAR, 2 * FIRST_FAR, 4 * FIRST_FAR].contains(&round)
}

/// What a thief can do in a round; each look takes its time.
pub(super) trait Thief {
    /// A number below `bound`.
    fn random(&mut self, bound: usize) -> usize;
    /// How many jobs wait in the victim's line.
    fn look(&mut self, victim: usize) -> usize;
    /// Takes the victim's oldest job; false if it has none.
    fn take(&mut self, victim: usize) -> bool;
    /// Leaves for other nodes, unless another of its node is there.
    fn goes_abroad(&mut self) -> bool;
}

impl Policy {
    /// For the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Policy::Random => "random",
            Policy::Sweep => "rayon's",
            Policy::Near => "near",
            Policy::Envoy => "envoy",
        }
    }

    /// What a thief does in a round.
    pub(super) fn ask(self, order: &VictimOrder, me: usize, round: u32, thief: &mut impl Thief) {
        let workers = order.len();
        if workers < 2 {
            return;
        }
        match self {
            Policy::Random => {
                let step = thief.random(workers - 1);
                let _ = thief.take((me + 1 + step) % workers);
            }
            Policy::Sweep => {
                let start = thief.random(workers);
                let _ = (0..workers)
                    .map(|i| (start + i) % workers)
                    .any(|victim| victim != me && thief.take(victim));
            }
            Policy::Near => {
                let _ = if is_far(round) { all(order, me, thief) } else { near(order, me, thief) };
            }
            Policy::Envoy => {
                if near(order, me, thief) || round < FIRST_TRIP {
                    return;
                }
                if round % PATIENCE + 1 == PATIENCE {
                    all(order, me, thief);
                } else if thief.goes_abroad() {
                    let others: usize = far(order, me).map(<[usize]>::len).sum();
                    let seen = (0..SAMPLE.min(others)).map(|_| {
                        let at = thief.random(others);
                        let victim = *far(order, me).flatten().nth(at).expect("as many as there are");
                        (thief.look(victim), victim)
                    });
                    if let Some((1.., richest)) = seen.max() {
                        let _ = thief.take(richest);
                    }
                }
            }
        }
    }
}

/// The workers of each other node, nearest first.
fn far(order: &VictimOrder, me: usize) -> impl Iterator<Item = &[usize]> {
    order.groups(me).filter(|(tier, _)| *tier == Tier::Remote).map(|(_, victims)| victims)
}

/// Asks those of the node, until one has something.
fn near(order: &VictimOrder, me: usize, thief: &mut impl Thief) -> bool {
    order.groups(me).take_while(|(tier, _)| *tier < Tier::Remote).any(|(_, victims)| one_of(victims, thief))
}

/// Asks all, until one has something.
fn all(order: &VictimOrder, me: usize, thief: &mut impl Thief) -> bool {
    order.groups(me).any(|(_, victims)| one_of(victims, thief))
}

fn one_of(victims: &[usize], thief: &mut impl Thief) -> bool {
    let start = thief.random(victims.len());
    victims[start..].iter().chain(&victims[..start]).any(|&victim| thief.take(victim))
}
