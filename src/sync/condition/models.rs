//! No notification is lost: not on one whose time is up, and not on one that saw it before it was called.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;

use crate::sync::models::check;
use crate::sync::{Condition, Lock};

struct Bin {
    condition: Condition<Lock>,
    items: AtomicU32,
}

fn bin() -> Arc<Bin> {
    let condition = Condition::with_lock(std::sync::Arc::new(Lock::new()));
    Arc::new(Bin { condition, items: AtomicU32::new(0) })
}

impl Bin {
    fn take(&self, timeout: Option<Duration>) -> bool {
        let item = || (self.items.load(Relaxed) > 0).then_some(());
        self.condition.acquire();
        let there = match timeout {
            None => self.condition.wait_for(item).map(Some),
            Some(timeout) => self.condition.wait_for_timeout(timeout, item),
        };
        let there = there.unwrap().is_some();
        if there {
            self.items.fetch_sub(1, Relaxed);
        }
        self.condition.release().unwrap();
        there
    }

    fn put(&self, n: u32, calls: usize) {
        self.condition.acquire();
        self.items.fetch_add(n, Relaxed);
        self.condition.notify(calls).unwrap();
        self.condition.release().unwrap();
    }
}

#[test]
fn models_one_is_notified() {
    check(3, || {
        let bin = bin();
        let taker = Arc::clone(&bin);
        let taker = thread::spawn(move || taker.take(None));
        bin.put(1, 1);
        assert!(taker.join().unwrap());
    });
}

#[test]
fn models_all_are_called_in_turn() {
    check(2, || {
        let bin = bin();
        let takers = [(); 2].map(|()| {
            let bin = Arc::clone(&bin);
            thread::spawn(move || bin.take(None))
        });
        bin.put(2, usize::MAX);
        takers.into_iter().for_each(|taker| drop(taker.join().unwrap()));
    });
}

#[test]
fn models_who_gives_up_keeps_no_notification() {
    check(2, || {
        let bin = bin();
        let (hasty, patient) = (Arc::clone(&bin), Arc::clone(&bin));
        let hasty = thread::spawn(move || hasty.take(Some(Duration::from_secs(3600))));
        let patient = thread::spawn(move || patient.take(None));
        bin.put(1, 1);
        if hasty.join().unwrap() {
            bin.put(1, 1);
        }
        assert!(patient.join().unwrap());
    });
}
