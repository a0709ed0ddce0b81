//! Loops that participants share: whose items they are, who is invited, and when the loop is over.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::check;
use super::hall::{seated, sit};
use crate::mill::range::{Part, segments};
use crate::mill::worker::{Reach, Worker};

/// Items that must be run once; what was done to them must be seen after the loop.
struct Items(Vec<UnsafeCell<u32>>);

// SAFETY: loom watches the cells; that nobody has one at the same time as another is what it checks here.
unsafe impl Sync for Items {}
// SAFETY: as above.
unsafe impl Send for Items {}

impl Items {
    fn new(len: usize) -> Arc<Self> {
        Arc::new(Items((0..len).map(|_| UnsafeCell::new(0)).collect()))
    }

    fn run(&self, item: usize) {
        // SAFETY: whoever runs an item has it alone.
        self.0[item].with_mut(|runs| unsafe { *runs += 1 });
    }

    fn assert_all_ran(&self) {
        for (item, runs) in self.0.iter().enumerate() {
            // SAFETY: nobody runs items now; loom sees if somebody does.
            assert_eq!(runs.with(|runs| unsafe { *runs }), 1, "item {item}");
        }
    }
}

/// A part whose one cell nobody touches.
struct Shared(Part);

// SAFETY: all but that cell is atomic or only read.
unsafe impl Sync for Shared {}
// SAFETY: nothing in it is bound to a thread.
unsafe impl Send for Shared {}

/// A part's owner takes pieces from the front while two others cut halves off its back.
#[test]
fn models_every_unit_belongs_to_one() {
    check(4, || {
        let (part, items) = (Arc::new(Shared(Part::holding(0..4))), Items::new(4));
        let robbers = [(); 2].map(|()| {
            let (part, items) = (Arc::clone(&part), Arc::clone(&items));
            thread::spawn(move || {
                if let Some(units) = part.0.rob() {
                    units.for_each(|unit| items.run(unit as usize));
                }
            })
        });
        for most in [1, 2] {
            part.0.take_front(most).into_iter().flatten().for_each(|unit| items.run(unit as usize));
        }
        robbers.into_iter().for_each(|robber| robber.join().unwrap());
        while let Some(units) = part.0.take_front(4) {
            units.for_each(|unit| items.run(unit as usize));
        }
        items.assert_all_ran();
    });
}

/// A loop on one worker, and others that take one invitation each; the loop's frame is gone when it is over.
fn a_loop_with_helpers(preemptions: usize, helpers: usize, len: usize) {
    check(preemptions, move || {
        let (hall, seats) = seated(1 + helpers);
        let _sitting = sit(&hall, &seats[0]);
        let items = Items::new(len);
        let helpers: Vec<_> = seats[1..=helpers]
            .iter()
            .map(|seat| {
                let (hall, seat) = (Arc::clone(&hall), Arc::clone(seat));
                thread::spawn(move || {
                    let _sitting = sit(&hall, &seat);
                    let worker = Worker::on(&seat);
                    // SAFETY: taken out of a queue just now.
                    worker.steal(false, Reach::Machine).inspect(|job| unsafe { worker.run(*job) });
                })
            })
            .collect();
        let made = segments(
            len,
            || 0,
            |count, range| {
                range.clone().for_each(|item| items.run(item));
                count + range.len()
            },
        );
        items.assert_all_ran();
        assert_eq!(made.iter().map(|segment| segment.value).sum::<usize>(), len);
        let ends: Vec<_> = made.iter().flat_map(|segment| [segment.range.start, segment.range.end]).collect();
        assert!(ends.is_sorted() && ends.first() == Some(&0) && ends.last() == Some(&len), "{ends:?}");
        helpers.into_iter().for_each(|helper| helper.join().unwrap());
    });
}

#[test]
fn models_a_loop_ends_with_its_last_participant() {
    a_loop_with_helpers(3, 1, 3);
}

/// One invitation is accepted, or both, or the second helper is invited by the first.
#[test]
fn models_an_invitation_goes_out_again() {
    a_loop_with_helpers(2, 2, 3);
}
