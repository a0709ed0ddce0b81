//! Where threads sleep until something has changed: an event count.
//!
//! A thread that has found nothing puts its name down ([`Bell::wait`]), looks once more, and sleeps. Whoever changes
//! something looks whether a name is there ([`Bell::is_awaited`], one load), and if so takes the oldest one off and
//! calls that thread. A name that was taken off is a call that somebody must heed: a thread that was called but did
//! not need it passes it on.
//!
//! # No sleeper is forgotten
//!
//! Name, fence, look, on the one side; change, fence, look for names, on the other. The fence after the change is the
//! caller's duty.

use std::collections::VecDeque;
use std::time::Instant;

use crate::prim::atomic::{AtomicUsize, Ordering, fence};
use crate::prim::{Mutex, const_fn, lock};
use crate::sync::help::asleep;
use crate::sync::parker::{Parker, Unparker};

/// An event count; see the module.
pub(super) struct Bell {
    /// How many names there are.
    awaited: AtomicUsize,
    names: Mutex<VecDeque<Unparker>>,
}

impl Bell {
    const_fn! {
        pub(super) fn new() -> Self {
            Bell { awaited: AtomicUsize::new(0), names: Mutex::new(VecDeque::new()) }
        }
    }

    /// Does anybody sleep here, or is about to? To be asked after the change, and a fence.
    #[inline(always)]
    pub(super) fn is_awaited(&self) -> bool {
        // ORDERING(bell): the caller's fence pairs with that in `wait`.
        self.awaited.load(Ordering::Relaxed) != 0
    }

    fn with<R>(&self, change: impl FnOnce(&mut VecDeque<Unparker>) -> R) -> R {
        let mut names = lock(&self.names);
        let result = change(&mut names);
        self.awaited.store(names.len(), Ordering::Relaxed);
        result
    }

    /// Calls the thread that has waited longest.
    #[cold]
    pub(super) fn ring(&self) {
        if let Some(sleeper) = self.with(VecDeque::pop_front) {
            sleeper.unpark();
        }
    }

    /// Calls all.
    #[cold]
    pub(super) fn ring_all(&self) {
        for sleeper in self.with(std::mem::take) {
            sleeper.unpark();
        }
    }

    /// Sleeps until `look` finds something, or until `deadline`; looks at least once. A call that came and was not
    /// needed is passed on if there is `more`.
    #[cold]
    pub(super) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Option<R>,
        more: impl Fn() -> bool,
    ) -> Option<R> {
        let name = Name { bell: self, parker: Parker::current(), more };
        let mut first = true;
        loop {
            let called = self.with(|names| {
                let called = !names.iter().any(|other| std::ptr::eq(*other, name.parker));
                match (called, first) {
                    (false, _) => {}
                    (true, true) => names.push_back(name.parker),
                    // It has been here before those that came meanwhile.
                    (true, false) => names.push_front(name.parker),
                }
                called
            });
            first = false;
            if called {
                // ORDERING(bell): pairs with the fence before `is_awaited`.
                fence(Ordering::SeqCst);
            }
            let found = look();
            if found.is_some() {
                return found;
            }
            let Some(deadline) = deadline else {
                asleep(|| name.parker.park());
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            asleep(|| name.parker.park_timeout(left));
        }
    }
}

/// A name that is on the list, or was called.
struct Name<'a, M: Fn() -> bool> {
    bell: &'a Bell,
    parker: Unparker,
    more: M,
}

impl<M: Fn() -> bool> Drop for Name<'_, M> {
    /// Takes the name off. Also when what the thread looked at panicked.
    fn drop(&mut self) {
        let called = self.bell.with(|names| {
            let place = names.iter().position(|other| std::ptr::eq(*other, self.parker));
            place.map(|place| names.remove(place)).is_none()
        });
        if called && (self.more)() {
            self.bell.ring();
        }
    }
}
