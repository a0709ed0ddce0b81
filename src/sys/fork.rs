//! Notices that this process is a forked child, and keeps what such a child goes on using whole.

#![allow(unsafe_code, reason = "registers a handler with the C library")]

use std::cell::{Cell, UnsafeCell};
use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// What each room wants called in a child, as pointers to functions; null for none. Not behind locks, which another thread
/// might hold at a fork.
static IN_CHILD: [AtomicPtr<()>; 8] = [const { AtomicPtr::new(ptr::null_mut()) }; 8];

/// What guards every [`Kept`]: a fork waits for it.
static GATE: Mutex<()> = Mutex::new(());

/// What is held while [`apart`] runs something, and during a fork.
static APART: Fresh<Mutex<()>> = Fresh::new();

/// How long a fork waits for what runs [`apart`]. That may wait for others, which may wait for this fork.
const PATIENCE: Duration = Duration::from_millis(100);

type Guard = MutexGuard<'static, ()>;
type Held = (Guard, Option<Guard>);

thread_local! {
    /// The gate, and what keeps others apart, from before a fork to after it. Never dropped by the thread-local itself.
    static HELD: Cell<Option<ManuallyDrop<Held>>> = const { Cell::new(None) };
}

fn gate() -> Guard {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until nothing runs [`apart`].
fn keep_apart() -> Option<Guard> {
    let begun = Instant::now();
    loop {
        match APART.get().try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => return None,
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
}

/// Runs `f`, which touches locks that are not ours, and may have to wait for those: a fork waits for its end, for a tenth
/// of a second at most, so that the child finds them free. In `f` nobody forks.
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    count();
    let _apart = (!is_forking()).then(|| APART.get().lock().unwrap_or_else(PoisonError::into_inner));
    f()
}

/// Does this thread hold it, as it forks?
fn is_forking() -> bool {
    let held = HELD.take();
    let is_held = held.is_some();
    HELD.set(held);
    is_held
}

/// Did this thread hold it?
fn open_gate() -> bool {
    HELD.take().map(ManuallyDrop::into_inner).is_some()
}

extern "C" fn before() {
    let held = HELD.take();
    HELD.set(held.or_else(|| {
        // In this order, as what runs apart may have to wait for one who wants the gate.
        let apart = keep_apart();
        Some(ManuallyDrop::new((gate(), apart)))
    }));
}

extern "C" fn in_parent() {
    let _was_held = open_gate();
}

extern "C" fn in_child() {
    if !open_gate() {
        // The handlers are there twice, and have run.
        return;
    }
    GENERATION.fetch_add(1, Ordering::Relaxed);
    for place in &IN_CHILD {
        let then = place.load(Ordering::Relaxed);
        if !then.is_null() {
            // SAFETY: `watch` put it there, from a function of this type.
            let then = unsafe { std::mem::transmute::<*mut (), fn()>(then) };
            then();
        }
    }
}

/// How many forks lie between this process and the one that first called [`count`] or [`watch`].
pub(crate) fn generation() -> u32 {
    // A forked child has one thread, which ran the handler itself: no ordering is needed.
    GENERATION.load(Ordering::Relaxed)
}

/// Starts counting. Calls after the first do nothing.
///
/// Source: `pthread_atfork(3)`. A child made by a bare `clone(2)` is not noticed.
pub(crate) fn count() {
    // Not a `Once`: a child that is forked while another thread is in it would wait for that thread.
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if COUNTING.load(Ordering::Relaxed) {
        return;
    }
    // Several threads, or a child and its parent, may come here: the handlers may be there more than once.
    // SAFETY: the handlers never go away. What that of the child does is possible there (an atomic add, unlocking
    // a mutex that this thread holds and nobody waits for, loads, and what `watch` allows).
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    COUNTING.store(true, Ordering::Relaxed);
}

/// Starts counting, and has every forked child call `then` on its one thread, before `fork` returns there. Naming the
/// same function again does nothing. `then` waits for nothing, and takes no lock but that of a [`Kept`]. It may
/// allocate: the C library has seen to its allocator by then.
///
/// # Panics
///
/// When there are more of them than this crate has rooms.
pub(crate) fn watch(then: fn()) {
    let then = then as *mut ();
    let known = IN_CHILD.iter().any(|place| {
        match place.compare_exchange(ptr::null_mut(), then, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(there) => there == then,
        }
    });
    assert!(known, "a place in IN_CHILD for each room that watches forks");
    count();
}

/// A value that a fork finds whole, and that its child can go on using: no thread is in the middle of changing it then.
/// For what is rarely touched: one lock guards all of these.
pub(crate) struct Kept<T>(UnsafeCell<T>);

// SAFETY: the value is touched in `with` only, by one thread at a time.
unsafe impl<T: Send> Sync for Kept<T> {}

// Nobody's code but ours runs while the value is being changed.
impl<T> UnwindSafe for Kept<T> {}
impl<T> RefUnwindSafe for Kept<T> {}

impl<T> Kept<T> {
    pub(crate) const fn new(value: T) -> Self {
        Kept(UnsafeCell::new(value))
    }

    /// Shows `look` the value. `look` is short, and neither forks, nor runs anybody else's code, nor touches a `Kept`.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        count();
        // Other people's handlers of forks may come here between ours.
        let _gate = (!is_forking()).then(gate);
        // SAFETY: the gate is ours, and nobody touches the value without it.
        look(unsafe { &mut *self.0.get() })
    }
}

impl<T: Clone> Kept<T> {
    pub(crate) fn get(&self) -> T {
        self.with(|value| value.clone())
    }
}

/// A global of which each forked child gets a new one: the old one may be locked by a thread that is no more.
pub(crate) struct Fresh<T: 'static>(AtomicPtr<Stamped<T>>);

struct Stamped<T> {
    generation: u32,
    value: T,
}

impl<T: Default + Send + Sync> Fresh<T> {
    pub(crate) const fn new() -> Self {
        Fresh(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's.
    pub(crate) fn get(&self) -> &'static T {
        // ORDERING(fresh): Acquire; pairs with the exchange in `renew`.
        let now = self.0.load(Ordering::Acquire);
        // SAFETY: null, or a box that was leaked for good in `renew`.
        match unsafe { now.as_ref() } {
            Some(stamped) if stamped.generation == generation() => &stamped.value,
            _ => self.renew(now),
        }
    }

    #[cold]
    fn renew(&self, mut old: *mut Stamped<T>) -> &'static T {
        count();
        let new = Box::into_raw(Box::new(Stamped { generation: generation(), value: T::default() }));
        loop {
            // ORDERING(fresh): Release and Acquire; pairs with the load in `get` and with each other.
            match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: leaked for good just now.
                Ok(_) => return unsafe { &(*new).value },
                Err(theirs) => {
                    // SAFETY: null, or a box that was leaked for good by whoever was faster.
                    match unsafe { theirs.as_ref() } {
                        Some(stamped) if stamped.generation == generation() => {
                            // SAFETY: nobody has seen the new one.
                            drop(unsafe { Box::from_raw(new) });
                            return &stamped.value;
                        }
                        _ => old = theirs,
                    }
                }
            }
        }
    }
}

/// Has every forked child call `then` on its one thread, before `fork` returns there. Any number of these may be
/// asked for; each stays for good. `then` must be async-signal-safe.
///
/// Source: `pthread_atfork(3)`.
pub(crate) fn in_each_child(then: extern "C" fn()) {
    // SAFETY: the handler is async-signal-safe, as asked for, and a function never goes away.
    unsafe { libc::pthread_atfork(None, None, Some(then)) };
}

/// Ends a forked child whose thread has come back into code of the parent's that cannot go on.
pub(crate) fn leave_child() -> ! {
    let why =
        "gristmill: a forked child returned into a worker thread of its parent's mill; ending the child";
    // Nobody may read what we say.
    let _ = writeln!(std::io::stderr(), "{why}");
    // SAFETY: ends the process at once, without running exit handlers that belong to the parent.
    unsafe { libc::_exit(101) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Fresh, Kept, count, generation};
    use crate::sys::child::die_after;

    #[test]
    fn a_fresh_global_is_made_once() {
        static NUMBER: Fresh<AtomicU32> = Fresh::new();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| NUMBER.get().fetch_add(1, Ordering::Relaxed));
            }
        });
        assert_eq!(NUMBER.get().load(Ordering::Relaxed), 4);
    }

    #[test]
    fn handlers_that_are_there_twice_count_once() {
        count();
        // SAFETY: as in `count`.
        unsafe { libc::pthread_atfork(Some(super::before), Some(super::in_parent), Some(super::in_child)) };
        let here = generation();
        die_after(|| {
            static NUMBER: Kept<u32> = Kept::new(7);
            assert!(generation() == here + 1 && NUMBER.get() == 7);
        });
        assert_eq!(generation(), here);
    }

    /// Whoever does something apart is through with it when a child is forked.
    #[test]
    fn a_fork_waits_for_what_runs_apart() {
        static STEP: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|s| {
            s.spawn(|| {
                super::apart(|| {
                    STEP.store(1, Ordering::SeqCst);
                    // The fork comes meanwhile, or later.
                    (0..1_000).for_each(|_| std::thread::yield_now());
                    STEP.store(2, Ordering::SeqCst);
                });
            });
            while STEP.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            die_after(|| {
                assert_ne!(STEP.load(Ordering::SeqCst), 1);
                super::apart(|| ());
            });
        });
        super::apart(|| ());
    }

    /// Not for ever: they may wait for each other.
    #[test]
    fn a_fork_does_not_wait_long_for_what_runs_apart() {
        let dies = || die_after(|| super::apart(|| ()));
        super::apart(|| std::thread::scope(|s| drop(s.spawn(dies))));
    }

    #[test]
    fn kept_values_are_changed_by_one_at_a_time() {
        static NUMBER: Kept<u32> = Kept::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..1_000).for_each(|_| NUMBER.with(|number| *number += 1)));
            }
        });
        assert_eq!(NUMBER.get(), 4_000);
    }
}
