//! Nobody sleeps through a flag that was up, and what came before it is seen.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;

use crate::sync::Event;
use crate::sync::models::check;

#[derive(Default)]
struct Shop {
    event: Event,
    work: AtomicU32,
}

#[test]
fn models_all_who_wait_go_and_see_what_came_before() {
    check(2, || {
        let shop = Arc::new(Shop::default());
        let waiters = [(); 2].map(|()| {
            let shop = Arc::clone(&shop);
            thread::spawn(move || {
                shop.event.wait();
                assert_eq!(shop.work.load(Relaxed), 1);
            })
        });
        shop.work.store(1, Relaxed);
        shop.event.set();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

/// Two have found the flag down. It goes up for a moment, and twice: a sleeper may be called for the first and lie
/// down in the second.
#[test]
fn models_a_moment_up_is_enough() {
    check(2, || {
        let shop = Arc::new(Shop::default());
        let down = shop.event.look();
        let waiters = [(); 2].map(|()| {
            let shop = Arc::clone(&shop);
            thread::spawn(move || {
                assert!(shop.event.wait_asleep(down, None));
                assert_eq!(shop.work.load(Relaxed), 1);
            })
        });
        shop.work.store(1, Relaxed);
        for _ in 0..2 {
            shop.event.set();
            shop.event.clear();
        }
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert!(!shop.event.is_set());
    });
}

/// In the end the flag is down, and a waiter has not waited longer than its time.
#[test]
fn models_a_timeout_against_a_moment_up() {
    check(3, || {
        let shop = Arc::new(Shop::default());
        let waiter = Arc::clone(&shop);
        let waiter = thread::spawn(move || {
            let went = waiter.event.wait_timeout(Duration::from_secs(1));
            assert!(!went || waiter.work.load(Relaxed) == 1);
        });
        shop.work.store(1, Relaxed);
        shop.event.set();
        shop.event.clear();
        waiter.join().unwrap();
        assert!(!shop.event.is_set());
    });
}

/// A producer whose `set` finds the flag up, against a consumer that clears it and looks.
#[test]
fn models_a_set_that_changes_nothing_is_not_lost() {
    check(2, || {
        let shop = Arc::new(Shop::default());
        let producers = [(); 2].map(|()| {
            let shop = Arc::clone(&shop);
            thread::spawn(move || {
                shop.work.fetch_add(1, Relaxed);
                shop.event.set();
            })
        });
        let mut done = 0;
        while done < 2 {
            shop.event.wait();
            shop.event.clear();
            done += shop.work.swap(0, Relaxed);
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}
