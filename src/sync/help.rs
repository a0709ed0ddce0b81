//! How a wait below tells the scheduler above that this thread is about to sleep.
//!
//! A worker of a mill holds one of the mill's slots while it runs. When it must sleep in something that
//! does not know of mills (another mill's latch, a lock, a queue), the slot should go to somebody else for
//! that time. So the worker leaves two functions and its own data in a thread-local, and every such wait
//! goes through [`asleep`]. On threads that left nothing, `asleep` just runs the wait.
//!
//! A wait for a *result* (never one for a lock) has more to offer: what it waits for is running somewhere, and the
//! worker may take part in that. Such a wait describes itself as [`Awaited`] and goes through [`wait`].

use std::cell::Cell;

use crate::prim::local;

/// Something that one thread waits for, and that somebody may be working on.
pub(crate) trait Awaited {
    /// Need nobody wait any more? Once true, it stays so.
    fn is_over(&self) -> bool;

    /// The calling thread is about to sleep, and its parker shall be unparked when the wait is over; false if it is over.
    /// May be called any number of times.
    fn announce(&self) -> bool;

    /// Sleeps until the calling thread's parker is unparked, or for no reason.
    fn sleep(&self);

    /// The seat in `mill` of whoever works on it; null if it is worked on elsewhere or not at all.
    fn runner(&self, mill: *const ()) -> *const ();

    /// By which the runner's descendants of it are told from strangers.
    fn family(&self) -> *const ();
}

/// What a worker leaves for waits below it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Help {
    /// Called with `data` before the thread sleeps.
    pub(crate) leave: fn(*const ()),
    /// Called with `data` after it woke.
    pub(crate) back: fn(*const ()),
    /// Called with `data` to wait until something is over, taking part in it meanwhile.
    pub(crate) wait: fn(*const (), &dyn Awaited),
    /// The worker's own.
    pub(crate) data: *const (),
}

local! { static HELP: Cell<Option<Help>> = Cell::new(None); }

/// Puts `help` in place for this thread and returns what was there.
pub(crate) fn replace(help: Option<Help>) -> Option<Help> {
    HELP.with(|slot| slot.replace(help))
}

/// Waits in the way that the worker on this thread has left for it, until `awaited` is over. False, and nothing is done, if
/// there is none.
pub(crate) fn wait(awaited: &dyn Awaited) -> bool {
    let Some(help) = HELP.with(Cell::get) else { return false };
    (help.wait)(help.data, awaited);
    true
}

/// Runs `wait`, which may sleep, with this thread's slot handed over meanwhile.
pub(crate) fn asleep<R>(wait: impl FnOnce() -> R) -> R {
    struct Back(Help);
    impl Drop for Back {
        fn drop(&mut self) {
            (self.0.back)(self.0.data);
            replace(Some(self.0));
        }
    }
    // While the slot is away there is none to hand over: nested waits just wait.
    let _back = replace(None).map(|help| {
        (help.leave)(help.data);
        Back(help)
    });
    wait()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Help, asleep, replace};

    #[test]
    fn the_slot_is_away_exactly_while_the_wait_runs() {
        fn add(data: *const (), n: i32) {
            let cell = data.cast::<Cell<i32>>();
            #[allow(unsafe_code, reason = "the test's own cell, alive in the frame below")]
            // SAFETY: `data` points to the cell in the test, which outlives the help.
            let cell = unsafe { &*cell };
            cell.set(cell.get() + n);
        }
        let depth = Cell::new(0);
        let data = std::ptr::from_ref(&depth).cast();
        assert!(
            replace(Some(Help { leave: |d| add(d, 1), back: |d| add(d, -1), wait: |_, _| (), data }))
                .is_none()
        );
        assert_eq!(asleep(|| (depth.get(), asleep(|| depth.get()))), (1, 1));
        let panicked = crate::unwind::halt(|| asleep(|| panic!("in the wait")));
        assert!(panicked.is_err());
        assert_eq!(depth.get(), 0);
        assert!(replace(None).is_some());
        assert_eq!(asleep(|| depth.get()), 0);
    }
}
