use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::locality::Placement;

/// One node, whatever we run on: nothing is asked of the kernel.
fn one_node() -> Topology {
    Topology::synthetic("node:1 core:4").unwrap()
}

fn counted(counter: &Rc<Cell<i32>>) -> impl FnMut(usize) -> Counted + '_ {
    move |_| {
        counter.set(counter.get() + 1);
        Counted(Rc::clone(counter))
    }
}

#[derive(Debug)]
struct Counted(Rc<Cell<i32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn elements_are_in_order_and_can_be_changed() {
    let mut numbers = NodeVec::from_fn(&one_node(), 10_000, |i| i).unwrap();
    assert!(numbers.iter().copied().eq(0..10_000));
    numbers.iter_mut().for_each(|n| *n *= 2);
    assert_eq!((numbers[7], numbers.len(), numbers.node_of(9_999)), (14, 10_000, 0));
    assert_eq!(numbers.parts(), [NodePart { node: 0, os_id: 0, elements: 0..10_000 }]);
    assert_eq!((numbers.on(0).len(), numbers.on(1).len()), (10_000, 0));
    assert_eq!(format!("{:?}", NodeVec::from_fn(&one_node(), 2, |i| i).unwrap()), "[0, 1]");
}

#[test]
fn each_element_is_dropped_once() {
    let counter = Rc::default();
    let all = NodeVec::from_fn(&one_node(), 1_000, counted(&counter)).unwrap();
    assert_eq!(counter.get(), 1_000);
    drop(all);
    assert_eq!(counter.get(), 0);
}

#[test]
fn what_was_made_before_a_panic_is_dropped() {
    let counter = Rc::default();
    let mut make = counted(&counter);
    let result = catch_unwind(AssertUnwindSafe(|| {
        NodeVec::from_fn(&one_node(), 1_000, |i| {
            assert!(i < 600, "no more");
            make(i)
        })
    }));
    assert!(result.is_err());
    drop(make);
    assert_eq!((counter.get(), Rc::strong_count(&counter)), (0, 1));
}

#[test]
fn a_panic_in_a_drop_leaves_the_others_to_be_dropped() {
    struct Bad(Rc<Cell<i32>>, bool);
    impl Drop for Bad {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "bad");
        }
    }
    let dropped = Rc::default();
    let all = NodeVec::from_fn(&one_node(), 10, |i| Bad(Rc::clone(&dropped), i == 3)).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(all))).is_err());
    assert_eq!((dropped.get(), Rc::strong_count(&dropped)), (10, 1));
}

#[test]
fn elements_without_a_size_take_no_memory() {
    let mut made = 0;
    let units = NodeVec::from_fn(&one_node(), 1_000_000, |_| made += 1).unwrap();
    assert_eq!((units.len(), made, units.room.pages.is_none()), (1_000_000, 1_000_000, true));
    assert_eq!(units.parts()[0].elements, 0..1_000_000);
    let empty = NodeVec::from_fn(&one_node(), 0, |i| i).unwrap();
    assert!(empty.is_empty() && empty.room.pages.is_none());

    thread_local!(static DROPPED: Cell<i32> = const { Cell::new(0) });
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.with(|dropped| dropped.set(dropped.get() + 1));
        }
    }
    drop(NodeVec::from_fn(&one_node(), 5, |_| Nothing).unwrap());
    assert_eq!(DROPPED.with(Cell::get), 5);
}

#[test]
fn alignments_beyond_a_page_are_kept() {
    #[repr(align(65536))]
    #[derive(Clone, Copy)]
    struct Wide(u8);
    let wide = NodeVec::from_fn(&one_node(), 5, |i| Wide(i as u8)).unwrap();
    assert_eq!(wide.as_ptr() as usize % 65_536, 0);
    assert!(wide.iter().map(|wide| wide.0).eq(0..5));
}

#[test]
fn huge_pages_begin_at_their_bounds() {
    let built = NodeVec::builder(&one_node()).huge_pages(true).from_fn(3 << 20, |i| i as u8).unwrap();
    assert_eq!(built.as_ptr() as usize % pages::HUGE, 0);
    assert_eq!(built[(3 << 20) - 1], 255);
}

#[test]
fn what_cannot_be_had_is_an_error() {
    let machine = one_node();
    let error = NodeVec::from_fn(&machine, usize::MAX, |_| 0_u64).unwrap_err();
    assert!(matches!(error, MemoryError::OutOfMemory { bytes: usize::MAX, .. }), "{error}");
    let error = NodeVec::from_fn(&machine, usize::MAX / 16, |_| 0_u64).unwrap_err();
    assert!(matches!(error, MemoryError::OutOfMemory { .. }), "{error}");
    let on = |nodes: &[usize]| NodeVec::builder(&machine).nodes(nodes.iter().copied()).from_fn(1, |i| i);
    assert!(matches!(on(&[1]).unwrap_err(), MemoryError::NoSuchNode { node: 1, nodes: 1, .. }));
    assert!(matches!(on(&[]).unwrap_err(), MemoryError::NoNodes));
}

#[test]
fn the_kernel_is_asked_and_its_refusal_is_an_error() {
    // Nodes that this machine is most unlikely to have.
    let machine = Topology::synthetic("node:600 core:1").unwrap();
    for spread in [Spread::Parts, Spread::Interleaved] {
        for strict in [false, true] {
            let builder = NodeVec::builder(&machine).nodes([599]).spread(spread).strict(strict);
            let error = builder.from_fn(1, |i| i).unwrap_err();
            match error {
                MemoryError::Refused { ref nodes, call: "mbind", .. } => assert_eq!(nodes, &[599]),
                _ => assert!(error.is_unavailable(), "{error}"),
            }
        }
    }
}

#[test]
fn pages_lie_where_the_report_says() {
    let machine = Topology::detect();
    for spread in [Spread::Parts, Spread::Interleaved] {
        let built = NodeVec::builder(&machine).spread(spread).strict(true).from_fn(1 << 18, |i| i);
        let numbers = match built {
            Ok(numbers) => numbers,
            Err(error) => return assert!(error.is_unavailable(), "{error}"),
        };
        let report = Placement::report(&numbers).unwrap();
        assert_eq!((report.absent(), report.pages()), (0, (1 << 21) / report.page_size()));
        if spread == Spread::Parts {
            for part in numbers.parts() {
                let report = Placement::report(&numbers[part.elements.clone()]).unwrap();
                assert_eq!(report.on(part.os_id) + report.unknown(), report.pages(), "{part:?}: {report}");
            }
        }
    }
}

#[test]
fn parts_can_be_changed_apart() {
    let mut numbers = NodeVec::from_fn(&one_node(), 5, |i| i).unwrap();
    for (node, elements) in numbers.parts_mut() {
        elements.fill(node + 7);
    }
    assert_eq!(numbers[..], [7; 5]);
    let (first, second) = (numbers.into_iter().count(), (&mut numbers).into_iter().count());
    assert_eq!((first, second), (5, 5));
}

proptest! {
    #[test]
    fn parts_follow_their_weights_to_within_a_page(
        len in 1_usize..2_000_000,
        size in 1_usize..200,
        weights in prop::collection::vec(1_usize..130, 1..9),
    ) {
        let grain = 4096;
        let ends: Vec<usize> = cuts(len, size, grain, weights.iter().copied()).collect();
        prop_assert_eq!(ends.len(), weights.len());
        prop_assert_eq!(*ends.last().unwrap(), len);
        prop_assert!(ends.is_sorted());
        let total: usize = weights.iter().sum();
        let mut sum = 0;
        for (end, weight) in ends.iter().zip(&weights) {
            sum += weight;
            let ideal = len as f64 * size as f64 * sum as f64 / total as f64;
            prop_assert!((*end as f64 * size as f64 - ideal).abs() <= (grain / 2 + size) as f64);
            if *end < len {
                // Where the kernel is told to cut is where the elements are cut, to within half an element.
                prop_assert!(nearest(end * size, grain).abs_diff(end * size) <= size.div_ceil(2));
            }
        }
    }
}
