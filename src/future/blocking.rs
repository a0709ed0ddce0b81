//! A thread that waits for one future.

#![allow(unsafe_code, reason = "a listener in the frame of whoever waits")]

use std::cell::{Cell, OnceCell};
use std::ptr;
use std::time::{Duration, Instant};

use crate::future::cell::Handle;
use crate::future::cycle::{self, Wait};
use crate::future::listener::{Listener, Tell};
use crate::prim::{spin_loop, yield_now};
use crate::sync::help::{self, Awaited};
use crate::sync::parker::Parker;

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// The future is done.
    Done,
    /// The time is up.
    TimeUp,
    /// It will never be done, as it waits for the caller.
    Never,
}

/// Waits until the future is done, at most until `deadline`. Without a deadline, the thread runs the task itself if that
/// has not started and may be run here; with one it does not, for that may take any time.
#[inline]
pub(crate) fn wait(core: Handle<'_>, deadline: Option<Instant>) -> Outlook {
    if core.is_done() {
        return Outlook::Done;
    }
    if deadline.is_none() {
        core.help();
        if core.is_done() {
            return Outlook::Done;
        }
    }
    wait_for_others(core, deadline)
}

#[cold]
fn wait_for_others(core: Handle<'_>, deadline: Option<Instant>) -> Outlook {
    let waiting = Waiting {
        core,
        deadline,
        listener: OnceCell::new(),
        circle: Cell::new(false),
        wait: Cell::new(None),
    };
    until_over(&waiting);
    waiting.outlook()
}

/// Waits until `awaited` is over: in the way of the worker on this thread, or else spinning a little, and then asleep.
pub(crate) fn until_over(awaited: &dyn Awaited) {
    if awaited.is_over() || help::wait(awaited) {
        return;
    }
    for _ in 0..SPINS {
        for _ in 0..6 {
            spin_loop();
        }
        if awaited.is_over() {
            return;
        }
    }
    let since = Instant::now();
    for _ in 0..YIELDS {
        yield_now();
        if awaited.is_over() {
            return;
        }
        if since.elapsed() > CROWDED {
            break;
        }
    }
    help::asleep(|| {
        while !awaited.is_over() && awaited.announce() {
            awaited.sleep();
        }
    });
}

/// Sleeps on the calling thread's parker, at most until `deadline`.
pub(crate) fn sleep_until(deadline: Option<Instant>) {
    let parker = Parker::current();
    match deadline {
        Some(deadline) => parker.park_timeout(deadline.saturating_duration_since(Instant::now())),
        None => parker.park(),
    }
}

/// Rounds before a thread outside of all mills sleeps, first of spinning.
const SPINS: u32 = if cfg!(loom) { 0 } else { 48 };
/// And then of yielding the processor.
const YIELDS: u32 = if cfg!(loom) { 0 } else { 48 };
/// Unless that took so long: then others want the processor, and whoever yields waits for all of them each time.
const CROWDED: Duration = Duration::from_millis(2);

struct Waiting<'a> {
    core: Handle<'a>,
    deadline: Option<Instant>,
    /// Once the thread is about to sleep.
    listener: OnceCell<Listener>,
    circle: Cell<bool>,
    /// Dropped with the rest.
    wait: Cell<Option<Wait>>,
}

impl Waiting<'_> {
    fn outlook(&self) -> Outlook {
        if self.core.is_done() {
            Outlook::Done
        } else if self.circle.get() {
            Outlook::Never
        } else {
            Outlook::TimeUp
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            // Before this frame goes, nobody else may look at it.
            if !self.core.word.remove(listener) {
                listener.await_told();
            }
        }
    }
}

impl Awaited for Waiting<'_> {
    fn is_over(&self) -> bool {
        self.core.is_done()
            || self.circle.get()
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn announce(&self) -> bool {
        if self.listener.get().is_some() {
            return !self.core.is_done();
        }
        if self.deadline.is_none() {
            match cycle::wait_for(self.core.address()) {
                Ok(wait) => self.wait.set(wait),
                Err(cycle::Circle) => {
                    self.circle.set(true);
                    return false;
                }
            }
        }
        let listener = Listener::new(Tell::Thread(Parker::current()));
        // It is pushed where it lies for good.
        let listener = self.listener.get_or_init(|| listener);
        let pushed = self.core.word.push(listener);
        if !pushed {
            // Nobody has seen it, and nobody will tell it.
            listener.mark_told();
        }
        pushed
    }

    fn sleep(&self) {
        sleep_until(self.deadline);
    }

    fn runner(&self, mill: *const ()) -> *const () {
        // What a robber runs may take any time.
        if self.deadline.is_some() { ptr::null() } else { self.core.runner(mill) }
    }

    fn family(&self) -> *const () {
        self.core.family()
    }
}
