//! How many threads (and timers) the end of the process waits for.
//!
//! One word: the count, a flag that somebody waits for it to fall, a flag that it has and that nothing more may
//! begin.
//!
//! # Memory ordering
//!
//! What a thread did before it gave its share back is seen after [`finish`].

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::sync::help;
use crate::sys::futex;
use crate::thread::error::ShuttingDown;

const FINAL: u32 = 1 << 31;
const WAITED: u32 = 1 << 30;
const COUNT: u32 = WAITED - 1;

#[cfg(not(loom))]
static WORD: AtomicU32 = AtomicU32::new(0);
#[cfg(loom)]
static WORD: std::sync::LazyLock<AtomicU32> = std::sync::LazyLock::new(|| AtomicU32::new(0));

/// One more to wait for.
pub(crate) fn take() -> Result<(), ShuttingDown> {
    let more = |word: u32| (word & FINAL == 0).then_some(word + 1);
    WORD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map(drop).map_err(|_| ShuttingDown)
}

/// One less.
pub(crate) fn give_back() {
    // ORDERING(hold): Release; pairs with the exchange in `finish`.
    if WORD.fetch_sub(1, Ordering::Release) & WAITED != 0 {
        futex::wake(&WORD, futex::ALL, false);
    }
}

/// Waits until all but `own` are given back; from then on nothing more can be taken.
pub(crate) fn finish(own: u32) {
    loop {
        let word = WORD.load(Ordering::Relaxed);
        let next = if word & COUNT <= own { (word & COUNT) | FINAL } else { word | WAITED };
        // ORDERING(hold): Acquire; pairs with the subtraction in `give_back`.
        if WORD.compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed).is_err() {
            continue;
        }
        if next & FINAL != 0 {
            return;
        }
        help::asleep(|| futex::wait(&WORD, next, None, false));
    }
}

/// Is it too late to begin anything?
pub(crate) fn is_final() -> bool {
    WORD.load(Ordering::Relaxed) & FINAL != 0
}

/// In a forked child only the calling thread is left, which counts or does not.
pub(crate) fn after_fork(own: u32) {
    let word = WORD.load(Ordering::Relaxed);
    WORD.store((word & FINAL) | own, Ordering::Relaxed);
}
