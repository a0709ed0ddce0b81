//! Threads that end, and begin, while an object with values of theirs is used or dropped.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use crate::threading::slots::Slots;

/// Counts its drops, and has loom watch over who touches it.
struct Watched {
    cell: UnsafeCell<u32>,
    drops: Arc<AtomicU32>,
}

impl Watched {
    fn new(drops: &Arc<AtomicU32>) -> Self {
        Watched { cell: UnsafeCell::new(0), drops: Arc::clone(drops) }
    }

    fn touch(&self) {
        #[allow(unsafe_code, reason = "what loom is to watch")]
        // SAFETY: the slot is the caller's, or the value is being dropped; loom checks just that.
        self.cell.with_mut(|cell| unsafe { *cell += 1 });
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.touch();
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Puts a value into a slot of the calling thread's, and looks at it.
fn use_slot(slots: &Slots<Watched>, drops: &Arc<AtomicU32>) -> crate::threading::slots::Mine<Watched> {
    let mine = slots.take();
    {
        let Ok(mut lent) = slots.borrow_mut(&mine) else { unreachable!("nobody has borrowed it") };
        assert!(lent.value().is_none(), "a slot that was taken is empty");
        *lent.value() = Some(Watched::new(drops));
    }
    let Ok(lent) = slots.borrow(&mine) else { unreachable!("nobody changes it") };
    lent.value().unwrap().touch();
    drop(lent);
    mine
}

/// A thread leaves while the object is dropped: the value is dropped once.
#[test]
fn models_a_value_is_dropped_once() {
    loom::model(|| {
        let (slots, drops) = (Arc::new(Slots::new()), Arc::new(AtomicU32::new(0)));
        let (theirs, counter) = (Arc::clone(&slots), Arc::clone(&drops));
        let leaves = thread::spawn(move || {
            let mine = use_slot(&theirs, &counter);
            drop(theirs);
            mine.leave();
        });
        drop(slots);
        leaves.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// Two threads take slots, one of them after another has left: no slot is anybody else's at that time.
#[test]
fn models_slots_are_handed_on() {
    loom::model(|| {
        let (slots, drops) = (Arc::new(Slots::new()), Arc::new(AtomicU32::new(0)));
        let thread = || {
            let (slots, drops) = (Arc::clone(&slots), Arc::clone(&drops));
            thread::spawn(move || use_slot(&slots, &drops).leave())
        };
        let threads = [thread(), thread()];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        use_slot(&slots, &drops).leave();
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}
