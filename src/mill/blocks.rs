//! Memory for small spawned jobs, which are often made on one thread and freed on another.
//!
//! A general allocator pays a lock or two for that. Here each thread keeps free blocks in up to two
//! *magazines* of a fixed number, and only whole magazines travel, through a common depot. Blocks are cut a
//! magazine at a time from what the system gives, and are kept for the next jobs: what this holds is what
//! the most jobs took that ever waited at a time.
//!
//! Source: Jeff Bonwick, Jonathan Adams, "Magazines and vmem" (2001).

#![allow(unsafe_code, reason = "an allocator")]

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The sizes of blocks, in words: a job's three, and a closure of up to one, or of up to five; a task with its future's
/// cell, and a small closure and result, or larger ones.
const WORDS: [usize; 4] = [4, 8, 12, 16];
/// Blocks in a full magazine.
const FULL: usize = 128;

/// A free block.
struct Block {
    next: *mut Block,
}

/// Free blocks, linked.
#[derive(Clone, Copy)]
struct Magazine {
    first: *mut Block,
    blocks: usize,
}

// SAFETY: it owns its blocks.
unsafe impl Send for Magazine {}

const EMPTY: Magazine = Magazine { first: ptr::null_mut(), blocks: 0 };

impl Magazine {
    #[inline]
    fn push(&mut self, block: *mut Block) {
        // SAFETY: the block is free, and large enough.
        unsafe { block.write(Block { next: self.first }) };
        self.first = block;
        self.blocks += 1;
    }

    /// The magazine is not empty.
    #[inline]
    fn pop(&mut self) -> *mut Block {
        debug_assert!(self.blocks > 0);
        let block = self.first;
        // SAFETY: blocks in a magazine were written by `push`.
        self.first = unsafe { (*block).next };
        self.blocks -= 1;
        block
    }

    /// A full one, fresh from the system.
    fn cut(class: usize) -> Self {
        let words = WORDS[class];
        let Ok(layout) = Layout::array::<usize>(words * FULL) else { unreachable!("a few kilobytes") };
        // SAFETY: the layout is not empty.
        let slab = unsafe { alloc(layout) }.cast::<usize>();
        if slab.is_null() {
            handle_alloc_error(layout);
        }
        let mut magazine = EMPTY;
        for number in (0..FULL).rev() {
            // SAFETY: the slab has so many blocks.
            magazine.push(unsafe { slab.add(number * words) }.cast());
        }
        magazine
    }
}

static DEPOTS: [Mutex<Vec<Magazine>>; WORDS.len()] = [const { Mutex::new(Vec::new()) }; WORDS.len()];

fn depot(class: usize) -> MutexGuard<'static, Vec<Magazine>> {
    DEPOTS[class].lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's magazines of one size: one in use, and a full one or none.
struct Cache {
    class: usize,
    loaded: Cell<Magazine>,
    spare: Cell<Magazine>,
}

thread_local! {
    static CACHES: [Cache; WORDS.len()] = const { [Cache::new(0), Cache::new(1), Cache::new(2), Cache::new(3)] };
}

impl Cache {
    const fn new(class: usize) -> Self {
        Cache { class, loaded: Cell::new(EMPTY), spare: Cell::new(EMPTY) }
    }

    #[inline]
    fn take(&self) -> *mut Block {
        let mut loaded = self.loaded.get();
        if loaded.blocks == 0 {
            loaded = self.refill();
        }
        let block = loaded.pop();
        self.loaded.set(loaded);
        block
    }

    #[cold]
    fn refill(&self) -> Magazine {
        let spare = self.spare.replace(EMPTY);
        if spare.blocks > 0 {
            return spare;
        }
        let kept = depot(self.class).pop();
        kept.unwrap_or_else(|| Magazine::cut(self.class))
    }

    #[inline]
    fn give(&self, block: *mut Block) {
        let mut loaded = self.loaded.get();
        loaded.push(block);
        if loaded.blocks == FULL {
            self.put_by(loaded);
            loaded = EMPTY;
        }
        self.loaded.set(loaded);
    }

    #[cold]
    fn put_by(&self, full: Magazine) {
        let before = self.spare.replace(full);
        if before.blocks > 0 {
            depot(self.class).push(before);
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let left = [self.loaded.get(), self.spare.get()];
        depot(self.class).extend(left.into_iter().filter(|magazine| magazine.blocks > 0));
    }
}

/// Runs `f` on the calling thread's cache; in a thread that is ending, and has none any more, on one for this call.
#[inline]
fn with_cache<R>(class: usize, f: impl Fn(&Cache) -> R) -> R {
    CACHES.try_with(|caches| f(&caches[class])).unwrap_or_else(|_| f(&Cache::new(class)))
}

/// Which blocks values of this type go into, if they fit any.
const fn class<T>() -> Option<usize> {
    let words = size_of::<T>().div_ceil(size_of::<usize>());
    if align_of::<T>() > align_of::<usize>() {
        return None;
    }
    let mut class = 0;
    while class < WORDS.len() {
        if words <= WORDS[class] {
            return Some(class);
        }
        class += 1;
    }
    None
}

/// Moves `value` into memory of its own, to be freed by [`take`].
#[inline]
pub(crate) fn put<T>(value: T) -> *mut T {
    let Some(class) = (const { class::<T>() }) else { return Box::into_raw(Box::new(value)) };
    let place = with_cache(class, Cache::take).cast::<T>();
    // SAFETY: a free block that `value` fits into.
    unsafe { place.write(value) };
    place
}

/// Takes a value out of its memory, and frees that.
///
/// # Safety
///
/// `place` came from [`put`] with this type, and is not used again.
#[inline]
pub(crate) unsafe fn take<T>(place: *mut T) -> T {
    let Some(class) = (const { class::<T>() }) else {
        // SAFETY: then `put` made a box.
        return *unsafe { Box::from_raw(place) };
    };
    // SAFETY: `put` wrote it, and nobody takes it again, says the caller.
    let value = unsafe { place.read() };
    with_cache(class, |cache| cache.give(place.cast()));
    value
}

/// Frees the memory of a value that has been taken out of it, or dropped there.
///
/// # Safety
///
/// `place` came from [`put`] with this type, and is not used again.
#[inline]
pub(crate) unsafe fn give_back<T>(place: *mut T) {
    match const { class::<T>() } {
        Some(class) => with_cache(class, |cache| cache.give(place.cast())),
        // SAFETY: then `put` made a box; of its value nothing is left to drop.
        None => drop(unsafe { Box::from_raw(place.cast::<std::mem::ManuallyDrop<T>>()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::{put, take};

    #[test]
    fn values_survive_the_trip_between_threads_whatever_their_size() {
        struct At<T>(*mut T);
        // SAFETY: the pointer stands for its value.
        unsafe impl<T: Send> Send for At<T> {}
        let (small, large) = std::sync::mpsc::sync_channel(1);
        let sender = std::thread::spawn(move || {
            for i in 0..10_000_u64 {
                small.send((At(put([i; 8])), At(put([i; 17])), At(put(Box::new(i))))).unwrap();
            }
        });
        for (i, (fits, does_not, boxed)) in large.iter().enumerate() {
            // SAFETY: each came from `put`, with this type.
            assert_eq!(unsafe { take(fits.0) }, [i as u64; 8]);
            // SAFETY: as above.
            assert_eq!(unsafe { take(does_not.0) }, [i as u64; 17]);
            // SAFETY: as above.
            assert_eq!(*unsafe { take(boxed.0) }, i as u64);
        }
        sender.join().unwrap();
    }
}
