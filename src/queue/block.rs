//! Memory for items: blocks of slots, and the stock of blocks that nobody uses.
//!
//! A slot is empty, then full, then read. Whoever claimed it for writing fills it, whoever claimed it for reading
//! waits until it is full, reads it, and says so; after that neither touches it again. Both marks are the number of
//! the block's *use*, so a block that is used again is empty without anybody having cleared it. A block is *done*
//! when all of its slots have been read. Only then is it used again, or freed.

#![allow(unsafe_code, reason = "items are moved in and out of shared memory")]

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::pause::Moment;
use crate::prim::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use crate::prim::{Padded, UnsafeCell};

/// How many items a block holds: a power of two.
pub(super) const SLOTS: u64 = if cfg!(loom) { 2 } else { 64 };
const SIZE: usize = SLOTS as usize;

/// Slots for consecutive items.
///
/// Writers and readers mark slots on cache lines of their own.
#[repr(C, align(64))]
pub(super) struct Block<T> {
    full: [AtomicU8; SIZE],
    read: [AtomicU8; SIZE],
    /// The number of this use, modulo 256, which slots are marked with. Changes while nobody uses the block.
    usage: AtomicU8,
    /// On a list of spare blocks: how many there are from here on.
    depth: AtomicUsize,
    /// In the queue, the block for the items after these; on a list of spare blocks, another one.
    pub(super) next: AtomicPtr<Block<T>>,
    values: [UnsafeCell<MaybeUninit<T>>; SIZE],
}

impl<T> Block<T> {
    /// An empty block, for [`free`](Self::free).
    #[cfg(not(loom))]
    fn new() -> NonNull<Self> {
        use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
        let layout = Layout::new::<Self>();
        // SAFETY: not of size zero, as it holds a pointer.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(block) = NonNull::new(memory.cast::<Self>()) else { handle_alloc_error(layout) };
        // SAFETY: zeros are a block; values may be anything.
        unsafe { block.as_ref() }.usage.store(1, Ordering::Relaxed);
        block
    }

    #[cfg(loom)]
    fn new() -> NonNull<Self> {
        let block = Block {
            full: std::array::from_fn(|_| AtomicU8::new(0)),
            read: std::array::from_fn(|_| AtomicU8::new(0)),
            usage: AtomicU8::new(1),
            depth: AtomicUsize::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
            values: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        };
        NonNull::from(Box::leak(Box::new(block)))
    }

    /// Gives the memory back. Items that are still in it leak.
    ///
    /// # Safety
    ///
    /// `block` is from [`new`](Self::new), and nobody will use it any more.
    pub(super) unsafe fn free(block: NonNull<Self>) {
        // SAFETY: allocated by the global allocator with this layout, says the caller.
        drop(unsafe { Box::from_raw(block.as_ptr()) });
    }

    /// Frees the blocks on a list.
    ///
    /// # Safety
    ///
    /// As for [`free`](Self::free), for each of them.
    unsafe fn free_list(mut list: *mut Self) {
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
            // SAFETY: empty, and the reader does not look before the store below.
            unsafe { (*value).write(item) };
        });
        // ORDERING(slot): Release; pairs with the reader's Acquire in `empty`.
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

    fn is_done(&self) -> bool {
        let usage = self.usage.load(Ordering::Relaxed);
        // ORDERING(read): Acquire; pairs with the Release in `empty`.
        self.read.iter().all(|read| read.load(Ordering::Acquire) == usage)
    }

    /// Has the processor fetch the block, or the beginning of a large one, in order to write there.
    #[inline]
    pub(super) fn fetch(block: *mut Self) {
        #[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
        for line in 0..(size_of::<Self>() / 64).min(16) {
            let line = block.cast::<u8>().wrapping_add(64 * line);
            // SAFETY: nothing happens but that a cache line is loaded, if there is one at that address.
            unsafe {
                std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
            }
        }
        let _ = block;
    }
}

/// Blocks that nobody uses.
///
/// Those who read leave blocks behind, and those who write take them. So that they do not pull at one cache line for
/// every block, the former collect some (`left`) before they put them all on the `shelf`, and the latter take all
/// that lie there at once. What they have taken, the tail keeps.
pub(super) struct Stock<T> {
    left: Padded<AtomicPtr<Block<T>>>,
    shelf: Padded<AtomicPtr<Block<T>>>,
    /// About how many lie on the shelf.
    count: AtomicUsize,
    /// Left behind while somebody still read in them.
    late: AtomicPtr<Block<T>>,
}

impl<T> Stock<T> {
    const KEPT_BYTES: usize = 1 << 20;
    /// How many spare blocks may lie on the shelf.
    const KEPT: usize = if cfg!(loom) {
        2
    } else {
        let fit = Self::KEPT_BYTES / size_of::<Block<T>>();
        if fit < 4 { 4 } else { fit }
    };
    /// How many are collected before they are put there.
    const COLLECTED: usize = if cfg!(loom) {
        1
    } else if Self::KEPT < 32 {
        Self::KEPT / 4
    } else {
        8
    };

    crate::prim::const_fn! {
        pub(super) fn new() -> Self {
            Stock {
                left: Padded(AtomicPtr::new(ptr::null_mut())),
                shelf: Padded(AtomicPtr::new(ptr::null_mut())),
                count: AtomicUsize::new(0),
                late: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// A list of empty blocks: all that lie on the shelf, or a new one.
    pub(super) fn take(&self) -> NonNull<Block<T>> {
        if !self.shelf.load(Ordering::Relaxed).is_null() {
            // ORDERING(spare): Acquire; pairs with the Release in `put`.
            let list = self.shelf.swap(ptr::null_mut(), Ordering::Acquire);
            self.count.store(0, Ordering::Relaxed);
            if let Some(list) = NonNull::new(list) {
                return list;
            }
        }
        Block::new()
    }

    /// Puts a list of empty blocks on the shelf.
    pub(super) fn put(&self, list: NonNull<Block<T>>) {
        // SAFETY: the list is the caller's, so nobody frees its blocks.
        let count = unsafe { list.as_ref() }.depth.load(Ordering::Relaxed).max(1);
        self.count.fetch_add(count, Ordering::Relaxed);
        push(&self.shelf, list);
    }

    /// Takes in a block that the queue has left behind: every one of its slots has been claimed for reading.
    ///
    /// # Safety
    ///
    /// Nobody but those readers uses the block any more.
    pub(super) unsafe fn retire(&self, block: NonNull<Block<T>>) {
        // SAFETY: says the caller.
        unsafe { self.settle(block) };
        if !self.late.load(Ordering::Relaxed).is_null() {
            self.settle_late();
        }
    }

    /// Keeps or frees a block if it is done, else puts it to those that are late.
    ///
    /// # Safety
    ///
    /// As for [`retire`](Self::retire).
    unsafe fn settle(&self, block: NonNull<Block<T>>) {
        // SAFETY: alive: only this thread could free it.
        let this = unsafe { block.as_ref() };
        if !this.is_done() {
            this.next.store(ptr::null_mut(), Ordering::Relaxed);
            return push(&self.late, block);
        }
        if self.count.load(Ordering::Relaxed) >= Self::KEPT {
            // SAFETY: done, so its readers have left it too.
            return unsafe { Block::free(block) };
        }
        this.usage.store(this.usage.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        // ORDERING(spare): Acquire and Release; each hands the list on to the next.
        let others = self.left.swap(ptr::null_mut(), Ordering::Acquire);
        this.next.store(others, Ordering::Relaxed);
        // SAFETY: on a list that is ours.
        let depth = 1 + unsafe { others.as_ref() }.map_or(0, |other| other.depth.load(Ordering::Relaxed));
        this.depth.store(depth, Ordering::Relaxed);
        let null = ptr::null_mut();
        if depth >= Self::COLLECTED
            || self.left.compare_exchange(null, block.as_ptr(), Ordering::Release, Ordering::Relaxed).is_err()
        {
            self.put(block);
        }
    }

    #[cold]
    fn settle_late(&self) {
        // ORDERING(spare): Acquire; pairs with the Release in `push`.
        let mut late = self.late.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(block) = NonNull::new(late) {
            // SAFETY: it was on the list, which is ours now.
            late = unsafe { block.as_ref() }.next.load(Ordering::Relaxed);
            // SAFETY: it was retired, and has been waiting for its readers since.
            unsafe { self.settle(block) };
        }
    }
}

/// Puts a list in front of another.
fn push<T>(stack: &AtomicPtr<Block<T>>, list: NonNull<Block<T>>) {
    let mut last = list;
    // SAFETY: the list is the caller's until it is on the stack.
    while let Some(next) = NonNull::new(unsafe { last.as_ref() }.next.load(Ordering::Relaxed)) {
        last = next;
    }
    let mut top = stack.load(Ordering::Relaxed);
    loop {
        // SAFETY: as above.
        unsafe { last.as_ref() }.next.store(top, Ordering::Relaxed);
        // ORDERING(spare): Release; pairs with the Acquire where lists are taken.
        match stack.compare_exchange(top, list.as_ptr(), Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => top = now,
        }
    }
}

impl<T> Drop for Stock<T> {
    fn drop(&mut self) {
        for list in [&*self.left, &*self.shelf, &self.late] {
            // SAFETY: nobody uses these, and nobody else can see them any more.
            unsafe { Block::free_list(list.load(Ordering::Acquire)) };
        }
    }
}
