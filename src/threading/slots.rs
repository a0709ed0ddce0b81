//! The places where the threads' values of one [`Local`](super::Local) are.
//!
//! A slot is free, or somebody's, or being emptied. A thread that first touches the object takes a free slot or adds
//! one to the list, and keeps it until it ends; then it drops its value and sets the slot free. When the object is
//! dropped, it drops the values of all threads. Whoever takes the step from somebody's to being emptied drops the
//! value, so a thread that ends while the object is dropped races with nobody. Slots are never taken off the list
//! while the object lives, so there are as many as ever were taken at a time.
//!
//! A slot's owner alone looks at its value, by [`Mine`], which stays on its thread, and only while it borrows the
//! object: so when that is dropped no thread is looking. In a forked child the values of threads that are no more stay
//! as they are for good: nobody knows what those threads were doing to them.

#![allow(unsafe_code, reason = "a value that only the owner of its slot, or the last owner of all, touches")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

use crate::prim::UnsafeCell;
use crate::prim::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sys::fork;
use crate::thread::{Ident, get_ident};
use crate::unwind::drop_quietly;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const EMPTYING: u32 = 2;

/// One thread's value.
struct Slot<T> {
    /// The number of the object.
    home: u64,
    state: AtomicU32,
    owner: AtomicU64,
    generation: AtomicU32,
    /// How the owner has it borrowed.
    borrows: Cell<isize>,
    /// Not dropped with the slot: whoever empties it does that.
    value: UnsafeCell<ManuallyDrop<Option<T>>>,
    /// The one that was added before; set before this one is seen.
    next: *const Slot<T>,
}

// SAFETY: `value` and `borrows` are touched only by whoever has the slot: its owner, or who empties it. Values move to
// another thread at most to be dropped there, which `T: Send` allows.
unsafe impl<T: Send> Send for Slot<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Slot<T> {}

/// The slot that the calling thread has. It stays on that thread.
pub(crate) struct Mine<T>(Arc<Slot<T>>, PhantomData<*const ()>);

/// All slots of one object.
pub(crate) struct Slots<T> {
    /// No other object ever has the same.
    number: u64,
    /// Each is an `Arc`, of which the list has a share.
    first: AtomicPtr<Slot<T>>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Slots { number, first: AtomicPtr::new(ptr::null_mut()) }
    }

    /// What it is told from others by.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A slot for the calling thread, which has none yet.
    pub(crate) fn take(&self) -> Mine<T> {
        Mine(self.slot(get_ident()), PhantomData)
    }

    /// Lends the calling thread its value.
    pub(crate) fn borrow<'a>(&'a self, mine: &'a Mine<T>) -> Result<Lent<'a, T>, Conflict> {
        assert_eq!(mine.0.home, self.number, "a slot of another object");
        let borrows = mine.0.borrows.get();
        if borrows < 0 {
            return Err(Conflict);
        }
        mine.0.borrows.set(borrows + 1);
        Ok(Lent(&mine.0))
    }

    /// Lends the calling thread its value, to change it.
    pub(crate) fn borrow_mut<'a>(&'a self, mine: &'a Mine<T>) -> Result<LentMut<'a, T>, Conflict> {
        assert_eq!(mine.0.home, self.number, "a slot of another object");
        if mine.0.borrows.get() != 0 {
            return Err(Conflict);
        }
        mine.0.borrows.set(-1);
        Ok(LentMut(&mine.0))
    }

    fn slot(&self, owner: Ident) -> Arc<Slot<T>> {
        // ORDERING(slots): Acquire; pairs with the exchange below, here and in those before.
        let mut first = self.first.load(Ordering::Acquire);
        let mut at = first.cast_const();
        while !at.is_null() {
            // SAFETY: on the list, which has a share of it while we borrow the list.
            let slot = unsafe { &*at };
            // ORDERING(slot): Acquire; pairs with the store in `Slot::empty`.
            let taken = slot.state.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                slot.stamp(owner);
                // SAFETY: it came from an `Arc` that the list has a share of: here is one more.
                unsafe { Arc::increment_strong_count(at) };
                // SAFETY: the share that was just counted.
                return unsafe { Arc::from_raw(at) };
            }
            at = slot.next;
        }
        let mut slot = Arc::new(Slot {
            home: self.number,
            state: AtomicU32::new(TAKEN),
            owner: AtomicU64::new(0),
            generation: AtomicU32::new(0),
            borrows: Cell::new(0),
            value: UnsafeCell::new(ManuallyDrop::new(None)),
            next: first,
        });
        slot.stamp(owner);
        loop {
            let new = Arc::as_ptr(&slot).cast_mut();
            // ORDERING(slots): Release; pairs with the loads of `first`. A later exchange goes on what it began.
            match self.first.compare_exchange(first, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    std::mem::forget(Arc::clone(&slot));
                    return slot;
                }
                Err(theirs) => {
                    first = theirs;
                    if let Some(slot) = Arc::get_mut(&mut slot) {
                        slot.next = first;
                    }
                }
            }
        }
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        // ORDERING(slots): Acquire; pairs with the exchange in `take`.
        let mut at = self.first.load(Ordering::Acquire).cast_const();
        while !at.is_null() {
            // SAFETY: the list's share, which it gives up here.
            let slot = unsafe { Arc::from_raw(at) };
            at = slot.next;
            slot.abandon();
        }
    }
}

impl<T> Slot<T> {
    fn stamp(&self, owner: Ident) {
        self.owner.store(owner.get().get(), Ordering::Relaxed);
        self.generation.store(fork::generation(), Ordering::Relaxed);
    }

    /// Drops its value, unless somebody else does.
    fn empty(&self) {
        // ORDERING(slot): Acquire; pairs with the store below, by an earlier owner. What the owner did is seen by the
        // object's dropper through whatever told it that nobody uses the object any more.
        if self.state.compare_exchange(TAKEN, EMPTYING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            // SAFETY: nobody else takes this step, and nobody looks at the value: see the module.
            let value = self.value.with_mut(|value| unsafe { (*value).take() });
            drop_quietly(value);
            // ORDERING(slot): Release; pairs with the exchange in `Slots::slot`.
            self.state.store(FREE, Ordering::Release);
        }
    }

    /// The object is being dropped.
    fn abandon(&self) {
        let vanished = self.generation.load(Ordering::Relaxed) != fork::generation();
        // What a thread that is no more has left there is maybe half changed, and stays as it is.
        if !vanished || self.owner.load(Ordering::Relaxed) == get_ident().get().get() {
            self.empty();
        }
    }
}

impl<T> Mine<T> {
    /// The calling thread ends: drops its value, unless the object's dropper does.
    pub(crate) fn leave(&self) {
        self.0.empty();
    }

    /// Is the object gone?
    pub(crate) fn is_stale(&self) -> bool {
        self.0.state.load(Ordering::Relaxed) != TAKEN
    }
}

/// It is borrowed already.
pub(crate) struct Conflict;

/// A value that its owner may look at.
pub(crate) struct Lent<'a, T>(&'a Slot<T>);

impl<T> Lent<'_, T> {
    pub(crate) fn value(&self) -> Option<&T> {
        // SAFETY: the calling thread owns the slot, which is not lent to be changed while this lives, and the object
        // is borrowed.
        self.0.value.with(|value| unsafe { (*value).as_ref() })
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.0.borrows.set(self.0.borrows.get() - 1);
    }
}

/// A value that its owner may change.
pub(crate) struct LentMut<'a, T>(&'a Slot<T>);

impl<T> LentMut<'_, T> {
    pub(crate) fn value(&mut self) -> &mut Option<T> {
        // SAFETY: the calling thread owns the slot, which is lent to nobody else while this lives, and the object is
        // borrowed.
        self.0.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for LentMut<'_, T> {
    fn drop(&mut self) {
        self.0.borrows.set(0);
    }
}
