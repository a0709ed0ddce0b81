//! The kernel's wait queue for one word of memory.
//!
//! `shared` says whose word it is: false for memory of this process alone, which keeps the kernel from looking up
//! the page behind the address; true for memory that several processes may have mapped, at whatever addresses.
//! All who use a word must agree on it.
//!
//! Sleepers on one word are told apart by a set of bits: a wake calls those whose bits meet its own. Those who do not
//! care are [`ANYONE`]. A sleeper that is moved to another word keeps its bits.
//!
//! Under loom a registry of sleepers stands in for the kernel, with the same promise: comparing the word and lying
//! down are one step for whoever wakes. A sleep with a deadline may end there at any time.
//!
//! Source: `futex(2)`: `FUTEX_WAIT_BITSET`, `FUTEX_WAKE_BITSET`, `FUTEX_CMP_REQUEUE`.

#![cfg_attr(not(loom), allow(unsafe_code, reason = "the address of one half of a word"))]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::prim::atomic::AtomicU32;

pub(crate) use imp::{cmp_requeue, cmp_requeue_low, wait_as, wait_low, wake_as, wake_low};

/// The moment `timeout` from now; `None`, which is for ever, if there is no such moment.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// The bits of a sleeper that need not be told apart from others.
pub(crate) const ANYONE: NonZeroU32 = NonZeroU32::MIN;

/// How many sleepers to call: the kernel takes a signed number.
pub(crate) const ALL: u32 = i32::MAX as u32;

/// Sleeps while `*word == expected`, until `deadline` at most (no limit if `None`). False if the time was up.
///
/// May return early for no reason, with true: look at the word again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>, shared: bool) -> bool {
    wait_as(word, expected, deadline, shared, ANYONE)
}

/// Wakes up to `n` of [`ANYONE`] that sleeps on `word` ([`ALL`] for all); says how many it woke.
pub(crate) fn wake(word: &AtomicU32, n: u32, shared: bool) -> usize {
    wake_as(word, n, shared, ANYONE)
}

#[cfg(not(loom))]
mod imp {
    use std::num::NonZeroU32;
    use std::sync::atomic::{AtomicU32, AtomicU64};
    use std::time::Instant;

    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};
    use rustix::time::{ClockId, clock_gettime};

    fn flags(shared: bool) -> Flags {
        if shared { Flags::empty() } else { Flags::PRIVATE }
    }

    /// As [`wait`](super::wait), for a sleeper with these bits.
    pub(crate) fn wait_as(
        word: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
        shared: bool,
        bits: NonZeroU32,
    ) -> bool {
        let limit = match deadline {
            None => None,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return false;
                }
                // The kernel wants a moment of this clock, and an `Instant` does not tell which it is. Up to 2^62
                // seconds, which is for ever.
                let now = clock_gettime(ClockId::Monotonic);
                let nanos = now.tv_nsec + i64::from(left.subsec_nanos());
                let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
                Some(Timespec {
                    tv_sec: seconds.saturating_add(now.tv_sec + nanos / 1_000_000_000).min(1 << 62),
                    tv_nsec: nanos % 1_000_000_000,
                })
            }
        };
        // Every other error (value changed, interrupted) means the same to the caller: look again.
        futex::wait_bitset(word, flags(shared), expected, limit.as_ref(), bits) != Err(Errno::TIMEDOUT)
    }

    /// As [`wake`](super::wake), for sleepers with any of these bits.
    pub(crate) fn wake_as(word: &AtomicU32, n: u32, shared: bool, bits: NonZeroU32) -> usize {
        // The address is ours and aligned, so the call cannot fail; that nobody slept is no failure.
        futex::wake_bitset(word, flags(shared), n.min(super::ALL), bits).unwrap_or(0)
    }

    /// The low 32 bits of `word`, for the kernel to look at.
    fn low(word: &AtomicU64) -> &AtomicU32 {
        let halves = std::ptr::from_ref(word).cast::<AtomicU32>();
        // SAFETY: inside the eight bytes of `word`.
        let low = unsafe { halves.add(usize::from(cfg!(target_endian = "big"))) };
        // SAFETY: alive and aligned as `word` is, and atomic; only the kernel reads it, none of our code does.
        unsafe { &*low }
    }

    /// As [`wait_as`], for a word of which the kernel compares the low half.
    pub(crate) fn wait_low(
        word: &AtomicU64,
        expected: u32,
        deadline: Option<Instant>,
        shared: bool,
        bits: NonZeroU32,
    ) -> bool {
        wait_as(low(word), expected, deadline, shared, bits)
    }

    /// As [`wake_as`], for those of [`wait_low`].
    pub(crate) fn wake_low(word: &AtomicU64, n: u32, shared: bool, bits: NonZeroU32) -> usize {
        wake_as(low(word), n, shared, bits)
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

    /// As [`cmp_requeue`], waking nobody and moving all to where those of [`wait_low`] sleep.
    pub(crate) fn cmp_requeue_low(
        word: &AtomicU32,
        expected: u32,
        target: &AtomicU64,
        shared: bool,
    ) -> Option<usize> {
        cmp_requeue(word, expected, 0, low(target), super::ALL, shared)
    }
}

#[cfg(loom)]
mod imp {
    use std::cell::Cell;
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    use loom::sync::{Condvar, Mutex, MutexGuard};

    use crate::prim::atomic::{AtomicU32, AtomicU64};

    struct Sleeper {
        word: usize,
        bits: NonZeroU32,
        bell: Arc<Condvar>,
    }

    /// Those who sleep, in the order in which they lay down.
    #[derive(Default)]
    struct Sleepers(Vec<Sleeper>);

    loom::thread_local! {
        /// How many sleeps with a deadline this thread has had.
        static TIMED: Cell<u32> = Cell::new(0);
    }

    loom::lazy_static! {
        static ref SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers::default());
    }

    impl Sleepers {
        fn lock() -> MutexGuard<'static, Sleepers> {
            SLEEPERS.lock().unwrap()
        }

        fn place(&self, bell: &Arc<Condvar>) -> Option<usize> {
            self.0.iter().position(|sleeper| Arc::ptr_eq(bell, &sleeper.bell))
        }

        fn wake(&mut self, word: usize, n: u32, bits: u32) -> usize {
            let mut woken = 0;
            self.0.retain(|sleeper| {
                let meant = sleeper.word == word && sleeper.bits.get() & bits != 0;
                let called = meant && woken < n as usize;
                if called {
                    woken += 1;
                    sleeper.bell.notify_one();
                }
                !called
            });
            woken
        }
    }

    fn sleep_while(
        word: usize,
        unchanged: impl FnOnce() -> bool,
        deadline: Option<Instant>,
        bits: NonZeroU32,
    ) -> bool {
        let mut sleepers = Sleepers::lock();
        // What was stored before the last wake is seen here: both had the lock.
        if !unchanged() {
            return true;
        }
        let bell = Arc::new(Condvar::new());
        sleepers.0.push(Sleeper { word, bits, bell: Arc::clone(&bell) });
        if deadline.is_some() {
            drop(sleepers);
            // Whoever yields does not go on before all others wait for something. That would hide what happens when the
            // time is up in the middle of what others do; but one that sleeps again and again has to.
            let sleeps = TIMED.with(|sleeps| sleeps.replace(sleeps.get() + 1));
            if sleeps % 3 == 2 {
                loom::thread::yield_now();
            }
            let mut sleepers = Sleepers::lock();
            let place = sleepers.place(&bell);
            return place.map(|place| sleepers.0.remove(place)).is_none();
        }
        while sleepers.place(&bell).is_some() {
            sleepers = bell.wait(sleepers).unwrap();
        }
        true
    }

    pub(crate) fn wait_as(
        word: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
        _shared: bool,
        bits: NonZeroU32,
    ) -> bool {
        let at = std::ptr::from_ref(word) as usize;
        sleep_while(at, || word.load(Ordering::Relaxed) == expected, deadline, bits)
    }

    pub(crate) fn wake_as(word: &AtomicU32, n: u32, _shared: bool, bits: NonZeroU32) -> usize {
        Sleepers::lock().wake(std::ptr::from_ref(word) as usize, n, bits.get())
    }

    pub(crate) fn wait_low(
        word: &AtomicU64,
        expected: u32,
        deadline: Option<Instant>,
        _shared: bool,
        bits: NonZeroU32,
    ) -> bool {
        let at = std::ptr::from_ref(word) as usize;
        sleep_while(at, || word.load(Ordering::Relaxed) as u32 == expected, deadline, bits)
    }

    pub(crate) fn wake_low(word: &AtomicU64, n: u32, _shared: bool, bits: NonZeroU32) -> usize {
        Sleepers::lock().wake(std::ptr::from_ref(word) as usize, n, bits.get())
    }

    fn requeue(word: &AtomicU32, expected: u32, wakes: u32, target: usize, moves: u32) -> Option<usize> {
        let mut sleepers = Sleepers::lock();
        if word.load(Ordering::Relaxed) != expected {
            return None;
        }
        let word = std::ptr::from_ref(word) as usize;
        let woken = sleepers.wake(word, wakes, u32::MAX);
        let stay = sleepers.0.iter_mut().filter(|sleeper| sleeper.word == word).take(moves as usize);
        Some(woken + stay.map(|sleeper| sleeper.word = target).count())
    }

    pub(crate) fn cmp_requeue(
        word: &AtomicU32,
        expected: u32,
        wakes: u32,
        target: &AtomicU32,
        moves: u32,
        _shared: bool,
    ) -> Option<usize> {
        requeue(word, expected, wakes, std::ptr::from_ref(target) as usize, moves)
    }

    pub(crate) fn cmp_requeue_low(
        word: &AtomicU32,
        expected: u32,
        target: &AtomicU64,
        _shared: bool,
    ) -> Option<usize> {
        requeue(word, expected, 0, std::ptr::from_ref(target) as usize, super::ALL)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    use std::time::Duration;

    use super::{ALL, cmp_requeue, deadline, wait, wait_as, wait_low, wake, wake_as, wake_low};

    #[test]
    fn a_word_that_has_changed_is_not_slept_on() {
        for shared in [false, true] {
            assert!(wait(&AtomicU32::new(1), 0, None, shared));
            assert!(wait_low(&AtomicU64::new(0xffff_ffff_0000_0001), 0, None, shared, super::ANYONE));
        }
    }

    #[test]
    fn time_runs_out_and_says_so() {
        let (word, wide) = (AtomicU32::new(7), AtomicU64::new(7));
        for shared in [false, true] {
            for timeout in [Duration::ZERO, Duration::from_millis(2)] {
                // They may return early for no reason.
                let until = deadline(timeout);
                while wait(&word, 7, until, shared) {}
                while wait_low(&wide, 7, until, shared, super::ANYONE) {}
            }
        }
    }

    #[test]
    fn a_huge_timeout_is_for_ever() {
        assert_eq!(deadline(Duration::MAX), None);
        let far = deadline(Duration::from_secs(u64::from(u32::MAX)));
        assert!(wait(&AtomicU32::new(1), 0, far, false));
    }

    /// Wakes until somebody was there to be woken.
    fn call(mut wake: impl FnMut() -> usize) {
        while wake() == 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_wake_calls_those_that_are_meant() {
        let second = NonZeroU32::new(2).unwrap();
        let third = NonZeroU32::new(4).unwrap();
        for shared in [false, true] {
            let (word, wide) = (AtomicU32::new(0), AtomicU64::new(0));
            std::thread::scope(|s| {
                s.spawn(|| {
                    while word.load(Ordering::SeqCst) == 0 {
                        wait_as(&word, 0, None, shared, second);
                    }
                });
                s.spawn(|| {
                    while wide.load(Ordering::SeqCst) == 0 {
                        wait_low(&wide, 0, None, shared, second);
                    }
                });
                call(|| wake_as(&word, 1, shared, second));
                assert_eq!(wake(&word, ALL, shared) + wake_as(&word, ALL, shared, third), 0);
                call(|| wake_low(&wide, 1, shared, second));
                assert_eq!(wake_low(&wide, ALL, shared, third), 0);
                word.store(1, Ordering::SeqCst);
                wide.store(1, Ordering::SeqCst);
                wake_as(&word, 1, shared, second);
                wake_low(&wide, 1, shared, second);
            });
        }
    }

    /// Two sleepers that are moved, which a wake on the target shows.
    #[test]
    fn sleepers_are_moved() {
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
