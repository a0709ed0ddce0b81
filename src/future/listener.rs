//! Who is to be told when a future is done.
//!
//! A listener lies in the frame of a thread that waits, in an iterator over futures, or, for a callback, in a box. While it
//! is on a future's list, its links belong to whoever holds the lock of that future's [word](super::state). Whoever makes
//! the future done takes the whole list and [tells](tell) each: first those who wait, then the callbacks, both in the
//! order in which they were added. Its last touch of a listener that waits is to set `told`; after that the listener may
//! be gone. So an owner that wants its listener back, and cannot remove it because the future is done, waits for `told`,
//! which is near: no code of a user stands before it but the cloning of wakers. They are woken when all are told, as a
//! waker may do anything there and then: poll a task, which drops another listener of this very future, or wait for a lock
//! that is held by somebody who does.

#![allow(unsafe_code, reason = "a linked list of nodes that lie with whoever waits")]

use std::fmt;
use std::ptr;
use std::task::Waker;

use crate::future::ended::Ended;
use crate::prim::atomic::{AtomicBool, AtomicPtr, Ordering};
use crate::prim::{spin_loop, yield_now};
use crate::sync::parker::Unparker;
use crate::unwind;

/// Listeners are aligned to this, so that their addresses leave room for a word's flags.
pub(crate) const ALIGN: usize = 64;

/// Tells somebody: with whatever was given for it, the listener by the pointer that it was pushed with, and how the future
/// ended. Returns whom to wake. Called once, before `told`; until then the listener may be linked into another list by
/// [`next`](Listener::next).
pub(crate) type Note = unsafe fn(*const (), *mut Listener, Ended) -> Option<Unparker>;

/// What is done to tell somebody.
pub(crate) enum Tell {
    /// Wakes a thread.
    Thread(Unparker),
    /// Wakes a task of an async runtime.
    Waker(Waker),
    /// Calls this with that, which lives until the listener is told or removed.
    Note(Note, *const ()),
    /// Calls back. The listener is a box, which goes with the call.
    Call(Box<dyn FnOnce(Ended) + Send>),
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tell::Thread(_) => "Thread",
            Tell::Waker(_) => "Waker",
            Tell::Note(..) => "Note",
            Tell::Call(_) => "Call",
        })
    }
}

/// See the module.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Listener {
    next: AtomicPtr<Listener>,
    previous: AtomicPtr<Listener>,
    pub(crate) tell: Tell,
    told: AtomicBool,
}

const _: () = assert!(align_of::<Listener>() == ALIGN);

// SAFETY: the links are atomic, and what `tell` holds may be used from any thread: of a `Note`'s data its maker says so.
unsafe impl Sync for Listener {}
// SAFETY: as above.
unsafe impl Send for Listener {}

impl Listener {
    pub(crate) fn new(tell: Tell) -> Self {
        Listener {
            next: AtomicPtr::new(ptr::null_mut()),
            previous: AtomicPtr::new(ptr::null_mut()),
            tell,
            told: AtomicBool::new(false),
        }
    }

    /// Readies a listener that is on no list to stand before `next`.
    pub(super) fn link(&self, next: *mut Listener) {
        self.next.store(next, Ordering::Relaxed);
        self.previous.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Tells the first of a locked list what stands before it now.
    pub(super) fn precede(first: *mut Listener, before: *mut Listener) {
        // SAFETY: listeners on a list are alive, and the caller holds its lock.
        unsafe { &*first }.previous.store(before, Ordering::Relaxed);
    }

    /// Takes itself out of a locked list; returns what stood after it.
    pub(super) fn unlink(&self) -> *mut Listener {
        let (next, previous) = (self.next.load(Ordering::Relaxed), self.previous.load(Ordering::Relaxed));
        // SAFETY: null or alive, as neighbours on a list that is locked.
        if let Some(next) = unsafe { next.as_ref() } {
            next.previous.store(previous, Ordering::Relaxed);
        }
        // SAFETY: as above.
        if let Some(previous) = unsafe { previous.as_ref() } {
            previous.next.store(next, Ordering::Relaxed);
        }
        next
    }

    /// The link, for a [`Note`]'s own use.
    pub(crate) fn next(&self) -> &AtomicPtr<Listener> {
        &self.next
    }

    /// Has it been told, so that nobody else looks at it any more?
    pub(crate) fn is_told(&self) -> bool {
        // ORDERING(told): Acquire; pairs with the store in `tell`.
        self.told.load(Ordering::Acquire)
    }

    /// It could not be pushed, so nobody looks at it.
    pub(crate) fn mark_told(&self) {
        self.told.store(true, Ordering::Relaxed);
    }

    /// Waits until whoever took the listener is through with it.
    pub(crate) fn await_told(&self) {
        let mut round = 0;
        while !self.is_told() {
            if round < 64 && !cfg!(loom) {
                spin_loop()
            } else {
                yield_now()
            }
            round += 1;
        }
    }
}

/// Tells all on a list that was taken from a future which `ended` so.
///
/// # Safety
///
/// The caller took `list` from the future's word just now, and does not use it again.
pub(crate) unsafe fn tell(list: *mut Listener, ended: Ended) {
    // SAFETY: as the caller says.
    unsafe { tell_waiters(list, ended) }.call(ended);
}

/// Callbacks that are to be called, linked by `previous`.
#[must_use = "they are to be called"]
pub(crate) struct Calls(*mut Listener);

/// As [`tell`], but leaves the callbacks for later.
///
/// # Safety
///
/// As [`tell`].
pub(crate) unsafe fn tell_waiters(list: *mut Listener, ended: Ended) -> Calls {
    let mut oldest: *mut Listener = ptr::null_mut();
    let mut rest = list;
    // SAFETY: null or alive until told; on a list that is ours.
    while let Some(listener) = unsafe { rest.as_ref() } {
        let node = rest;
        rest = listener.next.load(Ordering::Relaxed);
        listener.next.store(oldest, Ordering::Relaxed);
        oldest = node;
    }
    // Callbacks are kept for later, by `previous`, and so are wakers, so that no user's code stands between a waiter and
    // its news.
    let (mut calls, mut last_call): (*mut Listener, *mut Listener) = (ptr::null_mut(), ptr::null_mut());
    let (mut waker, mut more_wakers) = (None, Vec::new());
    let mut rest = oldest;
    // SAFETY: as above.
    while let Some(listener) = unsafe { rest.as_ref() } {
        let node = rest;
        rest = listener.next.load(Ordering::Relaxed);
        match &listener.tell {
            Tell::Thread(parker) => {
                let parker = *parker;
                // ORDERING(told): Release; pairs with the load in `is_told`.
                listener.told.store(true, Ordering::Release);
                parker.unpark();
            }
            Tell::Waker(own) => {
                // A clone, since its owner may want the listener back before it is woken.
                let clone = unwind::halt(|| own.clone());
                // ORDERING(told): Release.
                listener.told.store(true, Ordering::Release);
                match clone {
                    Ok(clone) if waker.is_none() => waker = Some(clone),
                    Ok(clone) => more_wakers.push(clone),
                    Err(payload) => unwind::drop_quietly(payload),
                }
            }
            Tell::Note(note, data) => {
                // SAFETY: whoever made the listener says so; its owner waits for our `told`.
                let wake = unsafe { note(*data, node, ended) };
                // ORDERING(told): Release; after this both the listener and the data may be gone.
                listener.told.store(true, Ordering::Release);
                if let Some(parker) = wake {
                    parker.unpark();
                }
            }
            Tell::Call(_) => {
                listener.previous.store(ptr::null_mut(), Ordering::Relaxed);
                // SAFETY: null or a callback's box, which is ours.
                match unsafe { last_call.as_ref() } {
                    Some(last) => last.previous.store(node, Ordering::Relaxed),
                    None => calls = node,
                }
                last_call = node;
            }
        }
    }
    for waker in waker.into_iter().chain(more_wakers) {
        if let Err(payload) = unwind::halt(|| waker.wake()) {
            unwind::drop_quietly(payload);
        }
    }
    Calls(calls)
}

impl Calls {
    /// Calls them, in the order in which they were added.
    pub(crate) fn call(self, ended: Ended) {
        let mut calls = self.0;
        while !calls.is_null() {
            // SAFETY: a callback's listener is the box of `call_back`, and the list was ours.
            let listener = *unsafe { Box::from_raw(calls) };
            calls = listener.previous.load(Ordering::Relaxed);
            if let Tell::Call(call) = listener.tell {
                run_callback(call, ended);
            }
        }
    }
}

/// A listener that calls back, to be pushed; [`take_back`] if that fails.
pub(crate) fn call_back(call: Box<dyn FnOnce(Ended) + Send>) -> *mut Listener {
    Box::into_raw(Box::new(Listener::new(Tell::Call(call))))
}

/// The callback of a listener that could not be pushed.
///
/// # Safety
///
/// `listener` came from [`call_back`], was not pushed, and is not used again.
pub(crate) unsafe fn take_back(listener: *mut Listener) -> Option<Box<dyn FnOnce(Ended) + Send>> {
    // SAFETY: out of a box, and ours.
    match unsafe { Box::from_raw(listener) }.tell {
        Tell::Call(call) => Some(call),
        _ => None,
    }
}

/// Calls back. A panic has been reported by the panic hook, and goes no further.
pub(crate) fn run_callback(call: impl FnOnce(Ended), ended: Ended) {
    if let Err(payload) = unwind::halt(|| call(ended)) {
        unwind::drop_quietly(payload);
    }
}
