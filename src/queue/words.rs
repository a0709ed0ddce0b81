//! The two words that say how far a queue has come.

/// The number of the next item to be put, and two bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct TailWord(pub(super) u64);

impl TailWord {
    /// The block of the last item is being linked.
    pub(super) const INSTALLING: u64 = 1;
    /// No item will come any more.
    pub(super) const CLOSED: u64 = 2;
    /// One item.
    pub(super) const ONE: u64 = 4;

    #[inline(always)]
    pub(super) fn number(self) -> u64 {
        self.0 / Self::ONE
    }

    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.0 & (Self::INSTALLING | Self::CLOSED) == 0
    }

    #[inline(always)]
    pub(super) fn is_installing(self) -> bool {
        self.0 & Self::INSTALLING != 0
    }

    #[inline(always)]
    pub(super) fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// Below this number, items are in blocks that can be found from the head.
    #[inline(always)]
    pub(super) fn settled(self) -> u64 {
        self.number() - (self.0 & Self::INSTALLING)
    }
}

/// The number of the next item to be taken, and a bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadWord(pub(super) u64);

impl HeadWord {
    /// The head is going on to the block of the last item that was taken.
    pub(super) const CROSSING: u64 = 1;
    /// One item.
    pub(super) const ONE: u64 = 2;

    #[inline(always)]
    pub(super) fn number(self) -> u64 {
        self.0 / Self::ONE
    }

    #[inline(always)]
    pub(super) fn is_crossing(self) -> bool {
        self.0 & Self::CROSSING != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_installed_is_not_settled() {
        let word = TailWord(5 * TailWord::ONE);
        assert!(word.is_plain() && word.number() == 5 && word.settled() == 5);
        let word = TailWord(word.0 + TailWord::ONE + TailWord::INSTALLING);
        assert!(!word.is_plain() && word.is_installing() && word.number() == 6 && word.settled() == 5);
        let word = TailWord(word.0 | TailWord::CLOSED);
        assert!(word.is_closed() && word.is_installing() && word.number() == 6 && word.settled() == 5);
        let word = HeadWord(3 * HeadWord::ONE + HeadWord::CROSSING);
        assert!(word.is_crossing() && word.number() == 3);
    }
}
