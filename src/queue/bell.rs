//! Where threads sleep until something has changed: an event count.
//!
//! A thread that has found nothing puts its name down, looks once more, and sleeps ([`Bell::wait`]). Whoever changes
//! something looks whether there are names ([`Bell::is_awaited`], one load), and if so strikes out the oldest one and
//! calls that thread. A name that was struck out is a call which somebody must heed: a thread that was called and goes
//! away without need of it, or empty-handed, passes the call on if there is more to be had.
//!
//! # No sleeper is forgotten
//!
//! Name, fence, look, on the one side; change, fence, look for names, on the other. So the sleeper sees the change, or
//! the other sees the name. The fence after the change is the caller's duty (a lock around the change and around the
//! look does as well).

use std::collections::VecDeque;
use std::time::Instant;

use crate::prim::atomic::{AtomicUsize, Ordering, fence};
use crate::prim::{Mutex, const_fn, lock};
use crate::sync::help::asleep;
use crate::sync::parker::{Parker, Unparker};

/// See the module.
#[derive(Debug)]
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

    /// How many names there are.
    #[cfg(all(test, not(loom)))]
    pub(super) fn waiting(&self) -> usize {
        self.awaited.load(Ordering::Relaxed)
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

    /// Sleeps until `look` finds something, or until `deadline`; looks at least once, and once more when the time is up.
    /// `more` says whether somebody else might find something too.
    #[cold]
    pub(super) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Option<R>,
        more: impl Fn() -> bool,
    ) -> Option<R> {
        let mut name = Name { bell: self, parker: Parker::current(), more, found: false };
        let mut is_first = true;
        loop {
            if !name.is_down() {
                // A thread that was called in vain has waited longer than those who came meanwhile.
                name.put_down(is_first);
                is_first = false;
                // ORDERING(bell): pairs with the fence before `is_awaited`.
                fence(Ordering::SeqCst);
            }
            let found = look();
            name.found = found.is_some();
            if name.found {
                return found;
            }
            match deadline {
                None => asleep(|| name.parker.park()),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    asleep(|| name.parker.park_timeout(left));
                }
            }
        }
    }
}

/// A thread that waits. Its name is down, or it has been called.
struct Name<'a, M: Fn() -> bool> {
    bell: &'a Bell,
    parker: Unparker,
    more: M,
    found: bool,
}

impl<M: Fn() -> bool> Name<'_, M> {
    fn place(&self, names: &VecDeque<Unparker>) -> Option<usize> {
        names.iter().position(|other| std::ptr::eq(*other, self.parker))
    }

    fn is_down(&self) -> bool {
        self.bell.with(|names| self.place(names)).is_some()
    }

    fn put_down(&self, last: bool) {
        self.bell
            .with(|names| if last { names.push_back(self.parker) } else { names.push_front(self.parker) });
    }
}

impl<M: Fn() -> bool> Drop for Name<'_, M> {
    /// Also when the look panics.
    fn drop(&mut self) {
        let place = self.bell.with(|names| self.place(names).map(|place| names.remove(place)));
        // A call that came, or one that came before the last look and was for nothing.
        if (place.is_none() || !self.found) && (self.more)() {
            self.bell.ring();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicBool, AtomicU32};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_looks_before_it_sleeps_and_strikes_its_name_out() {
        let bell = Bell::new();
        assert_eq!(bell.wait(None, || bell.is_awaited().then_some(7), || false), Some(7));
        assert!(!bell.is_awaited());
        let looks = Cell::new(0);
        let soon = Instant::now() + Duration::from_millis(5);
        let none = bell.wait(
            Some(soon),
            || -> Option<()> { None.inspect(|()| looks.set(looks.get() + 1)) },
            || false,
        );
        assert!(none.is_none() && Instant::now() >= soon && !bell.is_awaited());
    }

    #[test]
    fn a_call_that_was_not_needed_is_passed_on() {
        let (bell, done, looks) = (Bell::new(), AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|s| {
            s.spawn(|| {
                let look = || {
                    let found = done.load(Ordering::SeqCst).then_some(());
                    looks.fetch_add(1, Ordering::SeqCst);
                    found
                };
                bell.wait(None, look, || false);
            });
            while looks.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            // Both are called, at once: of two calls one after the other, both could go to the other thread, which is
            // first again if it has looked in between. The other finds nothing, and puts its name down again.
            let look = || {
                bell.ring_all();
                while looks.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
                done.store(true, Ordering::SeqCst);
                Some(())
            };
            bell.wait(None, look, || true);
        });
    }

    #[test]
    fn a_look_that_panics_leaves_no_name() {
        let bell = Bell::new();
        let result = crate::unwind::halt(|| bell.wait(None, || -> Option<()> { panic!("look") }, || false));
        assert!(result.is_err() && !bell.is_awaited());
    }
}
