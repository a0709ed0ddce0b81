//! Tasks that wait for each other in a circle, found when the last of them is about to sleep.
//!
//! Each thread knows which tasks are *open* on it: the one that it runs, and those below in its stack that wait for it.
//! When a thread is about to sleep for a future without a time limit, all tasks that are open there wait for that future's
//! task; it says so in a common table, then follows the table from there. If the way leads back to one of its own tasks,
//! that wait would never end. Entries are made and looked at under one lock, so whoever closes a circle finds it. Only
//! waits that really sleep, within tasks, come here.
//!
//! What is not seen: a task that waits by a lock, a channel or `wait`, and one that others wait for through a job that it
//! has split off.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;

use crate::prim::local;
use crate::sys::fork::Kept;

/// A task that is open on this thread.
struct Open {
    task: *const (),
    below: *const Open,
}

local! {
    /// The innermost.
    static OPEN: Cell<*const Open> = Cell::new(ptr::null());
}

/// Runs `f` as the task with this address.
#[inline]
pub(crate) fn open<R>(task: *const (), f: impl FnOnce() -> R) -> R {
    struct Close(*const Open);
    impl Drop for Close {
        fn drop(&mut self) {
            OPEN.with(|open| open.set(self.0));
        }
    }
    let below = OPEN.with(Cell::get);
    let frame = Open { task, below };
    OPEN.with(|open| open.set(&frame));
    let _close = Close(below);
    f()
}

/// Does the calling thread run a task?
pub(crate) fn is_in_task() -> bool {
    !OPEN.with(Cell::get).is_null()
}

fn open_tasks() -> Vec<usize> {
    let mut tasks = Vec::new();
    let mut frames = OPEN.with(Cell::get);
    #[allow(unsafe_code, reason = "frames of this thread's own stack")]
    // SAFETY: null or a frame below, which is there until `open` takes it away again.
    while let Some(frame) = unsafe { frames.as_ref() } {
        tasks.push(frame.task.addr());
        frames = frame.below;
    }
    tasks
}

/// Which task waits for which.
static WAITS: Kept<BTreeMap<usize, usize>> = Kept::new(BTreeMap::new());

/// Says for as long as it lives that the tasks that are open on this thread wait.
#[derive(Debug)]
pub(crate) struct Wait {
    /// They, and what they waited for before.
    before: Vec<(usize, Option<usize>)>,
}

/// Waiting would never end.
#[derive(Debug)]
pub(crate) struct Circle;

/// The tasks that are open on this thread, if any, are about to wait for `awaited`.
pub(crate) fn wait_for(awaited: *const ()) -> Result<Option<Wait>, Circle> {
    if !is_in_task() {
        return Ok(None);
    }
    let open = open_tasks();
    WAITS.with(|waits| {
        let mut at = awaited.addr();
        // The table has no circle, since nobody closes one.
        loop {
            if open.contains(&at) {
                return Err(Circle);
            }
            match waits.get(&at) {
                Some(&next) => at = next,
                None => break,
            }
        }
        let before = open.into_iter().map(|task| (task, waits.insert(task, awaited.addr()))).collect();
        Ok(Some(Wait { before }))
    })
}

impl Drop for Wait {
    fn drop(&mut self) {
        WAITS.with(|waits| {
            for (task, before) in self.before.drain(..) {
                match before {
                    Some(awaited) => waits.insert(task, awaited),
                    None => waits.remove(&task),
                };
            }
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Barrier;

    use super::{open, wait_for};

    #[test]
    fn a_circle_is_found_by_whoever_closes_it_and_only_then() {
        let tasks = [1_u8, 2, 3, 4];
        let task = |number: usize| std::ptr::from_ref(&tasks[number]).cast::<()>().addr();
        let at = |address: usize| std::ptr::without_provenance::<()>(address);
        assert!(wait_for(at(task(0))).unwrap().is_none(), "outside of tasks nobody is in a circle");
        let turn = Barrier::new(2);
        std::thread::scope(|s| {
            s.spawn(|| {
                open(at(task(0)), || {
                    open(at(task(1)), || {
                        let wait = wait_for(at(task(2))).unwrap();
                        turn.wait();
                        turn.wait();
                        drop(wait);
                    });
                });
                turn.wait();
            });
            turn.wait();
            open(at(task(2)), || {
                assert!(wait_for(at(task(0))).is_err(), "the lower of two tasks on a thread waits as well");
                assert!(wait_for(at(task(2))).is_err(), "a task that waits for itself");
                assert!(wait_for(at(task(3))).unwrap().is_some());
                turn.wait();
                turn.wait();
                assert!(wait_for(at(task(0))).unwrap().is_some(), "that wait is over");
            });
        });
    }
}
