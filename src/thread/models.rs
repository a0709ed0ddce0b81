//! Waiting for what is set once.

use std::time::{Duration, Instant};

use loom::sync::Arc;
use loom::thread;

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::thread::done::Done;

/// Two wait while one sets: both come back, and see what happened before.
#[test]
fn models_everybody_who_waits_comes_back() {
    loom::model(|| {
        let shared = Arc::new((Done::new(), AtomicU32::new(0)));
        let waiter = || {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                assert!(shared.0.wait(None));
                assert_eq!(shared.1.load(Ordering::Relaxed), 7);
            })
        };
        let waiters = [waiter(), waiter()];
        shared.1.store(7, Ordering::Relaxed);
        assert!(shared.0.set());
        assert!(!shared.0.set());
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

/// One gives up, one does not: that the first was there loses nobody a wake-up.
#[test]
fn models_one_that_gives_up_harms_nobody() {
    loom::model(|| {
        let done = Arc::new(Done::new());
        let far = Instant::now() + Duration::from_secs(3_600);
        let (theirs, others) = (Arc::clone(&done), Arc::clone(&done));
        let gives_up = thread::spawn(move || theirs.wait(Some(far)));
        let stays = thread::spawn(move || others.wait(None));
        done.set();
        assert!(stays.join().unwrap());
        gives_up.join().unwrap();
        assert!(done.is_set());
    });
}
