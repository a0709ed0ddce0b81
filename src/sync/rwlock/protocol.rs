//! What a lock for many readers or one writer can do, whatever it is made of.

use crate::sync::raw::{Limit, Outcome};

pub(crate) trait Protocol: Sized + Send + Sync + 'static {
    /// Where a reader has to be looked for when it leaves.
    type Seat: Copy;
    /// What a writer's guard keeps, to be known for a copy in a forked child. A reader's is in its seat.
    type Holder: Copy;

    /// The value of a new one.
    #[cfg(not(loom))]
    const FREE: Self;
    #[cfg(loom)]
    fn free() -> Self;

    /// If the outcome is `TakenFromDead`, the caller has the lock as a writer, else the seat is its to give back.
    fn read(&self, limit: Limit) -> (Outcome, Self::Seat);
    fn try_read(&self) -> (Outcome, Self::Seat);
    /// A reader's seat if that can be had at once, without looking for the dead.
    fn peek(&self) -> Option<Self::Seat>;
    fn write(&self, limit: Limit) -> Outcome;
    fn try_write(&self) -> Outcome;

    fn unlock_read(&self, seat: Self::Seat);
    /// For a caller that has just locked as a writer.
    fn holder() -> Self::Holder;
    fn unlock_write(&self, holder: Self::Holder);

    /// Makes a reader of the writer that calls; no other writer comes between.
    fn downgrade(&self, holder: Self::Holder) -> Self::Seat;

    fn is_read(&self) -> bool;
    fn is_written(&self) -> bool;

    fn mark_consistent(&self, holder: Self::Holder);
}
