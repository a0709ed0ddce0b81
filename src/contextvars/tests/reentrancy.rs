//! Values whose own code uses variables, at every moment at which a context touches them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::contextvars::{Context, ContextVar, Token, copy_context, inherit};
use crate::unwind::halt;

static DROPS: ContextVar<u32> = ContextVar::with_default("drops", 0);

/// Sets and reads a variable as it is dropped.
#[derive(Clone)]
struct Busy(Arc<AtomicU32>);

impl Drop for Busy {
    fn drop(&mut self) {
        let before = DROPS.get().unwrap();
        DROPS.set(before + 1);
        assert_eq!(DROPS.get(), Some(before + 1));
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

static BUSY: ContextVar<Busy> = ContextVar::new("busy");

#[test]
fn a_drop_may_use_variables() {
    let drops = Arc::new(AtomicU32::new(0));
    let context = Context::new();
    context
        .run(|| {
            let token = BUSY.set(Busy(Arc::clone(&drops)));
            drop(BUSY.set(Busy(Arc::clone(&drops)))); // the token has the first
            assert_eq!((drops.load(Ordering::Relaxed), DROPS.get()), (1, Some(1)));
            BUSY.reset(&token).unwrap();
            assert_eq!((drops.load(Ordering::Relaxed), DROPS.get()), (2, Some(2)));
            BUSY.set(Busy(Arc::clone(&drops)));
        })
        .unwrap();
    let outside = DROPS.get();
    drop(context);
    assert_eq!((drops.load(Ordering::Relaxed), DROPS.get()), (3, outside.map(|drops| drops + 1)));
}

#[test]
fn what_is_looked_at_stays_while_it_is_replaced() {
    let drops = Arc::new(AtomicU32::new(0));
    Context::new()
        .run(|| {
            BUSY.set(Busy(Arc::clone(&drops)));
            BUSY.with(|busy| {
                let busy = busy.unwrap();
                // The outer of two looks at one value keeps it for both, once it has left.
                BUSY.with(|again| {
                    assert!(std::ptr::eq(again.unwrap(), busy));
                    drop(BUSY.set(Busy(Arc::clone(&drops))));
                    assert_eq!(drops.load(Ordering::Relaxed), 0);
                    assert!(Arc::ptr_eq(&again.unwrap().0, &drops));
                });
                assert_eq!(drops.load(Ordering::Relaxed), 0);
                assert!(Arc::ptr_eq(&busy.0, &drops));
                // Nobody looks at the second, so it goes at once.
                drop(BUSY.set(Busy(Arc::clone(&drops))));
                assert_eq!(drops.load(Ordering::Relaxed), 1);
                assert!(Arc::ptr_eq(&busy.0, &drops));
            });
            assert_eq!(drops.load(Ordering::Relaxed), 2);
        })
        .unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[test]
fn what_is_looked_at_stays_when_it_comes_back_and_leaves_again() {
    let drops = Arc::new(AtomicU32::new(0));
    Context::new()
        .run(|| {
            let unset = BUSY.set(Busy(Arc::clone(&drops)));
            BUSY.with(|busy| {
                let token = BUSY.set(Busy(Arc::clone(&drops)));
                BUSY.reset(&token).unwrap();
                assert_eq!(drops.load(Ordering::Relaxed), 1);
                drop(token);
                BUSY.reset(&unset).unwrap();
                assert!(BUSY.get().is_none());
                assert_eq!(drops.load(Ordering::Relaxed), 1);
                assert!(Arc::ptr_eq(&busy.unwrap().0, &drops));
            });
            assert_eq!(drops.load(Ordering::Relaxed), 2);
        })
        .unwrap();
}

#[test]
fn a_look_in_one_context_holds_in_another() {
    let drops = Arc::new(AtomicU32::new(0));
    let outer = Context::new();
    outer
        .run(|| {
            BUSY.set(Busy(Arc::clone(&drops)));
            BUSY.with(|busy| {
                let inner = copy_context();
                inner
                    .run(|| {
                        drop(BUSY.set(Busy(Arc::clone(&drops))));
                        BUSY.with(|inner| assert!(!std::ptr::eq(inner.unwrap(), busy.unwrap())));
                    })
                    .unwrap();
                drop(inner);
                assert_eq!(drops.load(Ordering::Relaxed), 1);
                assert!(std::ptr::eq(busy.unwrap(), BUSY.with(|now| std::ptr::from_ref(now.unwrap()))));
            });
        })
        .unwrap();
}

#[test]
fn a_panic_while_looking_lets_go() {
    let drops = Arc::new(AtomicU32::new(0));
    Context::new()
        .run(|| {
            BUSY.set(Busy(Arc::clone(&drops)));
            let panicked = halt(|| {
                BUSY.with(|_| -> () {
                    drop(BUSY.set(Busy(Arc::clone(&drops))));
                    panic!("inside")
                })
            });
            assert!(panicked.is_err());
            assert_eq!(drops.load(Ordering::Relaxed), 1);
            drop(BUSY.set(Busy(Arc::clone(&drops))));
            assert_eq!(drops.load(Ordering::Relaxed), 2);
        })
        .unwrap();
}

#[test]
fn a_clone_may_replace_what_it_clones() {
    struct Fickle(u32);
    static FICKLE: ContextVar<Fickle> = ContextVar::new("fickle");
    impl Clone for Fickle {
        fn clone(&self) -> Self {
            FICKLE.set(Fickle(self.0 + 1));
            Fickle(self.0) // still there
        }
    }
    Context::new()
        .run(|| {
            FICKLE.set(Fickle(1));
            assert_eq!(FICKLE.get().map(|fickle| fickle.0), Some(1));
            assert_eq!(copy_context().get(&FICKLE).map(|fickle| fickle.0), Some(2));
            // Which cloned the value of the copy, and set that of this context.
            assert_eq!(FICKLE.with(|fickle| fickle.map(|fickle| fickle.0)), Some(3));
        })
        .unwrap();
}

#[test]
fn a_comparison_may_change_what_is_compared() {
    struct Odd;
    static ODD: ContextVar<Odd> = ContextVar::new("odd").comparable();
    static SEEN: ContextVar<u32> = ContextVar::with_default("seen", 0);
    impl PartialEq for Odd {
        fn eq(&self, _: &Self) -> bool {
            ODD.set(Odd);
            SEEN.set(SEEN.get().unwrap() + 1);
            true
        }
    }
    let (one, other) = (Context::new(), Context::new());
    one.run(|| ODD.set(Odd)).unwrap();
    other
        .run(|| {
            ODD.set(Odd);
            assert!(one == other);
            assert_eq!(SEEN.get(), Some(1));
        })
        .unwrap();
}

#[test]
fn a_default_may_use_variables_as_it_is_made() {
    static OUTER: ContextVar<u32> = ContextVar::with_default_fn("outer", || INNER.get().unwrap() + 1);
    static INNER: ContextVar<u32> =
        ContextVar::with_default_fn("inner", || DROPS.scope(5, || DROPS.get().unwrap()));
    assert_eq!(OUTER.get(), Some(6));
}

#[test]
fn a_drop_that_panics_leaves_the_context_in_order() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb")
        }
    }
    static BOMB: ContextVar<Option<Bomb>> = ContextVar::new("bomb");
    let context = Context::new();
    context
        .run(|| {
            let token = BOMB.set(Some(Bomb));
            assert!(halt(|| BOMB.reset(&token)).is_err());
            assert!(!copy_context().contains(&BOMB));
            BOMB.set(None);
            // A guard is quiet, since it may be dropped by a panic.
            drop(BOMB.set_scoped(Some(Bomb)));
            assert!(BOMB.with(|bomb| bomb.unwrap().is_none()));
        })
        .unwrap();
}

#[test]
fn values_live_as_long_as_the_last_who_has_them() {
    static V: ContextVar<Arc<()>> = ContextVar::new("v");
    let value = Arc::new(());
    let context = Context::new();
    let token: Token<Arc<()>> = context
        .run(|| {
            V.set(Arc::clone(&value));
            V.set(Arc::default())
        })
        .unwrap();
    let (copy, job) = (context.clone(), context.run(|| inherit(|| V.get())).unwrap());
    drop(context);
    assert_eq!(Arc::strong_count(&value), 2);
    assert!(token.old_value().is_some_and(|old| Arc::ptr_eq(old, &value)));
    drop(token);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(!Arc::ptr_eq(&copy.get(&V).unwrap(), &job().unwrap()) || copy.len() == 1);
}

#[test]
fn a_thread_may_use_variables_to_its_very_end() {
    static LAST: ContextVar<Arc<AtomicU32>> = ContextVar::new("last");
    /// In a thread-local that is dropped before, or after, the context is emptied.
    struct AtExit(Cell<Option<Arc<AtomicU32>>>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            let Some(count) = self.0.take() else { return };
            let _ = LAST.get();
            LAST.set(Arc::clone(&count));
            assert!(LAST.with(|last| last.is_some_and(|last| Arc::ptr_eq(last, &count))));
            let inside = Context::new().run(|| LAST.get());
            assert!(inside.unwrap().is_none());
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local! {
        static BEFORE: AtExit = const { AtExit(Cell::new(None)) };
        static AFTER: AtExit = const { AtExit(Cell::new(None)) };
    }
    let count = Arc::new(AtomicU32::new(0));
    let there = Arc::clone(&count);
    std::thread::spawn(move || {
        BEFORE.with(|exit| exit.0.set(Some(Arc::clone(&there))));
        LAST.set(Arc::clone(&there));
        AFTER.with(|exit| exit.0.set(Some(Arc::clone(&there))));
        // A value whose drop sets variables, in a context that is being emptied.
        BUSY.set(Busy(there));
    })
    .join()
    .unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 3);
    assert_eq!(Arc::strong_count(&count), 1, "what was set last has gone, too");
}

#[test]
fn a_threads_own_context_ends_with_it() {
    static V: ContextVar<Arc<()>> = ContextVar::new("v");
    let value = Arc::new(());
    let there = Arc::clone(&value);
    std::thread::spawn(move || {
        V.set(Arc::clone(&there));
        drop(V.set(there));
    })
    .join()
    .unwrap();
    assert_eq!(Arc::strong_count(&value), 1);
}
