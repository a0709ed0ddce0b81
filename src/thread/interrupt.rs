//! Interrupting the main thread without a signal.
//!
//! A bit for each signal number, and a word that counts interruptions and on which the main thread may sleep. The
//! lowest bit of the word says that it does. Both sides change the word after (the one who interrupts) or before (the
//! one who sleeps) they touch the bits, so one of them sees the other.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::sync::help;
use crate::sys::{fork, futex};
use crate::thread::ident::is_main_thread;

/// One more than the largest signal number.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{NSIG, interrupt_main};
///
/// assert!(interrupt_main(NSIG).is_err());
/// ```
#[doc(alias("signal.NSIG"))]
pub const NSIG: i32 = 65;

static PENDING: AtomicU64 = AtomicU64::new(0);

const ASLEEP: u32 = 1;
const ONE: u32 = 2;

#[cfg(not(loom))]
static WORD: AtomicU32 = AtomicU32::new(0);
#[cfg(loom)]
static WORD: std::sync::LazyLock<AtomicU32> = std::sync::LazyLock::new(|| AtomicU32::new(0));

/// This is no signal's number.
///
/// # Examples
///
/// See [`NSIG`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a signal; they are numbered from 1 to {last}", last = NSIG - 1)]
pub struct InvalidSignal(pub i32);

/// Interrupts the main thread, as if the signal `signum` had come (2 is SIGINT).
///
/// No signal is sent and no handler runs. The main thread learns of it from [`take_interrupt`], or wakes up if it
/// sleeps in [`wait_interrupt`] or in a `join_interruptible`. Until then it stays pending; several of one number count
/// once. Called by the main thread itself it is there for the next of these. This only sets two words and wakes a
/// thread.
///
/// In Python the signal's handler runs in the main thread, and by default raises `KeyboardInterrupt` wherever that
/// thread is. Rust has no such exceptions: here the main thread asks. What is ignored by default in Python is pending
/// here all the same.
///
/// # Errors
///
/// [`InvalidSignal`] unless `signum` is between 1 and 64.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{interrupt_main, start_new_thread, wait_interrupt};
///
/// start_new_thread(|| interrupt_main(15).unwrap())?;
/// assert_eq!(wait_interrupt(), 15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory ordering
///
/// What happened before the call is seen by the main thread after it took the interrupt.
#[doc(alias("_thread.interrupt_main", "KeyboardInterrupt"))]
pub fn interrupt_main(signum: i32) -> Result<(), InvalidSignal> {
    if !(1..NSIG).contains(&signum) {
        return Err(InvalidSignal(signum));
    }
    fork::watch(after_fork);
    // ORDERING(interrupt): Release; pairs with the update in `take_interrupt`.
    PENDING.fetch_or(1 << (signum - 1), Ordering::Release);
    let ring = |word: u32| Some((word & !ASLEEP).wrapping_add(ONE));
    // ORDERING(interrupt-bell): Release and Acquire; pairs with `listen`: who comes second sees what the first did.
    let before = WORD.fetch_update(Ordering::AcqRel, Ordering::Acquire, ring).unwrap_or_else(|word| word);
    if before & ASLEEP != 0 {
        futex::wake(&WORD, futex::ALL, false);
    }
    Ok(())
}

/// Takes the lowest of the pending interrupts, if this is the main thread and there is one. Costs one load if there is
/// none.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{interrupt_main, take_interrupt};
///
/// interrupt_main(15)?;
/// interrupt_main(2)?;
/// assert_eq!(std::thread::spawn(take_interrupt).join().unwrap(), None); // not the main thread
/// assert_eq!((take_interrupt(), take_interrupt(), take_interrupt()), (Some(2), Some(15), None));
/// # Ok::<(), gristmill::thread::InvalidSignal>(())
/// ```
#[must_use = "the interrupt is gone"]
pub fn take_interrupt() -> Option<i32> {
    if PENDING.load(Ordering::Relaxed) == 0 || !is_main_thread() {
        return None;
    }
    let without_lowest = |pending: u64| (pending != 0).then(|| pending & (pending - 1));
    // ORDERING(interrupt): Acquire; pairs with the `fetch_or` in `interrupt_main`.
    let before = PENDING.fetch_update(Ordering::Acquire, Ordering::Relaxed, without_lowest).ok()?;
    Some(before.trailing_zeros() as i32 + 1)
}

/// Sleeps until the main thread, which the caller must be, is interrupted, and takes the interrupt.
///
/// # Panics
///
/// On any other thread, which would sleep for ever.
///
/// # Examples
///
/// See [`interrupt_main`].
#[must_use = "the interrupt is gone"]
pub fn wait_interrupt() -> i32 {
    assert!(is_main_thread(), "only the main thread is interrupted: nobody would ever wake this one");
    loop {
        if let Some(signum) = sleep(None) {
            return signum;
        }
    }
}

/// Sleeps for `timeout`, or until the main thread is interrupted if the caller is the main thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::thread::{interrupt_main, wait_interrupt_timeout};
///
/// assert_eq!(wait_interrupt_timeout(Duration::from_millis(1)), None);
/// interrupt_main(2)?;
/// assert_eq!(wait_interrupt_timeout(Duration::MAX), Some(2));
/// # Ok::<(), gristmill::thread::InvalidSignal>(())
/// ```
#[must_use = "the interrupt is gone"]
pub fn wait_interrupt_timeout(timeout: Duration) -> Option<i32> {
    sleep(Some(futex::deadline(timeout)))
}

/// `Some(None)` is for ever.
fn sleep(deadline: Option<Option<Instant>>) -> Option<i32> {
    let deadline = deadline.flatten();
    loop {
        let (_, bell) = listen();
        if let Some(signum) = take_interrupt() {
            return Some(signum);
        }
        if !help::asleep(|| futex::wait(&WORD, bell, deadline, false)) {
            return take_interrupt();
        }
    }
}

/// Says that the caller is about to sleep; the word to sleep on, and the value that it has until somebody interrupts.
/// Look for an interrupt after this.
pub(crate) fn listen() -> (&'static AtomicU32, u32) {
    // ORDERING(interrupt-bell): Acquire and Release; pairs with the update in `interrupt_main`.
    (&WORD, WORD.fetch_or(ASLEEP, Ordering::AcqRel) | ASLEEP)
}

/// What was meant for the parent's main thread is not meant for the child's.
fn after_fork() {
    PENDING.store(0, Ordering::Relaxed);
}
