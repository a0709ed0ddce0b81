//! One runs it, and nobody goes on before it has.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::sync::Once;
use crate::sync::models::check;

#[derive(Default)]
struct Made {
    once: Once,
    value: UnsafeCell<u32>,
}

#[allow(unsafe_code, reason = "loom watches the cell")]
// SAFETY: written within the initialisation, read after it; that is what loom checks.
unsafe impl Sync for Made {}
#[allow(unsafe_code, reason = "as above")]
// SAFETY: a number.
unsafe impl Send for Made {}

impl Made {
    fn make(&self) {
        #[allow(unsafe_code, reason = "loom watches the cell")]
        // SAFETY: it runs once.
        self.once.call_once(|| self.value.with_mut(|value| unsafe { *value += 1 }));
        #[allow(unsafe_code, reason = "loom watches the cell")]
        // SAFETY: it is complete.
        let value = self.value.with(|value| unsafe { *value });
        assert_eq!(value, 1);
    }
}

#[test]
fn models_it_runs_once() {
    check(3, || {
        let made = Arc::new(Made::default());
        let others = [(); 2].map(|()| {
            let made = Arc::clone(&made);
            thread::spawn(move || made.make())
        });
        made.make();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// The first to come gives it up; somebody else does it, also if all others sleep.
#[test]
fn models_it_is_tried_again() {
    check(3, || {
        let made = Arc::new(Made::default());
        let others = [(); 2].map(|()| {
            let made = Arc::clone(&made);
            thread::spawn(move || made.make())
        });
        if made.once.begin() {
            drop(super::Doing { once: &made.once, end: super::State::FREE });
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(made.once.is_completed());
    });
}
