//! Who runs, who searches, who sleeps: one word. `IDLE.md` beside this file states the protocol and why no
//! wake-up is lost; nothing outside this file shifts or masks.

use crate::prim::atomic::{AtomicU64, Ordering, fence};
use crate::prim::fence_after_update;

/// What the word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census(u64);

const SEARCHING: u64 = 1;
const SLEEPING: u64 = 1 << 16;
const FREE: u64 = 1 << 32;
/// So that a deficit of slots, a negative number, does not borrow from the other fields.
const FREE_ZERO: u64 = 1 << 15;
const REFUSED: u64 = 1 << 63;
const FIELD: u64 = 0xFFFF;

impl Census {
    /// Threads that look for work. Each holds a slot.
    pub(crate) fn searching(self) -> usize {
        (self.0 & FIELD) as usize
    }

    /// Threads that sleep because there was no work.
    pub(crate) fn sleeping(self) -> usize {
        (self.0 >> 16 & FIELD) as usize
    }

    /// Slots that nobody holds; negative when more threads run than there are slots.
    pub(crate) fn free(self) -> i64 {
        (self.0 >> 32 & FIELD) as i64 - FREE_ZERO as i64
    }

    /// Somebody wanted to wake a sleeper, or to start a thread, but no slot was free.
    fn refused(self) -> bool {
        self.0 & REFUSED != 0
    }
}

/// What a thread that has just published a job must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Nothing: somebody searches, or all slots are taken.
    Nobody,
    /// Wake a sleeper; a slot and a searcher's place are booked for it.
    Sleeper,
    /// There is a free slot and nobody asleep: start a thread; a slot and a searcher's place are booked.
    Newcomer,
}

/// The word.
#[derive(Debug)]
pub(crate) struct Idle {
    word: AtomicU64,
}

impl Idle {
    /// So many slots, and `threads` threads that are about to start, each with one of them, as searchers.
    pub(crate) fn new(slots: usize, threads: usize) -> Self {
        let free = FREE_ZERO + (slots - threads) as u64;
        Idle { word: AtomicU64::new(free * FREE + threads as u64 * SEARCHING) }
    }

    pub(crate) fn census(&self) -> Census {
        Census(self.word.load(Ordering::Relaxed))
    }

    fn update(&self, change: impl Fn(Census) -> Option<u64>) -> Result<Census, Census> {
        // ORDERING(idle): SeqCst. The word is one side of every store-load race in IDLE.md.
        self.word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| change(Census(word)))
            .map(Census)
            .map_err(Census)
    }

    /// A job was made public just now: is there anybody to [`call`](Self::call)?
    #[inline]
    pub(crate) fn is_call_due(&self) -> bool {
        // ORDERING(idle): the job is published before this fence; a thread that goes to sleep changes the
        // word first and looks for jobs after its own fence. One of us sees the other.
        fence(Ordering::SeqCst);
        let census = self.census();
        // Without a free slot it is still due once: to leave the mark for whoever frees one.
        census.searching() == 0 && (census.free() > 0 || !census.refused())
    }

    /// Of these slots, is one held by a thread that does not search?
    pub(crate) fn is_anybody_running(&self, slots: usize) -> bool {
        let census = self.census();
        slots as i64 - census.free() > census.searching() as i64
    }

    /// A job was made public, and a call [is due](Self::is_call_due): whom to call.
    ///
    /// With `grow`, a free slot without a sleeper calls for a new thread.
    pub(crate) fn call(&self, grow: bool) -> Call {
        loop {
            let census = self.census();
            if census.searching() > 0 {
                return Call::Nobody;
            }
            if census.free() <= 0 {
                // Also when nobody sleeps: whoever frees the slot may start a thread.
                if census.refused() || self.swap(census, census.0 | REFUSED) {
                    return Call::Nobody;
                }
                continue;
            }
            if census.sleeping() == 0 && !grow {
                return Call::Nobody;
            }
            if self.swap(census, census.0 + SEARCHING - FREE) {
                return if census.sleeping() > 0 { Call::Sleeper } else { Call::Newcomer };
            }
        }
    }

    /// A certain sleeper is wanted, whether others search or not: books a slot and a searcher's place for it. False if
    /// nobody sleeps or no slot is free. Whoever does not find it asleep says so by [`call_failed`](Self::call_failed).
    pub(crate) fn call_by_name(&self) -> bool {
        self.update(|census| {
            (census.sleeping() > 0 && census.free() > 0).then(|| census.0 + SEARCHING - FREE)
        })
        .is_ok()
    }

    fn swap(&self, census: Census, new: u64) -> bool {
        self.word.compare_exchange(census.0, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The sleeper that was called was found.
    pub(crate) fn found_sleeper(&self) {
        self.word.fetch_sub(SLEEPING, Ordering::SeqCst);
    }

    /// The call found nobody to answer it. The caller must [`call`](Self::call) again.
    pub(crate) fn call_failed(&self) {
        self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
        self.word.fetch_add(FREE, Ordering::SeqCst);
    }

    /// A running thread wants to search. At most `most` may do so at a time.
    pub(crate) fn start_search(&self, most: usize) -> bool {
        self.update(|census| (census.searching() < most).then_some(census.0 + SEARCHING)).is_ok()
    }

    /// A searcher found work; true if it was the last one searching and must call the next.
    pub(crate) fn end_search(&self) -> bool {
        let before = Census(self.word.fetch_sub(SEARCHING, Ordering::SeqCst));
        before.searching() == 1
    }

    /// A thread goes to sleep and gives up its slot. It must look for jobs once more after this.
    pub(crate) fn fall_asleep(&self, searching: bool) {
        let change = SLEEPING.wrapping_add(FREE).wrapping_sub(if searching { SEARCHING } else { 0 });
        self.word.fetch_add(change, Ordering::SeqCst);
        fence_after_update();
    }

    /// A sleeper saw work and wants to get up before anybody called it: books a slot and a searcher's place.
    /// False if no slot is free; then whoever frees one is told to look. With `anyway`, takes one too many.
    pub(crate) fn get_up(&self, anyway: bool) -> bool {
        let up = SEARCHING.wrapping_sub(SLEEPING).wrapping_sub(FREE);
        self.update(|census| {
            let free = anyway || census.free() > 0;
            Some(if free { census.0.wrapping_add(up) } else { census.0 | REFUSED })
        })
        .is_ok_and(|before| anyway || before.free() > 0)
    }

    /// Takes [`get_up`](Self::get_up) back: a caller had booked already.
    pub(crate) fn unbook(&self) {
        self.word.fetch_add(SLEEPING.wrapping_add(FREE).wrapping_sub(SEARCHING), Ordering::SeqCst);
    }

    /// A running thread leaves for good. Then the caller must [`call`](Self::call) if there is work.
    pub(crate) fn leave(&self, searching: bool) {
        self.word.fetch_add(FREE.wrapping_sub(if searching { SEARCHING } else { 0 }), Ordering::SeqCst);
    }

    /// A sleeping thread leaves for good.
    pub(crate) fn leave_asleep(&self) {
        self.word.fetch_sub(SLEEPING, Ordering::SeqCst);
    }

    /// More threads run than there are slots: the caller, which runs, goes to sleep in place of one. It may
    /// leave work behind, so whoever frees a slot is told to look.
    pub(crate) fn yield_slot(&self) -> bool {
        self.update(|census| (census.free() < 0).then(|| (census.0 + SLEEPING + FREE) | REFUSED)).is_ok()
    }

    /// A running thread is about to sleep in a wait and gives up its slot.
    pub(crate) fn release_slot(&self) {
        let _ = self.update(|census| Some((census.0 + FREE) & !REFUSED));
    }

    /// A thread woke from a wait and runs again, if need be on a slot too many.
    pub(crate) fn take_slot(&self) {
        self.word.fetch_sub(FREE, Ordering::SeqCst);
    }

    /// A visitor wants to run on a slot of its own.
    pub(crate) fn try_take_slot(&self) -> bool {
        self.update(|census| (census.free() > 0).then(|| census.0 - FREE)).is_ok()
    }

    /// A visitor leaves; true if somebody was refused for want of a slot, and the caller must
    /// [`call`](Self::call) if there is work.
    pub(crate) fn return_slot(&self) -> bool {
        self.update(|census| Some((census.0 + FREE) & !REFUSED)).is_ok_and(Census::refused)
    }

    /// A thread is about to be started: books a slot, if need be one too many, and a searcher's place.
    pub(crate) fn book_newcomer(&self) {
        self.word.fetch_add(SEARCHING.wrapping_sub(FREE), Ordering::SeqCst);
    }

    /// Adds `more` slots (or takes away, if negative).
    pub(crate) fn add_slots(&self, more: i64) {
        let change = FREE.wrapping_mul(more as u64);
        self.word.fetch_add(change, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_deficit_of_slots_leaves_the_other_fields_alone() {
        let idle = Idle::new(2, 2);
        idle.take_slot();
        idle.take_slot();
        let census = idle.census();
        assert_eq!((census.searching(), census.sleeping(), census.free()), (2, 0, -2));
        assert!(idle.yield_slot());
        let census = idle.census();
        assert_eq!((census.searching(), census.sleeping(), census.free()), (2, 1, -1));
        idle.add_slots(-3);
        assert_eq!(idle.census().free(), -4);
        idle.add_slots(5);
        assert_eq!(idle.census().free(), 1);
        assert!(!idle.yield_slot());
    }

    #[test]
    fn a_visitor_hears_of_work_that_came_while_nobody_slept() {
        let idle = Idle::new(1, 1);
        assert!(idle.end_search());
        idle.release_slot();
        assert!(idle.try_take_slot(), "the only worker blocks, and a visitor comes");
        assert!(idle.is_call_due());
        assert_eq!(idle.call(true), Call::Nobody, "no slot is free");
        assert!(!idle.is_call_due(), "the mark stands");
        assert!(idle.return_slot(), "and the visitor is told when it leaves");
        assert!(idle.is_call_due());
        assert_eq!(idle.call(true), Call::Newcomer);
    }

    #[test]
    fn a_sleeper_is_called_by_name_while_others_search() {
        let idle = Idle::new(2, 2);
        assert!(!idle.call_by_name(), "nobody sleeps");
        idle.fall_asleep(true);
        assert_eq!(idle.call(false), Call::Nobody, "somebody searches");
        assert!(idle.call_by_name());
        idle.found_sleeper();
        let census = idle.census();
        assert_eq!((census.searching(), census.sleeping(), census.free()), (2, 0, 0));
        idle.fall_asleep(true);
        assert!(idle.try_take_slot());
        assert!(!idle.call_by_name(), "no slot is free");
    }

    #[test]
    fn a_caller_books_a_slot_for_a_sleeper_or_is_refused() {
        let idle = Idle::new(1, 1);
        assert_eq!(idle.call(true), Call::Nobody, "somebody searches");
        idle.fall_asleep(true);
        assert!(idle.try_take_slot(), "a visitor comes");
        assert_eq!(idle.call(false), Call::Nobody, "no slot is free");
        assert!(idle.return_slot(), "and the visitor is told when it leaves");
        assert_eq!(idle.call(false), Call::Sleeper);
        idle.found_sleeper();
        assert_eq!(idle.call(false), Call::Nobody, "it searches");
        assert!(idle.end_search());
        idle.release_slot();
        assert_eq!(idle.call(false), Call::Nobody, "nobody sleeps");
        assert_eq!(idle.call(true), Call::Newcomer);
    }
}
