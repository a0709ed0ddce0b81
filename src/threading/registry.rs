//! Which threads there are.
//!
//! A thread is listed from just before the system starts it until just before it is done, so nobody who joined a
//! thread finds it listed. Threads that others started are listed once they have asked who they are. A forked child
//! begins with a new list, in which the thread that forked is the main thread: the old list may be locked by a thread
//! that is no more.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::sys::fork::Fresh;
use crate::sys::thread;
use crate::thread::{Ident, ThreadHandle};
use crate::threading::naming;
use crate::threading::object::{Kind, Thread};

#[derive(Default)]
struct Registry {
    main: OnceLock<Thread>,
    /// All but the main thread, oldest first. Nothing but changes to the map happens under the lock.
    others: std::sync::Mutex<BTreeMap<Ident, Thread>>,
}

static REGISTRY: Fresh<Registry> = Fresh::new();

impl Registry {
    fn others<R>(&self, look: impl FnOnce(&mut BTreeMap<Ident, Thread>) -> R) -> R {
        look(&mut self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn main(&self) -> &Thread {
        self.main.get_or_init(|| {
            let handle = ThreadHandle::adopted(Ident::of_main(), thread::process_id());
            Thread::with(handle, Kind::Main, naming::MAIN.to_owned(), false, None)
        })
    }
}

/// Lists a thread.
pub(crate) fn add(ident: Ident, thread: &Thread) {
    REGISTRY.get().others(|others| others.insert(ident, thread.clone()));
}

/// Lists it no more.
pub(crate) fn remove(ident: Ident) {
    drop(REGISTRY.get().others(|others| others.remove(&ident)));
}

/// In a forked child: this is the thread that forked.
pub(crate) fn after_fork(thread: Thread) {
    let _ = REGISTRY.get().main.set(thread);
}

/// The thread that `main` runs on. In a forked child it is the thread that forked, whatever it was before.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{current_thread, main_thread};
///
/// assert_eq!(current_thread(), main_thread());
/// assert_eq!(&*main_thread().name(), "MainThread");
/// ```
#[doc(alias("threading.main_thread"))]
#[must_use]
pub fn main_thread() -> Thread {
    REGISTRY.get().main().clone()
}

/// The threads that are alive: the main thread first, always; then those that this module started, and those that
/// others started and that have asked for their [`current_thread`](super::current_thread), in the order of their
/// numbers.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{Thread, active_count, enumerate, main_thread};
///
/// let (send, receive) = std::sync::mpsc::channel::<()>();
/// let thread = Thread::new(move || { let _ = receive.recv(); });
/// assert_eq!(enumerate(), [main_thread()]);
/// thread.start()?;
/// assert_eq!(enumerate(), [main_thread(), thread.clone()]);
/// drop(send);
/// thread.join()?;
/// assert_eq!(active_count(), 1);
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[doc(alias("threading.enumerate"))]
#[must_use]
pub fn enumerate() -> Vec<Thread> {
    let registry = REGISTRY.get();
    let main = registry.main();
    registry.others(|others| [main].into_iter().chain(others.values()).cloned().collect())
}

/// How many threads [`enumerate`] lists.
///
/// # Examples
///
/// ```
/// assert_eq!(gristmill::threading::active_count(), gristmill::threading::enumerate().len());
/// ```
#[doc(alias("threading.active_count", "threading.activeCount"))]
#[must_use]
pub fn active_count() -> usize {
    REGISTRY.get().others(|others| others.len() + 1)
}
