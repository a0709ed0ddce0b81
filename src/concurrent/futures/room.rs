//! How many tasks may wait in a pool, and who waits for room.

use crate::prim::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::prim::{Mutex, fence_after_update, lock};
use crate::sync::help;
use crate::sync::parker::{Parker, Unparker};

/// What becomes of a task for which the pool's queue has no room; see [`ThreadPoolBuilder::max_pending`](super::ThreadPoolBuilder::max_pending).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// `submit` waits until there is room. Called by a task of the pool itself, it lets another thread have its place
    /// meanwhile; if that would be one more than [`max_spares`](super::ThreadPoolBuilder::max_spares), it runs the new task
    /// as with [`CallerRuns`](Self::CallerRuns).
    #[default]
    Wait,
    /// `submit` fails with [`SubmitError::Full`](super::SubmitError::Full).
    Refuse,
    /// `submit` runs the task in the calling thread before it returns: whoever makes the work slows down.
    CallerRuns,
}

/// Counts tasks that nobody has started, if there is a limit to them.
///
/// Who finds no room notes himself, fences, tries once more, and sleeps; who makes room counts first, fences, and then
/// looks for sleepers. One of them sees the other. Each place that is made wakes one.
pub(super) struct Room {
    /// 0 for none.
    limit: AtomicUsize,
    taken: AtomicUsize,
    sleepers: Mutex<Vec<Unparker>>,
    has_sleepers: AtomicBool,
}

impl Room {
    pub(super) fn new() -> Self {
        Room {
            limit: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            sleepers: Mutex::new(Vec::new()),
            has_sleepers: AtomicBool::new(false),
        }
    }

    /// Before anybody uses it.
    pub(super) fn set_limit(&self, limit: Option<usize>) {
        self.limit.store(limit.unwrap_or(0), Ordering::Relaxed);
        self.taken.store(0, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_limited(&self) -> bool {
        self.limit.load(Ordering::Relaxed) != 0
    }

    /// Takes a place, if one is free.
    #[inline]
    pub(super) fn try_enter(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        limit == 0 || self.try_take(limit)
    }

    fn try_take(&self, limit: usize) -> bool {
        let free = |taken| (taken < limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::Relaxed, free).is_ok()
    }

    /// Takes a place once one is free; false if `is_over` says that there will be none.
    pub(super) fn enter(&self, is_over: impl Fn() -> bool) -> bool {
        loop {
            if is_over() {
                return false;
            }
            if self.try_enter() {
                return true;
            }
            help::asleep(|| self.sleep(&is_over));
        }
    }

    fn sleep(&self, is_over: &impl Fn() -> bool) {
        let parker = Parker::current();
        {
            let mut sleepers = lock(&self.sleepers);
            sleepers.push(parker);
            self.has_sleepers.store(true, Ordering::SeqCst);
        }
        // ORDERING(room): noted, fence, look; pairs with the fence in `leave`.
        crate::prim::atomic::fence(Ordering::SeqCst);
        let limit = self.limit.load(Ordering::Relaxed);
        if self.taken.load(Ordering::SeqCst) >= limit && !is_over() {
            parker.park();
        }
        let mut sleepers = lock(&self.sleepers);
        // If we are gone from the list, somebody made room and meant us: we try again, and whoever is quicker takes it.
        sleepers.retain(|sleeper| !std::ptr::eq(*sleeper, parker));
        self.has_sleepers.store(!sleepers.is_empty(), Ordering::SeqCst);
    }

    /// Gives a place back, and wakes whoever waits for one.
    #[inline]
    pub(super) fn leave(&self) {
        if self.is_limited() {
            self.taken.fetch_sub(1, Ordering::SeqCst);
            fence_after_update();
            if self.has_sleepers.load(Ordering::SeqCst) {
                self.wake(1);
            }
        }
    }

    /// Wakes all: it is over.
    pub(super) fn close(&self) {
        self.wake(usize::MAX);
    }

    #[cold]
    fn wake(&self, most: usize) {
        let mut sleepers = lock(&self.sleepers);
        let woken = most.min(sleepers.len());
        let woken: Vec<_> = sleepers.drain(..woken).collect();
        self.has_sleepers.store(!sleepers.is_empty(), Ordering::SeqCst);
        drop(sleepers);
        woken.into_iter().for_each(|sleeper| sleeper.unpark());
    }
}
