//! The word of a lock: who holds it and who waits, in one piece.
//!
//! A [`State`] is what a word holds at one moment. Its owner takes 58 bits and zero is nobody; the other six are flags:
//!
//! | flag | means |
//! |---|---|
//! | `PARKED` | somebody may sleep: whoever unlocks calls one |
//! | `HEIR` | one waiter has waited too long: the lock is its next |
//! | `HEIR_ASLEEP` | and it sleeps, apart from the others |
//! | `DIED` | an owner died, and nobody has said since that all is well |
//! | `LOST` | and nobody will: nobody gets the lock any more |
//!
//! The flags are in the lower half, which is what the kernel compares. A lock that need not know its owner uses only
//! that half; one that does has all 64 bits. Zero is unlocked in both.

/// What a word holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u64);

const PARKED: u64 = 1 << 26;
const HEIR: u64 = 1 << 27;
const HEIR_ASLEEP: u64 = 1 << 28;
const DIED: u64 = 1 << 29;
const LOST: u64 = 1 << 30;
const FLAGS: u64 = 0x3f << 26;

impl State {
    /// Unlocked, and nobody waits.
    pub(crate) const FREE: State = State(0);
    /// Equal to no owner.
    pub(crate) const NO_OWNER: State = State(u64::MAX);
    /// Locked by somebody, in a word that does not say by whom.
    pub(crate) const LOCKED: State = State(1);
    /// Nobody gets it any more.
    pub(crate) const LOST: State = State(LOST);

    #[inline(always)]
    pub(crate) const fn from_bits(bits: u64) -> State {
        State(bits)
    }

    #[inline(always)]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// A state of which the word keeps only the lower half.
    #[inline(always)]
    pub(crate) const fn from_low(low: u32) -> State {
        State(low as u64)
    }

    /// The half that the kernel compares.
    #[inline(always)]
    pub(crate) const fn low(self) -> u32 {
        self.0 as u32
    }

    /// An owner whose name has these parts; `low` has 26 bits, and one of the two is not zero.
    pub(crate) const fn owner_named(low: u32, high: u32) -> State {
        debug_assert!(low as u64 & FLAGS == 0 && (low | high) != 0);
        State((high as u64) << 32 | low as u64)
    }

    /// The parts of the owner's name, as they were given.
    pub(crate) const fn name(self) -> (u32, u32) {
        ((self.0 & !FLAGS) as u32, (self.0 >> 32) as u32)
    }

    /// The owner alone.
    #[inline(always)]
    pub(crate) const fn owner(self) -> State {
        State(self.0 & !FLAGS)
    }

    #[inline(always)]
    pub(crate) fn is_locked(self) -> bool {
        self.owner() != State::FREE
    }

    /// May whoever comes take it?
    #[inline(always)]
    pub(crate) fn is_open(self) -> bool {
        !self.is_locked() && self.0 & (HEIR | LOST) == 0
    }

    pub(crate) const fn is_parked(self) -> bool {
        self.0 & PARKED != 0
    }

    pub(crate) const fn has_heir(self) -> bool {
        self.0 & HEIR != 0
    }

    pub(crate) const fn heir_sleeps(self) -> bool {
        self.0 & HEIR_ASLEEP != 0
    }

    pub(crate) const fn has_died(self) -> bool {
        self.0 & DIED != 0
    }

    pub(crate) const fn is_lost(self) -> bool {
        self.0 & LOST != 0
    }

    /// A reader with this name, on the seat with this number, 0 to 63: no state of a word.
    #[inline(always)]
    pub(crate) const fn seated(self, number: usize) -> State {
        debug_assert!(self.0 & FLAGS == 0 && number < 64);
        State(self.0 | (number as u64) << 26)
    }

    /// The number that [`seated`](Self::seated) was given.
    #[inline(always)]
    pub(crate) const fn seat(self) -> usize {
        ((self.0 & FLAGS) >> 26) as usize
    }

    /// With this owner instead of the one there is.
    pub(crate) const fn owned_by(self, owner: State) -> State {
        State(self.0 & FLAGS | owner.0)
    }

    pub(crate) const fn parked(self) -> State {
        State(self.0 | PARKED)
    }

    pub(crate) const fn unparked(self) -> State {
        State(self.0 & !PARKED)
    }

    pub(crate) const fn with_heir(self) -> State {
        State(self.0 | HEIR)
    }

    pub(crate) const fn with_heir_asleep(self) -> State {
        State(self.0 | HEIR_ASLEEP)
    }

    pub(crate) const fn with_heir_awake(self) -> State {
        State(self.0 & !HEIR_ASLEEP)
    }

    pub(crate) const fn without_heir(self) -> State {
        State(self.0 & !(HEIR | HEIR_ASLEEP))
    }

    pub(crate) const fn died(self) -> State {
        State(self.0 | DIED)
    }

    pub(crate) const fn consistent(self) -> State {
        State(self.0 & !DIED)
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn owners_and_flags_do_not_meet() {
        let owner = State::owner_named((1 << 26) - 1, u32::MAX);
        assert_eq!(owner.name(), ((1 << 26) - 1, u32::MAX));
        let all = owner.parked().with_heir().with_heir_asleep().died();
        assert_eq!(all.owner(), owner);
        assert!(all.is_locked() && all.is_parked() && all.has_heir() && all.heir_sleeps() && all.has_died());
        assert!(!owner.is_parked() && !owner.has_heir() && !owner.heir_sleeps() && !owner.has_died());
        assert_eq!(all.without_heir().consistent(), owner.parked());
        let left = all.owned_by(State::FREE);
        assert!(!left.is_locked() && !left.is_open() && left.without_heir().is_open());
        assert!(!State::LOST.is_locked() && !State::LOST.is_open() && State::FREE.is_open());
        assert!(State::owner_named(0, 1).is_locked());
        assert_eq!((owner.seated(63).owner(), owner.seated(63).seat()), (owner, 63));
    }
}
