//! What is decided from the map: where workers sit, and whom each of them robs first.
//!
//! [`places`] spreads workers over a [`Topology`](crate::topology::Topology), [`Plan`] does so as a configuration says,
//! [`Place::occupy`] moves a thread to its place, and [`VictimOrder`] sorts the other places of each by how much the two
//! share, in four [`Tier`]s.
//!
//! [`NodeVec`] divides the memory of an array among nodes, [`MemoryPolicy`] says from which
//! nodes a thread's memory comes, and [`Placement`] where some memory is.

mod memory;
mod node_vec;
mod order;
mod plan;
mod policy;

pub use memory::{MemoryError, Placement, node_of};
pub use node_vec::{NodePart, NodeVec, NodeVecBuilder, Spread};
pub use order::{Groups, Place, Tier, VictimOrder, places};
pub use plan::{Plan, PlanError};
pub use policy::MemoryPolicy;
