//! Blocks that two consumers leave behind, one of them too early.

#![allow(unsafe_code, reason = "drives blocks by pointers")]

use std::ptr::NonNull;
use std::sync::Arc;

use loom::thread;

use crate::prim::atomic::Ordering;
use crate::prim::models::check;
use crate::queue::block::{Block, SLOTS};
use crate::queue::stock::Stock;

/// A block on its way between threads.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way(NonNull<Block<u64>>);

// SAFETY: whoever has it goes by the protocol of the stock; loom watches.
unsafe impl Send for Way {}

impl Way {
    fn new() -> Self {
        Way(Block::new())
    }

    fn fill(self) {
        // SAFETY: the model's, until it is retired.
        let block = unsafe { self.0.as_ref() };
        // SAFETY: nobody else writes there; loom says so if somebody reads.
        (0..SLOTS).for_each(|number| unsafe { block.fill(number, number) });
    }

    fn empty(self, number: u64) {
        // SAFETY: as above.
        let block = unsafe { self.0.as_ref() };
        // SAFETY: filled, and this number is the caller's.
        assert_eq!(unsafe { block.empty(number) }, number);
    }

    fn retire(self, stock: &Stock<u64>) {
        // SAFETY: each of its slots is read by now, or is being read.
        unsafe { stock.retire(self.0) };
    }
}

/// Takes a list of blocks, uses each as a producer and a consumer do, and keeps it; were these among them?
fn take<const N: usize>(stock: &Stock<u64>, which: [Way; N], taken: &mut Vec<Way>) -> [bool; N] {
    let (mut found, mut list) = ([false; N], Some(stock.take()));
    while let Some(block) = list {
        // SAFETY: the list is ours.
        list = NonNull::new(unsafe { block.as_ref() }.next.load(Ordering::Relaxed));
        for (found, _) in found.iter_mut().zip(which).filter(|(_, way)| way.0 == block) {
            assert!(!std::mem::replace(found, true), "on a list twice");
        }
        Way(block).fill();
        (0..SLOTS).for_each(|number| Way(block).empty(number));
        taken.push(Way(block));
    }
    found
}

/// At the end: no earlier, as another could have the same address then.
fn free(taken: Vec<Way>) {
    // SAFETY: ours, and on no list.
    taken.into_iter().for_each(|way| unsafe { Block::free(way.0) });
}

/// Both leave one; whoever takes meanwhile has what was left so far, or a new one; after that there is the rest.
#[test]
fn models_blocks_that_were_left_are_found_once() {
    check(3, || {
        let (stock, ways) = (Arc::new(Stock::new()), [(); 3].map(|()| Way::new()));
        let leave = |way: Way, stock: &Stock<u64>| {
            way.fill();
            (0..SLOTS).for_each(|number| way.empty(number));
            way.retire(stock);
        };
        let other = {
            let stock = Arc::clone(&stock);
            thread::spawn(move || {
                leave(ways[0], &stock);
                leave(ways[1], &stock);
            })
        };
        leave(ways[2], &stock);
        let mut taken = Vec::new();
        let mut found = take(&stock, ways, &mut taken);
        other.join().unwrap();
        for (found, now) in found.iter_mut().zip(take(&stock, ways, &mut taken)) {
            assert!(!*found || !now, "found twice");
            *found |= now;
        }
        // At least one pair was put on the shelf.
        assert!(found.iter().filter(|found| **found).count() >= 2);
        free(taken);
    });
}

/// One is left behind while somebody still reads in it, and is not used before that is over.
#[test]
fn models_a_block_that_was_left_too_early_waits_for_its_reader() {
    check(3, || {
        let (stock, early, next) = (Arc::new(Stock::new()), Way::new(), Way::new());
        early.fill();
        next.fill();
        let reader = thread::spawn(move || early.empty(1));
        early.empty(0);
        early.retire(&stock);
        (0..SLOTS).for_each(|number| next.empty(number));
        next.retire(&stock);
        let mut taken = Vec::new();
        take(&stock, [early], &mut taken);
        reader.join().unwrap();
        free(taken);
    });
}
