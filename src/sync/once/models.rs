//! One runs it, and nobody goes on before it has.

use loom::sync::Arc;
use loom::thread;

use crate::sync::Once;
use crate::sync::models::{Count, check};

#[derive(Default)]
struct Made {
    once: Once,
    value: Count,
}

impl Made {
    fn make(&self) {
        self.once.call_once(|| drop(self.value.add()));
        assert_eq!(self.value.get(), 1);
    }
}

#[test]
fn models_it_runs_once() {
    check(2, || {
        let made = Arc::new(Made::default());
        let others = [(); 2].map(|()| {
            let made = Arc::clone(&made);
            thread::spawn(move || made.make())
        });
        made.make();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// The first to come gives it up; another, which may sleep by then, does it.
#[test]
fn models_it_is_tried_again() {
    check(3, || {
        let made = Arc::new(Made::default());
        let other = Arc::clone(&made);
        let other = thread::spawn(move || other.make());
        if made.once.begin() {
            drop(super::Doing { once: &made.once, end: super::State::FREE });
        }
        other.join().unwrap();
        assert!(made.once.is_completed());
    });
}
