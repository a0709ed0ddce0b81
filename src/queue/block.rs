//! Memory for items: blocks of slots.
//!
//! A slot is empty, then full, then read. Whoever claimed it for writing fills it; whoever claimed it for reading waits
//! until it is full, reads it, and says so; after that neither touches it again. Both marks are the number of the
//! block's *use*, so a block that is used again is empty without anybody having cleared it. A block is *done* when all
//! of its slots have been read. Only then is it used again, or freed.

#![allow(unsafe_code, reason = "items are moved in and out of shared memory")]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::pause::Moment;
use crate::prim::UnsafeCell;
use crate::prim::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

/// How many items a block holds: a power of two.
pub(super) const SLOTS: u64 = if cfg!(loom) { 2 } else { 64 };
const SIZE: usize = SLOTS as usize;

/// Slots for consecutive items.
///
/// Writers mark slots on one cache line and readers on another.
#[repr(C, align(64))]
pub(super) struct Block<T> {
    full: [AtomicU8; SIZE],
    read: [AtomicU8; SIZE],
    /// The number of this use, modulo 256, which slots are marked with. Changes while nobody uses the block.
    usage: AtomicU8,
    /// On a list of spare blocks: how many there are from here on.
    pub(super) depth: AtomicUsize,
    /// In the queue, the block for the items after these; on a list of spare blocks, another one.
    pub(super) next: AtomicPtr<Block<T>>,
    values: [UnsafeCell<MaybeUninit<T>>; SIZE],
}

impl<T> Block<T> {
    /// An empty block, for [`free`](Self::free).
    #[cfg(not(loom))]
    pub(super) fn new() -> NonNull<Self> {
        let block = Box::leak(Box::<Self>::new_uninit()).as_mut_ptr();
        // SAFETY: a field of memory that is ours.
        unsafe { (&raw mut (*block).full).write([const { AtomicU8::new(0) }; SIZE]) };
        // SAFETY: as above.
        unsafe { (&raw mut (*block).read).write([const { AtomicU8::new(0) }; SIZE]) };
        // SAFETY: as above.
        unsafe { (&raw mut (*block).usage).write(AtomicU8::new(1)) };
        // SAFETY: as above.
        unsafe { (&raw mut (*block).depth).write(AtomicUsize::new(1)) };
        // SAFETY: as above.
        unsafe { (&raw mut (*block).next).write(AtomicPtr::new(std::ptr::null_mut())) };
        // The values may be anything: all fields are there now.
        // SAFETY: a box is not null.
        unsafe { NonNull::new_unchecked(block) }
    }

    #[cfg(loom)]
    pub(super) fn new() -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Block {
            full: std::array::from_fn(|_| AtomicU8::new(0)),
            read: std::array::from_fn(|_| AtomicU8::new(0)),
            usage: AtomicU8::new(1),
            depth: AtomicUsize::new(1),
            next: AtomicPtr::new(std::ptr::null_mut()),
            values: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        })))
    }

    /// Gives the memory back. Items that are still in it leak.
    ///
    /// # Safety
    ///
    /// `block` is from [`new`](Self::new), and nobody will use it any more.
    pub(super) unsafe fn free(block: NonNull<Self>) {
        // SAFETY: from a box, says the caller.
        drop(unsafe { Box::from_raw(block.as_ptr()) });
    }

    /// Frees all blocks of a list.
    ///
    /// # Safety
    ///
    /// As for [`free`](Self::free), for each of them.
    pub(super) unsafe fn free_list(mut list: *mut Self) {
        while let Some(block) = NonNull::new(list) {
            // SAFETY: not freed yet.
            list = unsafe { block.as_ref() }.next.load(Ordering::Relaxed);
            // SAFETY: says the caller.
            unsafe { Self::free(block) };
        }
    }

    /// Puts the item with this number into its slot, for the reader.
    ///
    /// # Safety
    ///
    /// The caller alone has claimed the number for writing, and this is its block.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, number: u64, item: T) {
        let slot = (number % SLOTS) as usize;
        self.values[slot].with_mut(|value| {
            // SAFETY: ours until the store below.
            unsafe { (*value).write(item) };
        });
        // ORDERING(slot): Release; pairs with the reader's Acquire in `empty` and `wait`.
        self.full[slot].store(self.usage.load(Ordering::Relaxed), Ordering::Release);
    }

    /// Takes the item with this number, for which it may have to wait.
    ///
    /// # Safety
    ///
    /// The number has been claimed for writing, the caller alone has claimed it for reading, and this is its block.
    #[inline(always)]
    pub(super) unsafe fn empty(&self, number: u64) -> T {
        let slot = (number % SLOTS) as usize;
        let usage = self.usage.load(Ordering::Relaxed);
        // ORDERING(slot): Acquire; pairs with the Release in `fill`.
        if self.full[slot].load(Ordering::Acquire) != usage {
            self.wait(slot, usage);
        }
        // SAFETY: full, and taken by this thread alone.
        let item = self.values[slot].with(|value| unsafe { (*value).assume_init_read() });
        // ORDERING(read): Release; pairs with the Acquire in `is_done`.
        self.read[slot].store(usage, Ordering::Release);
        item
    }

    #[cold]
    fn wait(&self, slot: usize, usage: u8) {
        let mut moment = Moment::default();
        // ORDERING(slot): Acquire; pairs with the Release in `fill`.
        while self.full[slot].load(Ordering::Acquire) != usage {
            moment.wait();
        }
    }

    /// Have all slots been read?
    pub(super) fn is_done(&self) -> bool {
        let usage = self.usage.load(Ordering::Relaxed);
        // ORDERING(read): Acquire; pairs with the Release in `empty`.
        self.read.iter().all(|read| read.load(Ordering::Acquire) == usage)
    }

    /// Makes a block that is done as good as new. To be handed on by a release.
    pub(super) fn renew(&self) {
        self.usage.store(self.usage.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Has the processor fetch the block, or the beginning of a large one, in order to write there. The pointer may be
    /// null, or of a block that is gone.
    #[inline]
    pub(super) fn fetch(block: *mut Self) {
        #[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
        for line in 0..(size_of::<Self>() / 64).min(16) {
            let line = block.cast::<u8>().wrapping_add(64 * line);
            // SAFETY: a hint, which does nothing where there is no memory.
            unsafe {
                std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
            }
        }
        let _ = block;
    }
}
