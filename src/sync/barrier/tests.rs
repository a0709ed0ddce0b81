use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::state::REMEMBERED;
use crate::sync::tests::in_both_scopes;
use crate::sync::{Barrier, BarrierBuilder, BarrierPlace, BrokenBarrier, Private, Scope};
use crate::unwind::halt;

const SOON: Duration = Duration::from_millis(2);

in_both_scopes! {
    each_round_gives_each_place_once
    nobody_passes_before_all_have_come
    a_late_party_breaks_it_for_all
    a_default_timeout_counts_unless_another_is_given
    an_abort_ends_all_waits_until_a_reset
    a_reset_ends_waits_and_begins_anew
    resets_and_rounds_at_the_same_time_lose_nobody
    more_threads_than_parties_pass_in_groups
    however_late_it_looks_it_knows_how_its_round_ended
}

/// Waits until so many wait there.
fn await_waiters<S: Scope>(barrier: &Barrier<S>, n: u32) {
    while barrier.n_waiting() < n {
        std::thread::yield_now();
    }
}

fn each_round_gives_each_place_once<S: Scope>() {
    const ROUNDS: usize = 300;
    let barrier = Barrier::<S>::in_scope(4);
    let places = Mutex::new(vec![BTreeSet::new(); ROUNDS]);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for round in 0..ROUNDS {
                    let place = barrier.wait().unwrap();
                    assert_eq!(place.is_leader(), place.index() == 3);
                    assert!(places.lock().unwrap()[round].insert(place.index()));
                }
            });
        }
    });
    assert!(places.into_inner().unwrap().iter().all(|places| places.iter().copied().eq(0..4)));
    assert_eq!((barrier.parties(), barrier.n_waiting(), barrier.is_broken()), (4, 0, false));
}

fn nobody_passes_before_all_have_come<S: Scope>() {
    let (barrier, arrived) = (Barrier::<S>::in_scope(3), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                for round in 1..=300 {
                    arrived.fetch_add(1, Relaxed);
                    barrier.wait().unwrap();
                    assert!(arrived.load(Relaxed) >= 3 * round);
                }
            });
        }
    });
}

fn a_late_party_breaks_it_for_all<S: Scope>() {
    let barrier = Barrier::<S>::in_scope(3);
    std::thread::scope(|s| {
        let patient = s.spawn(|| barrier.wait());
        await_waiters(&barrier, 1);
        assert_eq!(barrier.wait_timeout(SOON), Err(BrokenBarrier));
        assert_eq!(patient.join().unwrap(), Err(BrokenBarrier));
    });
    assert!(barrier.is_broken());
    assert_eq!(barrier.n_waiting(), 0);
    assert_eq!(barrier.wait(), Err(BrokenBarrier));
    assert_eq!(barrier.wait_timeout(Duration::MAX), Err(BrokenBarrier));
    barrier.reset();
    assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BrokenBarrier));
    barrier.reset();
    assert_eq!(barrier.wait_deadline(Instant::now() + SOON), Err(BrokenBarrier));
    assert!(BrokenBarrier.to_string().contains("reset"));
}

fn a_default_timeout_counts_unless_another_is_given<S: Scope>() {
    let barrier = BarrierBuilder::<S>::new(2).timeout(SOON).build();
    assert_eq!(barrier.wait(), Err(BrokenBarrier));
    barrier.reset();
    std::thread::scope(|s| {
        let waiter = s.spawn(|| barrier.wait_timeout(Duration::MAX));
        await_waiters(&barrier, 1);
        std::thread::sleep(SOON * 2);
        assert!(barrier.wait().is_ok());
        assert!(waiter.join().unwrap().is_ok());
    });
    let endless = BarrierBuilder::<S>::new(1).timeout(Duration::MAX).build();
    assert!(endless.wait().is_ok());
}

fn an_abort_ends_all_waits_until_a_reset<S: Scope>() {
    let barrier = Barrier::<S>::in_scope(3);
    std::thread::scope(|s| {
        let waiters = [(); 2].map(|()| s.spawn(|| barrier.wait()));
        await_waiters(&barrier, 2);
        barrier.abort();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(BrokenBarrier));
        }
    });
    barrier.abort();
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait(), Err(BrokenBarrier));
    barrier.reset();
    assert!(!barrier.is_broken());
    std::thread::scope(|s| {
        let waiters = [(); 3].map(|()| s.spawn(|| barrier.wait().map(BarrierPlace::index)));
        let places: BTreeSet<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap().unwrap()).collect();
        assert_eq!(places, BTreeSet::from([0, 1, 2]));
    });
}

fn a_reset_ends_waits_and_begins_anew<S: Scope>() {
    let barrier = Barrier::<S>::in_scope(2);
    barrier.reset();
    for _ in 0..100 {
        std::thread::scope(|s| {
            let early = s.spawn(|| barrier.wait());
            await_waiters(&barrier, 1);
            barrier.reset();
            assert!(!barrier.is_broken());
            // This is the next round already, whether or not the other has noticed.
            let (a, b) = (s.spawn(|| barrier.wait()), s.spawn(|| barrier.wait()));
            assert_eq!(early.join().unwrap(), Err(BrokenBarrier));
            assert!(a.join().unwrap().is_ok() && b.join().unwrap().is_ok());
        });
    }
}

fn resets_and_rounds_at_the_same_time_lose_nobody<S: Scope>() {
    let (barrier, left) = (Barrier::<S>::in_scope(2), AtomicU32::new(2));
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                // Whoever is done first would leave the other waiting.
                for _ in 0..500 {
                    let _ = barrier.wait();
                }
                left.fetch_sub(1, Relaxed);
            });
        }
        while left.load(Relaxed) > 0 {
            barrier.reset();
            std::thread::yield_now();
        }
    });
    assert!(!barrier.is_broken());
}

fn more_threads_than_parties_pass_in_groups<S: Scope>() {
    let barrier = Barrier::<S>::in_scope(2);
    // Drawn from one pot, so that nobody is left behind with an even number of waits and no partner.
    let (waits, leaders) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                while waits.fetch_add(1, Relaxed) < 1_200 {
                    leaders.fetch_add(u32::from(barrier.wait().unwrap().is_leader()), Relaxed);
                }
            });
        }
    });
    assert_eq!(leaders.into_inner(), 600);
}

/// A barrier for two whose action counts.
fn counting(action: impl Fn(&AtomicU32) + Send + Sync + 'static) -> (Barrier, Arc<AtomicU32>) {
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let run = move || {
        counter.fetch_add(1, Relaxed);
        action(&counter);
    };
    (Barrier::builder(2).action(run).build(), runs)
}

#[test]
fn the_action_runs_once_a_round_before_anybody_goes() {
    let (barrier, runs) = counting(|_| ());
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                for round in 0..300 {
                    barrier.wait().unwrap();
                    // The next round's cannot run before this thread arrives there.
                    assert_eq!(runs.load(Relaxed), 2 * round + 1);
                    barrier.wait().unwrap();
                    assert_eq!(runs.load(Relaxed), 2 * round + 2);
                }
            });
        }
    });
}

#[test]
fn a_panic_in_the_action_breaks_it_and_goes_on_where_it_ran() {
    let (barrier, _runs) = counting(|_| std::panic::resume_unwind(Box::new(17)));
    std::thread::scope(|s| {
        let waiter = s.spawn(|| barrier.wait());
        await_waiters(&barrier, 1);
        let payload = halt(|| barrier.wait()).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&17));
        assert_eq!(waiter.join().unwrap(), Err(BrokenBarrier));
    });
    assert!(barrier.is_broken());
    barrier.reset();
    assert!(!barrier.is_broken());
}

/// The one who waits is late only by the clock: all have arrived.
#[test]
fn nobody_is_late_while_the_action_runs() {
    let (barrier, _runs) = counting(|_| std::thread::sleep(SOON * 10));
    std::thread::scope(|s| {
        let waiter = s.spawn(|| barrier.wait_timeout(SOON * 5));
        await_waiters(&barrier, 1);
        match (barrier.wait(), waiter.join().unwrap()) {
            (Ok(_), Ok(_)) => {}
            // It was late before the action ran.
            (Err(_), Err(_)) => assert!(barrier.is_broken()),
            unequal => panic!("{unequal:?}"),
        }
    });
}

#[test]
fn an_action_that_aborts_or_resets_breaks_its_round() {
    for reset in [false, true] {
        let slot: Arc<std::sync::OnceLock<Weak<Barrier>>> = Arc::default();
        let barrier = Arc::new({
            let slot = Arc::clone(&slot);
            let end = if reset { Barrier::reset } else { Barrier::abort };
            Barrier::builder(2).action(move || end(&slot.get().unwrap().upgrade().unwrap())).build()
        });
        slot.set(Arc::downgrade(&barrier)).unwrap();
        std::thread::scope(|s| {
            let waiter = s.spawn(|| barrier.wait());
            assert_eq!(barrier.wait(), Err(BrokenBarrier));
            assert_eq!(waiter.join().unwrap(), Err(BrokenBarrier));
        });
        assert_eq!(barrier.is_broken(), !reset);
    }
}

#[test]
fn parties_are_at_least_one_and_not_too_many() {
    assert!(halt(|| Barrier::new(0)).is_err());
    assert!(halt(|| Barrier::new(Barrier::<Private>::MAX_PARTIES + 1)).is_err());
    assert_eq!(Barrier::new(Barrier::<Private>::MAX_PARTIES).parties(), (1 << 18) - 1);
    assert_eq!(format!("{:?}", Barrier::new(2)), "Barrier { parties: 2, n_waiting: 0, broken: false, .. }");
}

/// Others, of which there are more than parties, have gone on without it.
fn however_late_it_looks_it_knows_how_its_round_ended<S: Scope>() {
    let barrier: Barrier<S> = Barrier::in_scope(1);
    for ahead in [1, REMEMBERED, REMEMBERED + 1, 3 * REMEMBERED] {
        let ended = |end: fn(&Barrier<S>)| {
            let mine = barrier.look().joined();
            end(&barrier);
            (1..ahead).for_each(|_| assert!(barrier.wait().is_ok()));
            barrier.has_passed(barrier.look(), mine)
        };
        let breaks = |barrier: &Barrier<S>| {
            barrier.abort();
            barrier.reset();
        };
        assert!(!ended(breaks), "{ahead}");
        assert!(ended(|barrier| assert!(barrier.wait().is_ok())), "{ahead}");
        assert!(!ended(breaks), "{ahead}");
    }
}
