//! Sleeping where others may be killed.
//!
//! Whoever changes a word and then wakes its sleepers may be killed in between; so may a sleeper that was woken on
//! behalf of all, before it passes the word on. In one process that ends everybody. In memory that several share,
//! the others would sleep on, next to a word that says they may go. So they look at it now and then.

use std::time::{Duration, Instant};

use crate::prim::atomic::AtomicU32;
use crate::sync::scope::{Scope, sleep};

/// How long a sleeper in shared memory trusts that it will be woken. Twenty looks a second cost some 0.02 % of a
/// processor.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Sleeps while `*word == expected`, until `deadline` at most; false if the time was up. May return early, with true,
/// for no reason; in shared memory it does so every [`LOOK`]. Whoever was not called by a wake must not behave as if
/// that had been somebody else's: it is to look at the word again, and at nothing but the word.
pub(crate) fn doze<S: Scope>(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> bool {
    // A model is about the protocol among the living, which must do without.
    if !S::SHARED || cfg!(loom) {
        return sleep::<S>(word, expected, deadline);
    }
    let look = Instant::now().checked_add(LOOK);
    match (deadline, look) {
        (Some(deadline), Some(look)) if deadline <= look => sleep::<S>(word, expected, Some(deadline)),
        _ => {
            sleep::<S>(word, expected, look);
            true
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::{Duration, Instant};

    use super::doze;
    use crate::sync::scope::{Private, Shared};

    #[test]
    fn in_shared_memory_it_looks_up_by_itself() {
        assert!(doze::<Shared>(&AtomicU32::new(0), 0, None));
        assert!(doze::<Shared>(&AtomicU32::new(0), 0, Some(Instant::now() + Duration::from_secs(3600))));
    }

    #[test]
    fn a_deadline_is_told_apart_from_a_look() {
        let soon = || Some(Instant::now() + Duration::from_millis(1));
        while doze::<Shared>(&AtomicU32::new(0), 0, soon()) {}
        while doze::<Private>(&AtomicU32::new(0), 0, soon()) {}
        assert!(doze::<Private>(&AtomicU32::new(0), 1, None));
    }
}
