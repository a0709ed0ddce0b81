//! Plain serial code on the calling thread.

use kernels::{Case, Shape};

use super::{Listing, Peer};

pub(super) const LISTING: Listing =
    Listing { name: "serial", about: "plain Rust on one thread", open: |_| Ok(Box::new(OneThread)) };

struct OneThread;

impl Peer for OneThread {
    fn name(&self) -> &str {
        LISTING.name
    }

    fn supports(&self, _: Shape) -> bool {
        true
    }

    fn run(&mut self, case: &mut Case) {
        case.serial();
    }
}
