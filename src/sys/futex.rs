//! The kernel's wait queue for one word of memory.
//!
//! `shared` says whose word it is: false for memory of this process alone, which keeps the kernel from looking up
//! the page behind the address; true for memory that several processes may have mapped, at whatever addresses.
//! All who use a word must agree on it.
//!
//! Under loom a registry of sleepers stands in for the kernel, with the same promise: comparing the word and lying
//! down are one step for whoever wakes. A sleep with a deadline ends there after others have had a chance to run, and
//! not sooner because somebody spun.
//!
//! Source: `futex(2)`, `FUTEX_CMP_REQUEUE` there.

use std::time::{Duration, Instant};

pub(crate) use imp::{cmp_requeue, wait, wake};

/// The moment `timeout` from now; `None`, which is for ever, if there is no such moment.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Wakes one thread that sleeps on `word`, which is memory of this process.
pub(crate) fn wake_one(word: &crate::prim::atomic::AtomicU32) {
    wake(word, 1, false);
}

/// How many sleepers to call: the kernel takes a signed number.
pub(crate) const ALL: u32 = i32::MAX as u32;

#[cfg(not(loom))]
mod imp {
    use std::sync::atomic::AtomicU32;
    use std::time::Instant;

    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};

    fn flags(shared: bool) -> Flags {
        if shared { Flags::empty() } else { Flags::PRIVATE }
    }

    /// Sleeps while `*word == expected`, until `deadline` at most (no limit if `None`). False if the time was up.
    ///
    /// May return early for no reason, with true: look at the word again.
    pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>, shared: bool) -> bool {
        let limit = match deadline {
            None => None,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return false;
                }
                Some(Timespec {
                    // A wait of 2^62 seconds and one without limit are the same thing.
                    tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX).min(1 << 62),
                    tv_nsec: i64::from(left.subsec_nanos()),
                })
            }
        };
        // Every other error (value changed, interrupted) means the same to the caller: look again.
        futex::wait(word, flags(shared), expected, limit.as_ref()) != Err(Errno::TIMEDOUT)
    }

    /// Wakes up to `n` threads that sleep on `word` ([`ALL`](super::ALL) for all); says how many it woke.
    pub(crate) fn wake(word: &AtomicU32, n: u32, shared: bool) -> usize {
        // The address is ours and aligned, so the call cannot fail; that nobody slept is no failure.
        futex::wake(word, flags(shared), n.min(super::ALL)).unwrap_or(0)
    }

    /// If `*word == expected`, wakes up to `wakes` threads that sleep on `word` and moves up to `moves` of the others
    /// to `target`, where they sleep on. The number of both together; `None` if the word had changed.
    pub(crate) fn cmp_requeue(
        word: &AtomicU32,
        expected: u32,
        wakes: u32,
        target: &AtomicU32,
        moves: u32,
        shared: bool,
    ) -> Option<usize> {
        let (wakes, moves) = (wakes.min(super::ALL), moves.min(super::ALL));
        futex::cmp_requeue(word, flags(shared), wakes, moves, target, expected).ok()
    }
}

#[cfg(loom)]
mod imp {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    use loom::sync::{Condvar, Mutex, MutexGuard};

    use crate::prim::atomic::AtomicU32;

    /// Those who sleep, in the order in which they lay down. What a sleeper has of its own is its bell.
    #[derive(Default)]
    struct Sleepers(Vec<(usize, Arc<Condvar>)>);

    loom::lazy_static! {
        static ref SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers::default());
    }

    impl Sleepers {
        fn lock() -> MutexGuard<'static, Sleepers> {
            SLEEPERS.lock().unwrap()
        }

        fn place(&self, bell: &Arc<Condvar>) -> Option<usize> {
            self.0.iter().position(|(_, theirs)| Arc::ptr_eq(bell, theirs))
        }

        fn wake(&mut self, word: usize, n: u32) -> usize {
            let mut woken = 0;
            self.0.retain(|(at, bell)| {
                let called = *at == word && woken < n as usize;
                if called {
                    woken += 1;
                    bell.notify_one();
                }
                !called
            });
            woken
        }
    }

    fn address(word: &AtomicU32) -> usize {
        std::ptr::from_ref(word) as usize
    }

    pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>, _shared: bool) -> bool {
        let mut sleepers = Sleepers::lock();
        // What was stored before the last wake is seen here: both had the lock.
        if word.load(Ordering::Relaxed) != expected {
            return true;
        }
        let bell = Arc::new(Condvar::new());
        sleepers.0.push((address(word), Arc::clone(&bell)));
        if deadline.is_some() {
            drop(sleepers);
            loom::thread::yield_now();
            sleepers = Sleepers::lock();
            return match sleepers.place(&bell) {
                Some(place) => {
                    sleepers.0.remove(place);
                    false
                }
                None => true,
            };
        }
        while sleepers.place(&bell).is_some() {
            sleepers = bell.wait(sleepers).unwrap();
        }
        true
    }

    pub(crate) fn wake(word: &AtomicU32, n: u32, _shared: bool) -> usize {
        Sleepers::lock().wake(address(word), n)
    }

    pub(crate) fn cmp_requeue(
        word: &AtomicU32,
        expected: u32,
        wakes: u32,
        target: &AtomicU32,
        moves: u32,
        _shared: bool,
    ) -> Option<usize> {
        let mut sleepers = Sleepers::lock();
        if word.load(Ordering::Relaxed) != expected {
            return None;
        }
        let woken = sleepers.wake(address(word), wakes);
        let stay = sleepers.0.iter_mut().filter(|(at, _)| *at == address(word)).take(moves as usize);
        Some(woken + stay.map(|sleeper| sleeper.0 = address(target)).count())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::{ALL, cmp_requeue, deadline, wait, wake};

    #[test]
    fn a_word_that_has_changed_is_not_slept_on() {
        for shared in [false, true] {
            assert!(wait(&AtomicU32::new(1), 0, None, shared));
        }
    }

    #[test]
    fn time_runs_out_and_says_so() {
        let word = AtomicU32::new(0);
        for shared in [false, true] {
            for timeout in [Duration::ZERO, Duration::from_millis(2)] {
                // It may return early for no reason.
                let until = deadline(timeout);
                while wait(&word, 0, until, shared) {}
            }
        }
    }

    #[test]
    fn a_huge_timeout_is_for_ever() {
        assert_eq!(deadline(Duration::MAX), None);
        let far = deadline(Duration::from_secs(u64::from(u32::MAX)));
        assert!(wait(&AtomicU32::new(1), 0, far, false));
    }

    /// Two sleepers; one is woken and the other moved, which a wake on the target shows.
    #[test]
    fn sleepers_are_woken_and_moved() {
        for shared in [false, true] {
            let (word, target, up) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
            std::thread::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        // Whoever is awake while the word is 0 lies down again, on `word`.
                        while word.load(Ordering::SeqCst) == 0 {
                            wait(&word, 0, None, shared);
                        }
                        up.fetch_add(1, Ordering::SeqCst);
                    });
                }
                assert_eq!(cmp_requeue(&word, 7, 1, &target, ALL, shared), None);
                // Until both are on `target`.
                let mut moved = 0;
                while moved < 2 {
                    moved += cmp_requeue(&word, 0, 0, &target, ALL, shared).unwrap();
                    std::thread::yield_now();
                }
                assert_eq!(wake(&word, ALL, shared), 0);
                assert_eq!(up.load(Ordering::SeqCst), 0);
                word.store(1, Ordering::SeqCst);
                assert_eq!(wake(&target, 1, shared), 1);
                assert_eq!(wake(&target, ALL, shared), 1);
            });
            assert_eq!(up.into_inner(), 2);
        }
    }
}
