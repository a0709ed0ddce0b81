//! Who sits in the mill: a snapshot that thieves read without a lock, and that is replaced when a seat is added.

use std::sync::Arc;

use crossbeam_epoch::{self as epoch, Atomic, Owned};

use crate::locality::{Place, VictimOrder};
use crate::mill::seat::Seat;
use crate::prim::{Mutex, lock};
use crate::topology::Topology;
use std::sync::atomic::Ordering;

/// All seats there are, and whom each robs first. Seats are added, never removed.
pub(crate) struct Crowd {
    pub(crate) seats: Vec<Arc<Seat>>,
    pub(crate) places: Vec<Place>,
    pub(crate) order: VictimOrder,
}

/// The present [`Crowd`].
pub(crate) struct Roster {
    crowd: Atomic<Crowd>,
    changing: Mutex<()>,
}

impl Roster {
    pub(crate) fn new(topology: &Topology, places: Vec<Place>, wanted: usize) -> Self {
        let seats = places.iter().enumerate().map(|(i, place)| Arc::new(Seat::new(i, place.node(), wanted)));
        let crowd = Crowd { seats: seats.collect(), order: VictimOrder::new(topology, &places), places };
        Roster { crowd: Atomic::new(crowd), changing: Mutex::new(()) }
    }

    /// Shows `look` the crowd. Do not run jobs in there: old snapshots wait for it to end.
    #[allow(unsafe_code, reason = "follows the pointer that this type alone stores")]
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Crowd) -> R) -> R {
        let guard = epoch::pin();
        // ORDERING(roster): Acquire; pairs with the swap in `add`.
        let crowd = self.crowd.load(Ordering::Acquire, &guard);
        // SAFETY: never null, and what is replaced is freed only when no guard from before is left.
        look(unsafe { crowd.deref() })
    }

    /// Adds a seat at `place`, which the caller has claimed.
    #[allow(unsafe_code, reason = "frees the snapshot that it replaces, when nobody reads it any more")]
    pub(crate) fn add(&self, topology: &Topology, place: Place, wanted: usize) -> Arc<Seat> {
        let _changing = lock(&self.changing);
        let (mut seats, mut places) = self.read(|crowd| (crowd.seats.clone(), crowd.places.clone()));
        let seat = Arc::new(Seat::new(seats.len(), place.node(), wanted));
        let claimed = seat.claim();
        debug_assert!(claimed, "nobody else has seen it");
        seats.push(Arc::clone(&seat));
        places.push(place);
        let order = VictimOrder::new(topology, &places);
        let guard = epoch::pin();
        // ORDERING(roster): AcqRel; Release pairs with the load in `read`.
        let old = self.crowd.swap(Owned::new(Crowd { seats, places, order }), Ordering::AcqRel, &guard);
        // SAFETY: `old` is out of the roster now, and was put there by an `Owned`.
        unsafe { guard.defer_destroy(old) };
        seat
    }
}

impl Drop for Roster {
    #[allow(unsafe_code, reason = "takes the last snapshot back")]
    fn drop(&mut self) {
        // SAFETY: nobody reads any more (`&mut`), and the pointer came from an `Owned`.
        drop(unsafe { std::mem::replace(&mut self.crowd, Atomic::null()).into_owned() });
    }
}
