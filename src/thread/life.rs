//! The calling thread as others see it, and what happens when it ends.
//!
//! A thread-local that is made before any code of the user's runs on a thread of ours. Thread-locals are dropped in
//! the reverse order of their making, so this one goes last and its thread is done when the others are gone. Should
//! the order be another one some day, a thread is done a little early, and nothing else changes. On threads that
//! others started it is made when somebody asks for it.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys::{fork, thread};
use crate::thread::handle::ThreadHandle;
use crate::thread::hold;
use crate::thread::ident::get_ident;
use crate::unwind;

/// How many threads that we started are alive.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Somebody wants to know of the end.
type Last = Box<dyn FnOnce()>;

struct Life {
    handle: ThreadHandle,
    kind: Kind,
    last: RefCell<Vec<Last>>,
}

/// Who started a thread, and whether the end of the process waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours { daemon: bool },
    Foreign,
}

impl Kind {
    fn is_ours(self) -> bool {
        self != Kind::Foreign
    }

    fn is_held(self) -> bool {
        self == Kind::Ours { daemon: false }
    }
}

thread_local! {
    static LIFE: OnceCell<Life> = const { OnceCell::new() };
    /// Is there something in `LIFE`? It cannot be asked itself without being made.
    static MADE: Cell<bool> = const { Cell::new(false) };
}

/// The calling thread begins.
pub(crate) fn begin(handle: ThreadHandle, kind: Kind) {
    handle.begin(thread::native_id());
    MADE.set(true);
    let life = Life { handle, kind, last: RefCell::default() };
    let _ = LIFE.try_with(|slot| slot.set(life).is_ok());
}

/// The calling thread's handle; made now on a thread that others started. `None` in a thread's last breath.
pub(crate) fn current() -> Option<ThreadHandle> {
    LIFE.try_with(|slot| {
        let made = slot.get_or_init(|| {
            fork::watch(after_fork);
            MADE.set(true);
            let handle = ThreadHandle::adopted(get_ident(), thread::native_id());
            Life { handle, kind: Kind::Foreign, last: RefCell::default() }
        });
        made.handle.clone()
    })
    .ok()
}

/// The calling thread's kind; `None` if nobody has asked for its handle.
pub(crate) fn kind() -> Option<Kind> {
    if !MADE.get() {
        return None;
    }
    LIFE.try_with(|slot| slot.get().map(|life| life.kind)).ok().flatten()
}

/// Calls `last` when the calling thread ends, before it is done, and after what was named later. False in a thread's
/// last breath.
pub(crate) fn at_end(last: impl FnOnce() + 'static) -> bool {
    if current().is_none() {
        return false;
    }
    let last: Last = Box::new(last);
    LIFE.try_with(|slot| slot.get().map(|life| life.last.borrow_mut().push(last))).ok().flatten().is_some()
}

/// Does the end of the process wait for the calling thread? 1 if it does.
pub(crate) fn held() -> u32 {
    kind().is_some_and(Kind::is_held).into()
}

/// One more thread is about to be started; `more` is false if that came to nothing.
pub(crate) fn live(more: bool) {
    if more {
        fork::watch(after_fork);
        LIVE.fetch_add(1, Ordering::Relaxed);
    } else {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn count_live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

impl Drop for Life {
    fn drop(&mut self) {
        while let Some(last) = self.last.get_mut().pop() {
            // What panicked has been reported; a thread-local that panics would abort the process.
            if let Err(payload) = unwind::halt(last) {
                unwind::drop_quietly(payload);
            }
        }
        if self.kind.is_ours() {
            LIVE.fetch_sub(1, Ordering::Relaxed);
        }
        self.handle.finish();
        if self.kind.is_held() {
            hold::give_back();
        }
    }
}

/// In a forked child only this thread is left.
fn after_fork() {
    LIVE.store(kind().is_some_and(Kind::is_ours).into(), Ordering::Relaxed);
    hold::after_fork(held());
    if MADE.get() {
        let native_id = thread::native_id();
        let _ = LIFE.try_with(|slot| slot.get().map(|life| life.handle.after_fork(native_id)));
    }
}
