//! What a queue stands on: something that keeps items for it. Sealed.

use std::collections::VecDeque;

/// Why there was no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// There may be room later.
    Full,
    /// Nothing may be put any more.
    Closed,
}

/// Why there was no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoItem {
    /// There may be one later.
    Empty,
    /// There will be none.
    Closed,
}

/// Keeps items, for any number of threads at both ends; never sleeps for room or for an item.
///
/// Whoever has put or taken something, and then looks whether somebody sleeps ([`Bell`](super::bell::Bell)), sees those
/// who announced themselves and then did not see the change.
pub trait Keep<T> {
    /// Puts `item`, or gives it back.
    fn put(&self, item: T) -> Result<(), (T, NoRoom)>;

    /// Puts at least one of `items`, which has some; says how many.
    fn put_some(&self, items: &mut VecDeque<T>) -> Result<usize, NoRoom>;

    /// Takes the item whose turn it is.
    fn take(&self) -> Result<T, NoItem>;

    /// Takes at least one item, and `most` at most.
    fn take_some(&self, most: usize, into: &mut Vec<T>) -> Result<(), NoItem>;

    /// Lets nobody put anything any more.
    fn close(&self);

    fn is_closed(&self) -> bool;

    /// How many items have ever been put.
    fn puts(&self) -> u64;

    /// How many items there are.
    fn len(&self) -> usize;

    /// For how many items there is room; zero for any number.
    fn maxsize(&self) -> usize;

    fn set_maxsize(&self, maxsize: usize);

    /// A hint: how many items there were, when one has just been taken.
    fn found(&self) -> u64 {
        1
    }

    /// A hint: how much room there was, when some has just been used.
    fn found_room(&self) -> u64 {
        1
    }
}
