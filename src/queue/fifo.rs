//! First in, first out: items in blocks, any number of threads at both ends, no lock.
//!
//! Items are numbered. The *tail* word holds the number of the next item to be put, the *head* word that of the next to
//! be taken, each beside the block that the number before lies in. Whoever moves a word on, with a compare-and-swap,
//! has claimed the slots of the numbers in between; what follows (filling them, reading them) concerns nobody else.
//! Only claimed slots are touched, so a block can be given away as soon as those who claimed its slots are done.
//!
//! Whoever claims the first number of a block brings the block: it sets `INSTALLING` with its claim, links the block,
//! and takes the bit back. At the head, whoever claims the first number of a block sets `CROSSING`, moves on to the
//! block, takes the bit back, and retires the block before. At either end the others wait for those few steps. While a
//! block is being installed, its first item does not count as there.
//!
//! # Each end leaves the other alone
//!
//! The head keeps `known`: below that number there are items. The tail keeps `limit`: below that number there is room.
//! Both are lower bounds of what is true, so they may be old. Only when they are used up does one end look at the
//! other's cache line, and then it learns of all that has happened since.
//!
//! # No sleeper is forgotten
//!
//! A claim is the change that sleepers wait for: a sequentially consistent fence follows it, and after that comes the
//! look at who sleeps. A sleeper announces itself, then has a fence, then looks at the words. So it sees the claim, or
//! the claimer sees it.
//!
//! # How free of locks
//!
//! A thread that is stopped between its claim and its fill holds up the reader of that one item, and with it those who
//! read later ones only as far as they want that item; it holds up nobody who puts. A thread that is stopped within
//! the few instructions of an installing or crossing, once in 64 items, holds up its end. Waiters yield, and then nap.
//!
//! (Lineage: the unbounded queues of Folly and crossbeam, and Lamport's and Vyukov's rings for the bounds that each end
//! keeps of the other.)

#![allow(unsafe_code, reason = "slots are reached by a pointer to their block")]

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::block::{Block, SLOTS};
use super::keep::{Keep, NoItem, NoRoom};
use super::pause::{Contention, Moment};
use super::stock::Stock;
use super::words::{HeadWord, TailWord};
use crate::prim::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use crate::prim::{Padded, const_fn, fence_after_update};

struct Tail<T> {
    word: AtomicU64,
    /// The block of the last item, null before the first.
    block: AtomicPtr<Block<T>>,
    /// Below this number there is room.
    limit: AtomicU64,
    /// A list of empty blocks. Belongs to whoever is installing.
    ready: AtomicPtr<Block<T>>,
}

struct Head<T> {
    word: AtomicU64,
    /// The block of the last item that was taken, null before the first.
    block: AtomicPtr<Block<T>>,
    /// Below this number there are items.
    known: AtomicU64,
}

/// What is seldom written.
struct Rest<T> {
    /// The very first block, for the first reader.
    first: AtomicPtr<Block<T>>,
    /// For how many items there is room; zero for any number.
    maxsize: AtomicUsize,
    stock: Stock<T>,
}

/// Slots that were claimed: those of `count` numbers from `number` on, in one block.
struct Claim<T> {
    block: NonNull<Block<T>>,
    number: u64,
    count: u64,
}

/// First in, first out, without a lock: what a [`Queue`](super::Queue) and a [`SimpleQueue`](super::SimpleQueue) keep
/// their items in.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Fifo, Queue, TrackedQueue};
///
/// let queue: TrackedQueue<char, Fifo<char>> = Queue::new(2); // that is what a `Queue` is
/// queue.put('a')?;
/// queue.put('b')?;
/// assert_eq!((queue.get()?, queue.get()?), ('a', 'b'));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Fifo<T> {
    tail: Padded<Tail<T>>,
    head: Padded<Head<T>>,
    rest: Padded<Rest<T>>,
    items: PhantomData<*mut T>,
}

// SAFETY: an item is moved in by one thread and out by another, which is what `T: Send` allows; no reference to an item
// in the queue is ever made.
unsafe impl<T: Send> Send for Fifo<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Fifo<T> {}

impl<T> Fifo<T> {
    const_fn! {
        pub(super) fn new(maxsize: usize) -> Self {
            Fifo {
                tail: Padded(Tail {
                    word: AtomicU64::new(0),
                    block: AtomicPtr::new(ptr::null_mut()),
                    limit: AtomicU64::new(if maxsize == 0 { u64::MAX } else { maxsize as u64 }),
                    ready: AtomicPtr::new(ptr::null_mut()),
                }),
                head: Padded(Head {
                    word: AtomicU64::new(0),
                    block: AtomicPtr::new(ptr::null_mut()),
                    known: AtomicU64::new(0),
                }),
                rest: Padded(Rest {
                    first: AtomicPtr::new(ptr::null_mut()),
                    maxsize: AtomicUsize::new(maxsize),
                    stock: Stock::new(),
                }),
                items: PhantomData,
            }
        }
    }

    /// Claims up to `most` slots for writing, at least one.
    #[inline(always)]
    fn claim_tail(&self, most: u64) -> Result<Claim<T>, NoRoom> {
        let mut contention = Contention::default();
        loop {
            // ORDERING(tail): Acquire; pairs with the Release in `install`.
            let word = TailWord(self.tail.word.load(Ordering::Acquire));
            let number = word.number();
            let is_plain = word.is_plain() && number % SLOTS != 0;
            if !is_plain || (number >= self.tail.limit.load(Ordering::Relaxed) && !self.raise_limit(number)) {
                match self.claim_tail_slowly(word, &mut contention) {
                    Ok(None) => continue,
                    Ok(Some(claim)) => return Ok(claim),
                    Err(why) => return Err(why),
                }
            }
            // ORDERING(tail-block): Acquire; pairs with the Release in `install`. If this is a later block than that
            // of `number`, then the word has been changed, and the claim fails.
            let block = self.tail.block.load(Ordering::Acquire);
            let count = if most == 1 {
                1
            } else {
                let room = self.tail.limit.load(Ordering::Relaxed).saturating_sub(number);
                most.min(SLOTS - number % SLOTS).min(room).max(1)
            };
            if self.move_tail(word, count * TailWord::ONE) {
                // SAFETY: after the first number of a block, there is one.
                let block = unsafe { NonNull::new_unchecked(block) };
                return Ok(Claim { block, number, count });
            }
            contention.lost();
        }
    }

    #[inline(always)]
    fn move_tail(&self, from: TailWord, by: u64) -> bool {
        // ORDERING(tail): Release, so that who sees a number sees the blocks of those before it; Acquire for the same.
        let moved = self.tail.word.compare_exchange(from.0, from.0 + by, Ordering::AcqRel, Ordering::Relaxed);
        if moved.is_ok() {
            fence_after_update();
        }
        moved.is_ok()
    }

    /// What `claim_tail` seldom has to do. `None` to look again.
    #[cold]
    fn claim_tail_slowly(
        &self,
        word: TailWord,
        contention: &mut Contention,
    ) -> Result<Option<Claim<T>>, NoRoom> {
        if word.is_closed() {
            return Err(NoRoom::Closed);
        }
        if word.is_installing() {
            let mut moment = Moment::default();
            while TailWord(self.tail.word.load(Ordering::Relaxed)).is_installing() {
                moment.wait();
            }
            return Ok(None);
        }
        let number = word.number();
        if number >= self.tail.limit.load(Ordering::Relaxed) && !self.raise_limit(number) {
            return Err(NoRoom::Full);
        }
        if number % SLOTS != 0 {
            return Ok(None);
        }
        // Not while installing, if that can be helped: it may take long.
        let is_out = self.tail.ready.load(Ordering::Relaxed).is_null();
        let fresh = is_out.then(|| self.rest.stock.take());
        if !self.move_tail(word, TailWord::ONE + TailWord::INSTALLING) {
            if let Some(fresh) = fresh {
                // SAFETY: taken above.
                unsafe { self.rest.stock.put(fresh) };
            }
            contention.lost();
            return Ok(None);
        }
        let block = self.install(fresh);
        Block::fetch(self.tail.ready.load(Ordering::Relaxed));
        Ok(Some(Claim { block, number, count: 1 }))
    }

    /// Links the block of the number that the caller has just claimed: the next of those that are ready or `fresh`.
    fn install(&self, fresh: Option<NonNull<Block<T>>>) -> NonNull<Block<T>> {
        let ready = NonNull::new(self.tail.ready.load(Ordering::Relaxed));
        if let (Some(_), Some(fresh)) = (ready, fresh) {
            // SAFETY: the caller took it from there.
            unsafe { self.rest.stock.put(fresh) };
        }
        let block = ready.or(fresh).unwrap_or_else(|| self.rest.stock.take());
        // SAFETY: ours, as nobody else is installing, or as it was taken from the stock.
        let this = unsafe { block.as_ref() };
        self.tail.ready.store(this.next.load(Ordering::Relaxed), Ordering::Relaxed);
        this.next.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: null, or the block before, which is not retired before the head has gone on to this one.
        let link = unsafe { self.tail.block.load(Ordering::Relaxed).as_ref() }
            .map_or(&self.rest.first, |before| &before.next);
        link.store(block.as_ptr(), Ordering::Relaxed);
        // ORDERING(tail-block): Release; pairs with the Acquire in `claim_tail`.
        self.tail.block.store(block.as_ptr(), Ordering::Release);
        // ORDERING(tail): Release; pairs with the Acquire loads of the word: the block is there, and linked.
        self.tail.word.fetch_sub(TailWord::INSTALLING, Ordering::AcqRel);
        fence_after_update();
        block
    }

    /// Looks how much room there is now: enough for this number?
    fn raise_limit(&self, number: u64) -> bool {
        loop {
            let maxsize = self.rest.maxsize.load(Ordering::Relaxed);
            // ORDERING(head): Acquire; pairs with the Release of those who claim.
            let taken = HeadWord(self.head.word.load(Ordering::Acquire)).number();
            let limit = if maxsize == 0 { u64::MAX } else { taken.saturating_add(maxsize as u64) };
            // Maybe this puts an older look in place of a newer one, which does no harm.
            self.tail.limit.swap(limit, Ordering::AcqRel);
            fence_after_update();
            // ORDERING(maxsize): the fence above pairs with that in `set_maxsize`.
            if self.rest.maxsize.load(Ordering::Relaxed) == maxsize {
                return number < limit;
            }
            self.tail.limit.store(0, Ordering::Relaxed);
        }
    }

    /// Claims up to `most` slots for reading, at least one.
    #[inline(always)]
    fn claim_head(&self, most: u64) -> Result<Claim<T>, NoItem> {
        let mut contention = Contention::default();
        loop {
            // ORDERING(head): Acquire; pairs with the Release in `cross`.
            let word = HeadWord(self.head.word.load(Ordering::Acquire));
            let number = word.number();
            // ORDERING(known): Acquire; pairs with the Release in `learn`.
            let mut known = self.head.known.load(Ordering::Acquire);
            if number >= known {
                known = self.learn(number)?;
            }
            if word.is_crossing() || number % SLOTS == 0 {
                match self.claim_head_slowly(word, &mut contention) {
                    None => continue,
                    Some(claim) => return Ok(claim),
                }
            }
            // ORDERING(head-block): Acquire; pairs with the Release in `cross`. If this is a later block than that of
            // `number`, then the word has been changed, and the claim fails.
            let block = self.head.block.load(Ordering::Acquire);
            let count = if most == 1 { 1 } else { most.min(SLOTS - number % SLOTS).min(known - number) };
            if self.move_head(word, count * HeadWord::ONE) {
                // SAFETY: after the first number of a block, there is one.
                let block = unsafe { NonNull::new_unchecked(block) };
                return Ok(Claim { block, number, count });
            }
            contention.lost();
        }
    }

    #[inline(always)]
    fn move_head(&self, from: HeadWord, by: u64) -> bool {
        // ORDERING(head): Release; pairs with the Acquire loads of the word: items below it had been put.
        let moved = self.head.word.compare_exchange(from.0, from.0 + by, Ordering::AcqRel, Ordering::Relaxed);
        if moved.is_ok() {
            fence_after_update();
        }
        moved.is_ok()
    }

    /// What `claim_head` seldom has to do. `None` to look again.
    #[cold]
    fn claim_head_slowly(&self, word: HeadWord, contention: &mut Contention) -> Option<Claim<T>> {
        if word.is_crossing() {
            let mut moment = Moment::default();
            while HeadWord(self.head.word.load(Ordering::Relaxed)).is_crossing() {
                moment.wait();
            }
            return None;
        }
        if !self.move_head(word, HeadWord::ONE + HeadWord::CROSSING) {
            contention.lost();
            return None;
        }
        Some(Claim { block: self.cross(word.number()), number: word.number(), count: 1 })
    }

    /// Looks whether there is an item with this number, and how many there are.
    #[inline(always)]
    fn learn(&self, number: u64) -> Result<u64, NoItem> {
        // ORDERING(tail): Acquire; pairs with the Release in `install` and of those who claim.
        let tail = TailWord(self.tail.word.load(Ordering::Acquire));
        if number < tail.settled() {
            // ORDERING(known): Release; pairs with the Acquire in `claim_head`: the blocks are there.
            self.head.known.store(tail.settled(), Ordering::Release);
            Ok(tail.settled())
        } else if tail.is_closed() {
            self.learn_last(number)
        } else {
            Err(NoItem::Empty)
        }
    }

    #[cold]
    fn learn_last(&self, number: u64) -> Result<u64, NoItem> {
        let mut moment = Moment::default();
        loop {
            let tail = TailWord(self.tail.word.load(Ordering::Acquire));
            if !tail.is_installing() {
                // Nothing changes the word any more.
                self.head.known.store(tail.number(), Ordering::Release);
                return if number < tail.number() { Ok(tail.number()) } else { Err(NoItem::Closed) };
            }
            // An item that was claimed before the end.
            moment.wait();
        }
    }

    /// Goes on to the block of the number that the caller has just claimed.
    fn cross(&self, number: u64) -> NonNull<Block<T>> {
        let before = NonNull::new(self.head.block.load(Ordering::Relaxed));
        // SAFETY: not retired yet: that is what we do below.
        let link = before.map_or(&self.rest.first, |before| &unsafe { before.as_ref() }.next);
        // SAFETY: `number` was below `known`, so its block had been installed.
        let block = unsafe { NonNull::new_unchecked(link.load(Ordering::Relaxed)) };
        // ORDERING(head-block): Release; pairs with the Acquire in `claim_head`.
        self.head.block.store(block.as_ptr(), Ordering::Release);
        // ORDERING(head): Release; pairs with the Acquire loads of the word.
        self.head.word.store((number + 1) * HeadWord::ONE, Ordering::Release);
        if number + SLOTS < self.head.known.load(Ordering::Relaxed) {
            // SAFETY: not retired before the slot that the caller claimed has been read.
            Block::fetch(unsafe { block.as_ref() }.next.load(Ordering::Relaxed));
        }
        if let Some(before) = before {
            // SAFETY: all its numbers have been claimed at both ends, and neither end points to it any more.
            unsafe { self.rest.stock.retire(before) };
        }
        block
    }

    /// About how many more items the head knows of.
    fn ahead(&self) -> u64 {
        let known = self.head.known.load(Ordering::Relaxed);
        known.saturating_sub(HeadWord(self.head.word.load(Ordering::Relaxed)).number())
    }

    /// About how many more items the tail has room for.
    fn room(&self) -> u64 {
        let limit = self.tail.limit.load(Ordering::Relaxed);
        limit.saturating_sub(TailWord(self.tail.word.load(Ordering::Relaxed)).number())
    }
}

impl<T> std::fmt::Debug for Fifo<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fifo")
            .field("len", &self.len())
            .field("maxsize", &self.maxsize())
            .finish_non_exhaustive()
    }
}

impl<T> Keep<T> for Fifo<T> {
    #[inline]
    fn put(&self, item: T) -> Result<(), (T, NoRoom)> {
        match self.claim_tail(1) {
            Ok(claim) => {
                // SAFETY: claimed, so not retired before the slot has been read.
                let block = unsafe { claim.block.as_ref() };
                // SAFETY: claimed.
                unsafe { block.fill(claim.number, item) };
                Ok(())
            }
            Err(why) => Err((item, why)),
        }
    }

    fn put_some(&self, items: &mut VecDeque<T>) -> Result<usize, NoRoom> {
        let claim = self.claim_tail(items.len() as u64)?;
        // SAFETY: as in `put`.
        let block = unsafe { claim.block.as_ref() };
        // There are as many items as were claimed for, and moving them cannot panic.
        for (number, item) in (claim.number..).zip(items.drain(..claim.count as usize)) {
            // SAFETY: claimed.
            unsafe { block.fill(number, item) };
        }
        Ok(claim.count as usize)
    }

    #[inline]
    fn take(&self) -> Result<T, NoItem> {
        let claim = self.claim_head(1)?;
        // SAFETY: claimed, so not retired before the slot has been read.
        let block = unsafe { claim.block.as_ref() };
        // SAFETY: claimed; the number is below `known`, so it has been claimed for writing.
        Ok(unsafe { block.empty(claim.number) })
    }

    fn take_some(&self, most: usize, into: &mut Vec<T>) -> Result<(), NoItem> {
        into.reserve(most.min(SLOTS as usize));
        let claim = self.claim_head(most as u64)?;
        // SAFETY: as in `take`.
        let block = unsafe { claim.block.as_ref() };
        for number in claim.number..claim.number + claim.count {
            // There is space for it, so this cannot panic.
            // SAFETY: as in `take`.
            into.push(unsafe { block.empty(number) });
        }
        Ok(())
    }

    fn close(&self) {
        // ORDERING(tail): AcqRel, as those who claim.
        self.tail.word.fetch_or(TailWord::CLOSED, Ordering::AcqRel);
        fence_after_update();
    }

    fn is_closed(&self) -> bool {
        TailWord(self.tail.word.load(Ordering::Acquire)).is_closed()
    }

    fn puts(&self) -> u64 {
        TailWord(self.tail.word.load(Ordering::Acquire)).number()
    }

    fn len(&self) -> usize {
        let taken = HeadWord(self.head.word.load(Ordering::Acquire)).number();
        usize::try_from(self.puts().saturating_sub(taken)).unwrap_or(usize::MAX)
    }

    fn maxsize(&self) -> usize {
        self.rest.maxsize.load(Ordering::Relaxed)
    }

    fn set_maxsize(&self, maxsize: usize) {
        self.rest.maxsize.store(maxsize, Ordering::Relaxed);
        // ORDERING(maxsize): pairs with the fence in `raise_limit`, which sees the new size, or has its limit undone.
        fence(Ordering::SeqCst);
        self.tail.limit.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn found(&self) -> u64 {
        1 + self.ahead()
    }

    fn found_room(&self) -> u64 {
        1 + self.room()
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        /// Goes on when the drop of an item panics.
        struct Remains<'a, T>(&'a Fifo<T>);
        impl<T> Drop for Remains<'_, T> {
            fn drop(&mut self) {
                while self.0.take().is_ok() {}
                // SAFETY: with no item left, this is the only block of the queue, and nobody else sees the queue.
                unsafe { Block::free_list(self.0.head.block.load(Ordering::Relaxed)) };
                // SAFETY: these are not in the queue.
                unsafe { Block::free_list(self.0.tail.ready.load(Ordering::Relaxed)) };
            }
        }
        let remains = Remains(self);
        while remains.0.take().is_ok() {}
    }
}
