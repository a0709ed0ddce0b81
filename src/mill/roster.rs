//! Who sits in the mill: a snapshot that thieves read without a lock, and that is replaced when a seat is added.
//!
//! The first snapshot stays as long as the mill; later ones go when no epoch is left in which they were read. Many mills
//! never need a second one, and their threads never take part in epochs, which costs each a page of memory.

use std::sync::Arc;

use crate::locality::{Place, VictimOrder};
use crate::mill::seat::Seat;
use crate::prim::{Mutex, lock};
use crate::topology::Topology;

/// All seats there are, and whom each robs first. Seats are added, never removed.
pub(crate) struct Crowd {
    pub(crate) seats: Vec<Arc<Seat>>,
    pub(crate) places: Vec<Place>,
    pub(crate) order: VictimOrder,
    /// The seats of each node.
    pub(crate) on_node: Vec<Vec<usize>>,
}

impl Crowd {
    fn new(topology: &Topology, seats: Vec<Arc<Seat>>, places: Vec<Place>) -> Self {
        let mut on_node = vec![Vec::new(); topology.nodes().len()];
        seats.iter().for_each(|seat| on_node[seat.node()].push(seat.index));
        Crowd { order: VictimOrder::new(topology, &places), seats, places, on_node }
    }
}

/// The present [`Crowd`].
pub(crate) struct Roster {
    crowd: snapshot::Snapshot,
    changing: Mutex<()>,
}

impl Roster {
    pub(crate) fn new(topology: &Topology, places: Vec<Place>, wanted: usize) -> Self {
        let seat = |(i, place): (usize, &Place)| Arc::new(Seat::new(i, place.node(), wanted));
        let seats = places.iter().enumerate().map(seat).collect();
        let crowd = Crowd::new(topology, seats, places);
        Roster { crowd: snapshot::Snapshot::new(crowd), changing: Mutex::new(()) }
    }

    /// Shows `look` the crowd. Do not run jobs in there: old snapshots wait for it to end.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Crowd) -> R) -> R {
        self.crowd.read(look)
    }

    /// Adds a seat at `place`, which the caller has claimed.
    pub(crate) fn add(&self, topology: &Topology, place: Place, wanted: usize) -> Arc<Seat> {
        let _changing = lock(&self.changing);
        let (mut seats, mut places) = self.read(|crowd| (crowd.seats.clone(), crowd.places.clone()));
        let seat = Arc::new(Seat::new(seats.len(), place.node(), wanted));
        let claimed = seat.claim();
        debug_assert!(claimed, "nobody else has seen it");
        seats.push(Arc::clone(&seat));
        places.push(place);
        self.crowd.replace(Crowd::new(topology, seats, places));
        seat
    }

    /// Seats are at these places from now on, seat `i` at the `i`th, counted round; so whom each robs first changes.
    pub(crate) fn rearrange(&self, topology: &Topology, places: &[Place]) {
        let _changing = lock(&self.changing);
        let seats = self.read(|crowd| crowd.seats.clone());
        let places: Vec<Place> = places.iter().cycle().take(seats.len()).cloned().collect();
        seats.iter().zip(&places).for_each(|(seat, place)| seat.move_to(place.node()));
        self.crowd.replace(Crowd::new(topology, seats, places));
    }
}

#[cfg(not(loom))]
mod snapshot {
    #![allow(unsafe_code, reason = "follows the pointer that this type alone stores, and frees it")]

    use std::sync::atomic::Ordering;

    use crossbeam_epoch::{self as epoch, Atomic, Owned};

    use super::Crowd;

    pub(super) struct Snapshot {
        first: Box<Crowd>,
        /// Null while the first one holds.
        later: Atomic<Crowd>,
    }

    impl Snapshot {
        pub(super) fn new(crowd: Crowd) -> Self {
            Snapshot { first: Box::new(crowd), later: Atomic::null() }
        }

        pub(super) fn read<R>(&self, look: impl FnOnce(&Crowd) -> R) -> R {
            // SAFETY: the pointer is not followed.
            if self.later.load(Ordering::Acquire, unsafe { epoch::unprotected() }).is_null() {
                return look(&self.first);
            }
            let guard = epoch::pin();
            // ORDERING(roster): Acquire; pairs with the swap in `replace`.
            let crowd = self.later.load(Ordering::Acquire, &guard);
            // SAFETY: never null again, and what is replaced is freed only when no guard from before is left.
            look(unsafe { crowd.deref() })
        }

        pub(super) fn replace(&self, crowd: Crowd) {
            let guard = epoch::pin();
            // ORDERING(roster): AcqRel; Release pairs with the load in `read`.
            let old = self.later.swap(Owned::new(crowd), Ordering::AcqRel, &guard);
            if !old.is_null() {
                // SAFETY: `old` is out of the roster now, and was put there by an `Owned`.
                unsafe { guard.defer_destroy(old) };
            }
        }
    }

    impl Drop for Snapshot {
        fn drop(&mut self) {
            // SAFETY: nobody reads any more (`&mut`), and what is not null came from an `Owned`.
            drop(unsafe { std::mem::replace(&mut self.later, Atomic::null()).try_into_owned() });
        }
    }
}

/// The same without epochs, for loom: nothing is freed before the roster.
#[cfg(loom)]
mod snapshot {
    #![allow(unsafe_code, reason = "follows the pointer that this type alone stores, and frees it")]

    use loom::sync::atomic::{AtomicPtr, Ordering};

    use super::Crowd;

    pub(super) struct Snapshot(AtomicPtr<Crowd>, std::sync::Mutex<Vec<Box<Crowd>>>);

    impl Snapshot {
        pub(super) fn new(crowd: Crowd) -> Self {
            let this = Snapshot(AtomicPtr::default(), std::sync::Mutex::default());
            this.replace(crowd);
            this
        }

        pub(super) fn read<R>(&self, look: impl FnOnce(&Crowd) -> R) -> R {
            // SAFETY: never null, and kept as long as the roster.
            look(unsafe { &*self.0.load(Ordering::Acquire) })
        }

        pub(super) fn replace(&self, crowd: Crowd) {
            let crowd = Box::new(crowd);
            self.0.swap(std::ptr::from_ref(&*crowd).cast_mut(), Ordering::AcqRel);
            self.1.lock().unwrap().push(crowd);
        }
    }
}
