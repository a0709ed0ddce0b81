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

/// Why a sleeper woke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woke {
    /// Somebody called it, or it did not fall asleep, or it woke for no reason.
    Called,
    /// By itself, to look at the word. Nobody called it.
    Looks,
    /// The time is up. Nobody called it.
    Late,
}

/// Sleeps while `*word == expected`, until `deadline` at most. In shared memory it wakes every [`LOOK`] by itself.
pub(crate) fn doze<S: Scope>(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Woke {
    // A model is about the protocol among the living, which must do without.
    let look = if S::SHARED && !cfg!(loom) { Instant::now().checked_add(LOOK) } else { None };
    let looks = look.filter(|&look| deadline.is_none_or(|deadline| look < deadline));
    if sleep::<S>(word, expected, looks.or(deadline)) {
        Woke::Called
    } else if looks.is_some() {
        Woke::Looks
    } else {
        Woke::Late
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::{Duration, Instant};

    use super::{Woke, doze};
    use crate::sync::scope::{Private, Shared};

    #[test]
    fn in_shared_memory_it_looks_up_by_itself() {
        let word = AtomicU32::new(0);
        while doze::<Shared>(&word, 0, None) == Woke::Called {}
        assert_ne!(doze::<Shared>(&word, 0, Some(Instant::now() + Duration::from_secs(3600))), Woke::Late);
    }

    #[test]
    fn a_deadline_is_told_apart_from_a_look() {
        let soon = || Some(Instant::now() + Duration::from_millis(1));
        let word = AtomicU32::new(0);
        while doze::<Shared>(&word, 0, soon()) != Woke::Late {}
        while doze::<Private>(&word, 0, soon()) != Woke::Late {}
        assert_eq!(doze::<Private>(&word, 1, None), Woke::Called);
    }
}
