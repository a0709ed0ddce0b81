//! Processes that are killed at random points while they use what they share with others: the others go on.
//!
//! Each test kills `GRISTMILL_KILLS` processes (8). A seed repeats the moments, but not what the processes were doing
//! then.

#![allow(unsafe_code, reason = "shared memory, and children")]

#[path = "killed_waiting/stage.rs"]
mod stage;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use gristmill::sync::{Barrier, Condvar, Event, LockError, Mutex, MutexGuard, Once, Semaphore, Shared};

use stage::{Dice, Stage, kills, until};

/// Children pass permits on from one semaphore to another. Of those that there were, at most one is gone with the dead.
#[test]
fn permits_that_nobody_took_are_still_to_be_had() {
    struct Props {
        asked: Semaphore<Shared>,
        given: Semaphore<Shared>,
    }
    const ASKED: u32 = 40;
    let props = Props { asked: Semaphore::shared(0), given: Semaphore::shared(0) };
    let name = "permits_that_nobody_took_are_still_to_be_had";
    let mut stage = Stage::set(name, props, |props, _, _| {
        props.asked.acquire();
        props.given.release();
    });
    let mut dice = Dice::new();
    for round in 0..kills() {
        let number = dice.below(2) as usize;
        for child in 0..2 {
            if round == 0 || child == number {
                stage.send(child, "");
            }
        }
        while stage.given.try_acquire() {}
        match dice.below(3) {
            // Asleep, or about to be.
            0 => stage.kill(number, &mut dice),
            1 => {
                stage.asked.release_n(NonZeroU32::new(ASKED).unwrap());
                stage.kill(number, &mut dice);
            }
            _ => {
                (0..ASKED).for_each(|_| stage.asked.release());
                stage.kill(number, &mut dice);
            }
        }
        until("the other takes what is left", || stage.asked.available() == 0);
    }
}

/// Children release; one of them is killed there. Whoever waits gets what has been released.
#[test]
fn a_release_that_was_begun_is_done_or_not() {
    let name = "a_release_that_was_begun_is_done_or_not";
    let mut stage = Stage::set(name, Semaphore::<Shared>::shared(0), |semaphore, role, _| match role {
        "give" => {
            if semaphore.available() < 100 {
                semaphore.release();
            }
        }
        _ => semaphore.acquire(),
    });
    let mut dice = Dice::new();
    stage.send(0, "take");
    for _ in 0..kills() {
        stage.send(1, "give");
        stage.kill(1, &mut dice);
        until("what is there is taken", || stage.available() == 0);
    }
}

/// Two wait for an event that a third raises and takes down until it is killed.
#[test]
fn an_event_that_is_up_lets_all_go() {
    let name = "an_event_that_is_up_lets_all_go";
    let mut stage = Stage::set(name, Event::<Shared>::shared(), |event, role, _| match role {
        "wait" => event.wait(),
        _ => {
            event.set();
            event.clear();
        }
    });
    let mut dice = Dice::new();
    for round in 0..kills() {
        stage.set();
        for child in 0..2 {
            if round == 0 || dice.below(4) == 0 {
                if round != 0 {
                    stage.kill(child, &mut dice);
                }
                stage.send(child, "wait");
            }
        }
        stage.clear();
        stage.send(2, "raise");
        stage.kill(2, &mut dice);
        // Whether it is up or not, and whoever should have been woken, from now on it is up.
        if !stage.is_set() {
            stage.set();
        }
        let before = [stage.rounds(0), stage.rounds(1)];
        until("all who waited go", || {
            (0..2).all(|child| stage.rounds(child).wrapping_sub(before[child]) > 1)
        });
        stage.clear();
    }
}

/// Two children and the parent meet; a child is killed. The others find out, and meet again when there is another child
/// in its place. If `told`, somebody says so; else a timeout does.
fn meet(name: &'static str, told: bool) {
    const LONG: Duration = Duration::from_secs(5);
    let timeout = if told { Duration::MAX } else { Duration::from_millis(20) };
    let mut stage = Stage::set(name, Barrier::<Shared>::shared(3, timeout), |barrier, _, _| {
        if barrier.wait().is_err() {
            while barrier.is_broken() {
                std::thread::yield_now();
            }
        }
    });
    let mut dice = Dice::new();
    for round in 0..kills() {
        let victim = dice.below(2) as usize;
        for child in 0..2 {
            if round == 0 || child == victim {
                stage.send(child, "");
            }
        }
        // On a busy machine a child may be late without being dead.
        until("all meet", || {
            stage.reset();
            stage.wait_timeout(LONG).is_ok()
        });
        for _ in 0..dice.below(20) {
            let _ = stage.wait_timeout(LONG);
        }
        stage.kill(victim, &mut dice);
        if told {
            stage.abort();
        }
        // If it had arrived it was counted, and a round passes yet.
        until("the barrier breaks", || stage.wait().is_err());
        assert!(stage.is_broken());
        assert_eq!(stage.n_waiting(), 0);
    }
}

#[test]
fn a_barrier_without_one_of_its_parties_breaks_by_itself() {
    meet("a_barrier_without_one_of_its_parties_breaks_by_itself", false);
}

#[test]
fn a_barrier_is_told_that_one_of_its_parties_died() {
    meet("a_barrier_is_told_that_one_of_its_parties_died", true);
}

/// The lock, also from one that died with it.
fn recovered<G, M: FnOnce(&G)>(lock: Result<G, LockError<G>>, mark: M) -> G {
    match lock {
        Ok(guard) => guard,
        Err(LockError::OwnerDied(guard)) => {
            mark(&guard);
            guard
        }
        Err(LockError::NotRecoverable) => panic!("nobody leaves it unmarked"),
    }
}

/// Children put in, children take out, and one of either is killed: what is in is taken out by the others.
#[test]
fn a_condition_that_is_notified_is_seen_by_the_others() {
    struct Props {
        items: Mutex<u32, Shared>,
        changed: Condvar<Shared>,
    }
    impl Props {
        fn lock(&self) -> MutexGuard<'_, u32, Shared> {
            recovered(self.items.lock(), MutexGuard::mark_consistent)
        }
    }
    let props = Props { items: Mutex::shared(0), changed: Condvar::shared() };
    let name = "a_condition_that_is_notified_is_seen_by_the_others";
    let mut stage = Stage::set(name, props, |props, role, _| match role {
        "take" => {
            let items = props.changed.wait_while(props.lock(), |items| *items == 0);
            let mut items = recovered(items, MutexGuard::mark_consistent);
            // Not what was waited for, if it came from one that died.
            *items = items.saturating_sub(1);
        }
        _ => {
            let mut items = props.lock();
            *items = (*items + 1).min(100);
            let all = *items % 3 == 0;
            drop(items);
            if all { props.changed.notify_all() } else { props.changed.notify_one() }
        }
    });
    let mut dice = Dice::new();
    for round in 0..kills() {
        for child in 0..3 {
            if round == 0 || dice.below(6) == 0 {
                if round != 0 {
                    stage.kill(child, &mut dice);
                }
                stage.send(child, "take");
            }
        }
        stage.send(3, "put");
        let victim = dice.below(4) as usize;
        stage.kill(victim, &mut dice);
        if victim != 3 {
            stage.send(victim, "take");
            stage.kill(3, &mut dice);
        }
        until("what is there is taken", || *stage.lock() == 0);
        // One more, of which only one is told.
        *stage.lock() += 1;
        stage.changed.notify_one();
        until("the last one is taken", || *stage.lock() == 0);
    }
}

/// Children run initialisations, many of them and all the same; one is killed. All are completed.
#[test]
fn what_is_to_be_done_once_is_done() {
    const MANY: u32 = 8192;
    const EACH: u32 = 4;
    struct Step {
        once: Once<Shared>,
        done: AtomicU32,
    }
    struct Props {
        steps: [Step; MANY as usize],
        /// Children do those before this one.
        end: AtomicU32,
    }
    impl Props {
        fn step(&self, number: u32) {
            let step = &self.steps[number as usize];
            step.once.call_once(|| {
                (0..100).for_each(|_| std::hint::spin_loop());
                step.done.fetch_add(1, SeqCst);
            });
            assert!(step.once.is_completed() && step.done.load(SeqCst) >= 1);
        }
    }
    let steps = std::array::from_fn(|_| Step { once: Once::shared(), done: AtomicU32::new(0) });
    let props = Props { steps, end: AtomicU32::new(0) };
    let name = "what_is_to_be_done_once_is_done";
    let mut stage = Stage::set(name, props, |props, _, _| {
        let end = props.end.load(SeqCst);
        (end.saturating_sub(EACH)..end).for_each(|number| props.step(number));
    });
    let mut dice = Dice::new();
    stage.send(0, "");
    for round in 1..=kills().min(MANY / EACH) {
        stage.send(1, "");
        stage.end.store(round * EACH, SeqCst);
        stage.kill(1, &mut dice);
        // One of these is maybe what the dead one has begun.
        (0..round * EACH).for_each(|number| stage.step(number));
    }
}
