//! Blocks that nobody uses.
//!
//! Those who read leave blocks behind, and those who write take them. So that they do not pull at one cache line for
//! every block, the former collect some (`left`) before they put them all on the `shelf`, and the latter take all that
//! lie there at once; what they have taken, the queue's tail keeps. Lists are only ever taken whole, so no block can
//! come back to a list under the hands of somebody who is about to take it off.

#![allow(unsafe_code, reason = "lists of blocks by pointers")]

use std::ptr::{self, NonNull};

use super::block::Block;
use crate::prim::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::prim::{Padded, const_fn};

/// See the module.
pub(super) struct Stock<T> {
    left: Padded<AtomicPtr<Block<T>>>,
    shelf: Padded<AtomicPtr<Block<T>>>,
    /// About how many lie on the shelf.
    count: AtomicUsize,
    /// Left behind while somebody still read in them.
    late: AtomicPtr<Block<T>>,
}

impl<T> Stock<T> {
    /// So many spare blocks may lie on the shelf: what fits into four megabytes.
    const KEPT: usize = {
        let fit = (4 << 20) / size_of::<Block<T>>();
        if cfg!(loom) || fit < 2 { 2 } else { fit }
    };
    /// So many are collected before they are put there.
    const COLLECTED: usize = if cfg!(loom) {
        2
    } else if Self::KEPT < 32 {
        1
    } else {
        8
    };

    const_fn! {
        pub(super) fn new() -> Self {
            Stock {
                left: Padded(AtomicPtr::new(ptr::null_mut())),
                shelf: Padded(AtomicPtr::new(ptr::null_mut())),
                count: AtomicUsize::new(0),
                late: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// A list of empty blocks: all that lie on the shelf, or one new one.
    pub(super) fn take(&self) -> NonNull<Block<T>> {
        if !self.shelf.load(Ordering::Relaxed).is_null() {
            // ORDERING(spare): Acquire; pairs with the Release in `push`.
            let list = self.shelf.swap(ptr::null_mut(), Ordering::Acquire);
            self.count.store(0, Ordering::Relaxed);
            if let Some(list) = NonNull::new(list) {
                return list;
            }
        }
        Block::new()
    }

    /// Puts a list of empty blocks on the shelf.
    ///
    /// # Safety
    ///
    /// The list is the caller's.
    pub(super) unsafe fn put(&self, list: NonNull<Block<T>>) {
        // SAFETY: the caller's.
        let count = unsafe { list.as_ref() }.depth.load(Ordering::Relaxed);
        self.count.fetch_add(count, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { push(&self.shelf, list) };
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
        // SAFETY: alive: nobody but this thread could free it.
        let this = unsafe { block.as_ref() };
        this.next.store(ptr::null_mut(), Ordering::Relaxed);
        this.depth.store(1, Ordering::Relaxed);
        if !this.is_done() {
            // SAFETY: its links are nobody else's.
            return unsafe { push(&self.late, block) };
        }
        if self.count.load(Ordering::Relaxed) >= Self::KEPT {
            // SAFETY: done, so its readers have left it too.
            return unsafe { Block::free(block) };
        }
        this.renew();
        // ORDERING(left): Acquire; pairs with the Release below: the list comes from whoever added to it last.
        let others = self.left.swap(ptr::null_mut(), Ordering::Acquire);
        this.next.store(others, Ordering::Relaxed);
        // SAFETY: the list is ours now.
        if let Some(others) = unsafe { others.as_ref() } {
            this.depth.store(1 + others.depth.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let is_enough = this.depth.load(Ordering::Relaxed) >= Self::COLLECTED;
        // ORDERING(left): Release; pairs with the Acquire above.
        let leave = |list| {
            self.left.compare_exchange(ptr::null_mut(), list, Ordering::Release, Ordering::Relaxed).is_ok()
        };
        if is_enough || !leave(block.as_ptr()) {
            // SAFETY: still ours.
            unsafe { self.put(block) };
        }
    }

    #[cold]
    fn settle_late(&self) {
        // ORDERING(spare): Acquire; pairs with the Release in `push`.
        let mut late = self.late.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(block) = NonNull::new(late) {
            // SAFETY: the list is ours now, and what is on it has not been freed.
            late = unsafe { block.as_ref() }.next.load(Ordering::Relaxed);
            // SAFETY: it was retired, and has been waiting for its readers since.
            unsafe { self.settle(block) };
        }
    }
}

/// Puts a list in front of another.
///
/// # Safety
///
/// `list` is the caller's.
unsafe fn push<T>(stack: &AtomicPtr<Block<T>>, list: NonNull<Block<T>>) {
    let mut last = list;
    // SAFETY: the caller's until it is on the stack.
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
            // SAFETY: nobody else can see these lists any more, and nobody reads in their blocks.
            unsafe { Block::free_list(list.load(Ordering::Acquire)) };
        }
    }
}
