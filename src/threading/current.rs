//! The calling thread as an object.

use std::cell::Cell;
use std::mem::ManuallyDrop;

use crate::sys::{fork, thread};
use crate::thread::{ThreadHandle, get_ident, is_main_thread, life};
use crate::threading::naming;
use crate::threading::object::{Kind, Thread};
use crate::threading::registry;

thread_local! {
    /// Never dropped by the thread-local itself, so that it can be asked until the very end: [`leave`] does.
    static CURRENT: Cell<Option<ManuallyDrop<Thread>>> = const { Cell::new(None) };
}

fn known() -> Option<Thread> {
    let current = CURRENT.take();
    let thread = current.as_deref().cloned();
    CURRENT.set(current);
    thread
}

/// The calling thread.
///
/// A thread that somebody else started (`std::thread`, a mill) gets an object when it first asks: named `Dummy-N`,
/// a daemon, not to be joined. It is listed from then until its end. A thread that asks while it drops its last
/// thread-locals gets one that is not listed.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{current_thread, main_thread};
///
/// assert_eq!(current_thread(), main_thread());
/// std::thread::spawn(|| assert!(current_thread().name().starts_with("Dummy-"))).join().unwrap();
/// ```
#[doc(alias("threading.current_thread", "threading.currentThread"))]
#[must_use]
pub fn current_thread() -> Thread {
    known().unwrap_or_else(first_asked)
}

#[cold]
fn first_asked() -> Thread {
    fork::watch(after_fork);
    if is_main_thread() {
        let main = registry::main_thread();
        CURRENT.set(Some(ManuallyDrop::new(main.clone())));
        return main;
    }
    let foreign = |handle| Thread::with(handle, Kind::Foreign, naming::for_foreign(), true, None);
    match ThreadHandle::current() {
        Some(handle) => {
            let thread = foreign(handle);
            registry::add(get_ident(), &thread);
            enter(thread.clone());
            thread
        }
        None => foreign(ThreadHandle::adopted(get_ident(), thread::native_id())),
    }
}

/// The calling thread is this one until its end. It is listed.
pub(crate) fn enter(thread: Thread) {
    fork::watch(after_fork);
    CURRENT.set(Some(ManuallyDrop::new(thread)));
    life::at_end(leave);
}

fn leave() {
    registry::remove(get_ident());
    drop(CURRENT.take().map(ManuallyDrop::into_inner));
}

/// Are threads that the calling thread makes daemons, unless told otherwise?
pub(crate) fn is_daemon() -> bool {
    match known() {
        Some(thread) => thread.is_daemon(),
        None => !is_main_thread(),
    }
}

fn after_fork() {
    if let Some(thread) = known() {
        thread.become_main(thread::native_id());
        registry::after_fork(thread);
    }
}
