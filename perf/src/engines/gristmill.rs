//! gristmill, in a mill of its own: the only file of this crate that touches it.

use super::Listing;

/// `None` keeps the engine out of the list until the mill can be built.
pub(super) const LISTING: Option<Listing> = None;
