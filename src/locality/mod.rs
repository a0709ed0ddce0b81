//! What is decided from the map: where workers sit, and whom each of them robs first.
//!
//! [`places`] spreads workers over a [`Topology`](crate::topology::Topology), [`Place::occupy`] moves a
//! thread to its place, and [`VictimOrder`] sorts the other places of each by how much the two share, in four
//! [`Tier`]s.

mod order;

pub use order::{Groups, Place, Tier, VictimOrder, places};
