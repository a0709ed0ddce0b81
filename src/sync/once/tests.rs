use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::sync::tests::in_both_scopes;
use crate::sync::{Once, OnceCell, Scope};
use crate::unwind::halt;

in_both_scopes! {
    it_runs_once
    a_panic_lets_the_next_one_try
    a_circle_is_an_error
    a_cell_is_set_once
    a_cell_drops_what_is_in_it_once
}

fn it_runs_once<S: Scope>() {
    for _ in 0..50 {
        let (once, runs) = (Once::<S>::in_scope(), AtomicU32::new(0));
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    once.call_once(|| {
                        std::thread::yield_now();
                        runs.store(runs.load(Relaxed) + 1, Relaxed);
                    });
                    assert_eq!(runs.load(Relaxed), 1);
                    assert!(once.is_completed());
                });
            }
        });
        assert_eq!(runs.into_inner(), 1);
    }
    assert_eq!(format!("{:?}", Once::<S>::default()), "Once { completed: false }");
}

fn a_panic_lets_the_next_one_try<S: Scope>() {
    let (once, tries) = (Once::<S>::in_scope(), AtomicU32::new(0));
    let panics = AtomicU32::new(0);
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                let run = halt(|| {
                    once.call_once(|| {
                        if tries.fetch_add(1, Relaxed) < 3 {
                            std::thread::yield_now();
                            std::panic::resume_unwind(Box::new(()));
                        }
                    });
                });
                panics.fetch_add(u32::from(run.is_err()), Relaxed);
            });
        }
    });
    assert_eq!((tries.into_inner(), panics.into_inner()), (4, 3));
    assert!(once.is_completed());
}

fn a_circle_is_an_error<S: Scope>() {
    let once = Once::<S>::in_scope();
    assert!(halt(|| once.call_once(|| once.call_once(|| ()))).is_err());
    assert!(!once.is_completed());
    let cell = OnceCell::<u32, S>::in_scope();
    assert!(halt(|| *cell.get_or_init(|| *cell.get_or_init(|| 1))).is_err());
    assert_eq!(cell.get(), None);
    once.call_once(|| ());
    assert!(once.is_completed());
}

fn a_cell_is_set_once<S: Scope>() {
    let cell = OnceCell::<String, S>::in_scope();
    assert_eq!(format!("{cell:?}"), "OnceCell(<empty>)");
    let set = AtomicU32::new(0);
    std::thread::scope(|s| {
        for n in 0..4 {
            let (cell, set) = (&cell, &set);
            s.spawn(move || {
                set.fetch_add(u32::from(cell.set(n.to_string()).is_ok()), Relaxed);
                assert!(cell.get().is_some());
            });
        }
    });
    assert_eq!(set.into_inner(), 1);
    let mut cell = cell;
    "seven".clone_into(cell.get_mut().unwrap());
    assert_eq!(cell.get_or_init(|| unreachable!()), "seven");
    assert_eq!(format!("{cell:?}"), "OnceCell(\"seven\")");
    assert_eq!(cell.take().as_deref(), Some("seven"));
    assert!(cell.get().is_none() && cell.get_mut().is_none());
    cell.set("eight".to_owned()).unwrap();
    assert_eq!(cell.into_inner().as_deref(), Some("eight"));
}

fn a_cell_drops_what_is_in_it_once<S: Scope>() {
    let value = std::sync::Arc::new(());
    let cell = OnceCell::<_, S>::in_scope();
    drop(OnceCell::<std::sync::Arc<()>, S>::default());
    cell.set(value.clone()).unwrap();
    assert!(cell.set(value.clone()).is_err());
    assert_eq!(std::sync::Arc::strong_count(&value), 2);
    drop(cell);
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

#[test]
fn it_is_one_word() {
    assert_eq!(size_of::<Once>(), 8);
}

/// A thread that ends within the initialisation, as one that is killed does, has not done it.
#[test]
fn a_death_lets_the_next_one_try() {
    let once = Once::shared();
    std::thread::scope(|s| {
        s.spawn(|| {
            assert!(once.begin());
        });
    });
    let mut ran = false;
    once.call_once(|| ran = true);
    assert!(ran);
}
