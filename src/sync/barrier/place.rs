//! What a wait at a barrier comes to.

/// Which of the parties this was in the round that it passed.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Barrier, BarrierPlace};
///
/// let place: BarrierPlace = Barrier::new(1).wait()?;
/// assert_eq!((place.index(), place.is_leader()), (0, true));
/// # Ok::<(), gristmill::sync::BrokenBarrier>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierPlace {
    index: u32,
    parties: u32,
}

impl BarrierPlace {
    pub(super) fn new(index: u32, parties: u32) -> Self {
        BarrierPlace { index, parties }
    }

    /// How many had arrived before: each number from 0 to the number of parties less one once a round.
    ///
    /// # Examples
    ///
    /// ```
    /// # use gristmill::sync::Barrier;
    /// assert_eq!(Barrier::new(1).wait()?.index(), 0);
    /// # Ok::<(), gristmill::sync::BrokenBarrier>(())
    /// ```
    pub fn index(self) -> u32 {
        self.index
    }

    /// Was it the last to arrive, which ran the action? True for one party in each round.
    ///
    /// # Examples
    ///
    /// ```
    /// # use gristmill::sync::Barrier;
    /// assert!(Barrier::new(1).wait()?.is_leader());
    /// # Ok::<(), gristmill::sync::BrokenBarrier>(())
    /// ```
    pub fn is_leader(self) -> bool {
        self.index + 1 == self.parties
    }
}

/// Somebody who was waited for will not come.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Barrier, BrokenBarrier};
///
/// let barrier = Barrier::new(2);
/// barrier.abort();
/// assert_eq!(barrier.wait(), Err(BrokenBarrier));
/// ```
#[doc(alias = "threading.BrokenBarrierError")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the barrier is broken: a party was late, its action panicked, or it was aborted or reset; `reset` mends it"
)]
pub struct BrokenBarrier;
