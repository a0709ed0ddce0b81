//! What is decided from the map: where workers sit, and whom each of them robs first.
//!
//! [`places`] spreads workers over a [`Topology`](crate::topology::Topology), [`Plan`] does so as a configuration says,
//! [`Place::occupy`] moves a thread to its place, and [`VictimOrder`] sorts the other places of each by how much the two
//! share, in four [`Tier`]s.

mod order;
mod plan;

pub use order::{Groups, Place, Tier, VictimOrder, places};
pub use plan::{Plan, PlanError};
