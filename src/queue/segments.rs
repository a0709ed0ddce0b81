//! The queue itself: items in blocks, any number of threads at both ends, no lock.
//!
//! Items are numbered. The *tail* word holds the number of the next item to be put, the *head* word that of the next
//! to be taken, each beside the block that the last number lies in. Whoever moves a word on by one, with a
//! compare-and-swap, has claimed the slot of that number; what follows (filling it, reading it) concerns nobody else.
//! Only claimed slots are touched, so a block can be given away as soon as those who claimed its slots are done.
//!
//! Whoever claims the first number of a block brings the block: it sets `INSTALLING` with its claim, links the block,
//! and takes the bit back. At the head, whoever claims the first number of a block sets `CROSSING`, moves on to the
//! block, takes the bit back, and retires the block before. At either end the others wait for those few steps.
//! While a block is being installed its first item does not count as there.
//!
//! # Each end leaves the other alone
//!
//! The head keeps `known`: items below that number have been put. The tail keeps `limit`: below that number there is
//! room. Both are lower bounds of what is true, so they may be old. Only when they are used up does one end look at
//! the other's cache line, and then it learns of all that has happened since.
//!
//! # No sleeper is forgotten
//!
//! Claiming is what counts: a fence follows it, and after that comes the look at who sleeps. A sleeper announces
//! itself, then has a fence, then looks at the words. So it sees the claim, or the claimer sees it.

#![allow(unsafe_code, reason = "slots are reached by a pointer to their block")]

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::block::{Block, SLOTS, Stock};
use super::pause::{Contention, Moment};
use crate::prim::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use crate::prim::{Padded, fence_after_update};

/// The tail word: a number and two bits.
#[derive(Debug, Clone, Copy)]
struct TailWord(u64);

impl TailWord {
    const INSTALLING: u64 = 1;
    const CLOSED: u64 = 2;
    const ONE: u64 = 4;

    /// The number of the next item.
    fn number(self) -> u64 {
        self.0 / Self::ONE
    }

    fn is_plain(self) -> bool {
        self.0 & (Self::INSTALLING | Self::CLOSED) == 0
    }

    fn is_installing(self) -> bool {
        self.0 & Self::INSTALLING != 0
    }

    fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// Items below this number are in slots that a reader can find.
    fn settled(self) -> u64 {
        self.number() - u64::from(self.is_installing())
    }
}

/// The head word: a number and a bit.
#[derive(Debug, Clone, Copy)]
struct HeadWord(u64);

impl HeadWord {
    const CROSSING: u64 = 1;
    const ONE: u64 = 2;

    fn number(self) -> u64 {
        self.0 / Self::ONE
    }

    fn is_crossing(self) -> bool {
        self.0 & Self::CROSSING != 0
    }
}

struct Tail<T> {
    word: AtomicU64,
    /// The block of the last item, null before the first.
    block: AtomicPtr<Block<T>>,
    /// Below this number there is room.
    limit: AtomicU64,
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
    /// How many items there is room for; zero for any number.
    maxsize: AtomicUsize,
    stock: Stock<T>,
}

/// Why there was no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    Full,
    Closed,
}

/// Why there was no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoItem {
    /// There may be one later.
    Empty,
    /// There will be none.
    Closed,
}

/// A queue in blocks; see the module.
pub(super) struct Segments<T> {
    tail: Padded<Tail<T>>,
    head: Padded<Head<T>>,
    rest: Padded<Rest<T>>,
    items: PhantomData<*mut T>,
}

// SAFETY: items are moved in by one thread and out by another, which is what `Send` allows; references to items in the
// queue are never made.
unsafe impl<T: Send> Send for Segments<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Segments<T> {}

impl<T> Segments<T> {
    crate::prim::const_fn! {
        pub(super) fn new(maxsize: usize) -> Self {
            Segments {
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

    /// Appends `item`, or says why it cannot and leaves it where it is.
    ///
    /// # Memory ordering
    ///
    /// When this returns `Ok`, a sequentially consistent fence lies between the claim and the return.
    #[inline]
    pub(super) fn put(&self, item: T) -> Result<(), (T, NoRoom)> {
        let mut contention = Contention::default();
        loop {
            // ORDERING(tail): Acquire; pairs with the Release where a block is installed.
            let word = TailWord(self.tail.word.load(Ordering::Acquire));
            let number = word.number();
            let plain = word.is_plain() && number % SLOTS != 0;
            if !plain || number >= self.tail.limit.load(Ordering::Relaxed) {
                match self.put_slowly(word, &mut contention) {
                    Ok(None) => continue,
                    Ok(Some(block)) => {
                        // SAFETY: claimed.
                        unsafe { block.as_ref().fill(number, item) };
                        return Ok(());
                    }
                    Err(why) => return Err((item, why)),
                }
            }
            // ORDERING(tail-block): Acquire; pairs with the Release in `install`. If this is a later block than that
            // of `word`, then the word has been changed before, and the claim fails.
            let block = self.tail.block.load(Ordering::Acquire);
            if self.claim_tail(word, word.0 + TailWord::ONE) {
                // SAFETY: the word was still the same, so this is the block of `number`; it is not retired before the
                // slot that was claimed just now has been read.
                unsafe { (*block).fill(number, item) };
                return Ok(());
            }
            contention.lost();
        }
    }

    #[inline(always)]
    fn claim_tail(&self, from: TailWord, to: u64) -> bool {
        // ORDERING(tail): AcqRel; whoever claims a number knows what those before it did to the queue.
        let claimed =
            self.tail.word.compare_exchange(from.0, to, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if claimed {
            fence_after_update();
        }
        claimed
    }

    #[inline(always)]
    fn claim_head(&self, from: HeadWord, to: u64) -> bool {
        // ORDERING(head): AcqRel; pairs with the Acquire loads of the head word: the room is there.
        let claimed =
            self.head.word.compare_exchange(from.0, to, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if claimed {
            fence_after_update();
        }
        claimed
    }

    /// What `put` seldom has to do. A slot that was claimed, or `None` to look again.
    #[cold]
    fn put_slowly(
        &self,
        word: TailWord,
        contention: &mut Contention,
    ) -> Result<Option<NonNull<Block<T>>>, NoRoom> {
        if word.is_closed() {
            return Err(NoRoom::Closed);
        }
        if word.is_installing() {
            let mut moment = Moment::default();
            while TailWord(self.tail.word.load(Ordering::Acquire)).is_installing() {
                moment.wait();
            }
            return Ok(None);
        }
        let number = word.number();
        let limit = self.tail.limit.load(Ordering::Relaxed);
        if number >= limit {
            return if self.raise_limit(limit) > number { Ok(None) } else { Err(NoRoom::Full) };
        }
        if number % SLOTS != 0 {
            return Ok(None);
        }
        let fresh = self.tail.ready.load(Ordering::Relaxed).is_null().then(|| self.rest.stock.take());
        if !self.claim_tail(word, word.0 + TailWord::ONE + TailWord::INSTALLING) {
            if let Some(fresh) = fresh {
                self.rest.stock.put(fresh);
            }
            contention.lost();
            return Ok(None);
        }
        let block = self.install(fresh);
        Block::fetch(self.tail.ready.load(Ordering::Relaxed));
        // SAFETY: not retired before its first slot, which is ours to fill, has been read.
        Ok(Some(block))
    }

    /// Links the block of the number that the caller has just claimed: a spare one that the tail has, or `fresh`.
    fn install(&self, fresh: Option<NonNull<Block<T>>>) -> NonNull<Block<T>> {
        let ready = NonNull::new(self.tail.ready.load(Ordering::Relaxed));
        let list = match (ready, fresh) {
            (None, fresh) => fresh.unwrap_or_else(|| self.rest.stock.take()),
            (Some(ready), None) => ready,
            (Some(ready), Some(fresh)) => {
                self.rest.stock.put(fresh);
                ready
            }
        };
        let block = list;
        // SAFETY: ours while we are installing.
        let this = unsafe { block.as_ref() };
        self.tail.ready.store(this.next.load(Ordering::Relaxed), Ordering::Relaxed);
        this.next.store(ptr::null_mut(), Ordering::Relaxed);
        let before = self.tail.block.load(Ordering::Relaxed);
        if before.is_null() {
            self.rest.first.store(block.as_ptr(), Ordering::Release);
        } else {
            // SAFETY: a block is retired only after the next one has been installed.
            unsafe { &*before }.next.store(block.as_ptr(), Ordering::Release);
        }
        // ORDERING(tail-block): Release; pairs with the Acquire in `put`.
        self.tail.block.store(block.as_ptr(), Ordering::Release);
        // ORDERING(tail): Release; pairs with the Acquire loads of the word: the block is there, and so is its
        // link.
        self.tail.word.fetch_sub(TailWord::INSTALLING, Ordering::AcqRel);
        fence_after_update();
        block
    }

    /// Looks how much room there is now; the new limit.
    fn raise_limit(&self, old: u64) -> u64 {
        loop {
            let maxsize = self.rest.maxsize.load(Ordering::Relaxed);
            let limit = if maxsize == 0 {
                u64::MAX
            } else {
                // ORDERING(head): Acquire; pairs with the claims of those who take.
                HeadWord(self.head.word.load(Ordering::Acquire)).number().saturating_add(maxsize as u64)
            };
            // A compare-and-swap, so that nobody undoes `set_maxsize`, or another's newer look.
            if let Err(now) =
                self.tail.limit.compare_exchange(old, limit, Ordering::Relaxed, Ordering::Relaxed)
            {
                return now;
            }
            fence_after_update();
            // ORDERING(maxsize): the fence above pairs with that in `set_maxsize`.
            if self.rest.maxsize.load(Ordering::Relaxed) == maxsize {
                return limit;
            }
            self.tail.limit.store(0, Ordering::Relaxed);
        }
    }

    /// Takes the oldest item.
    ///
    /// # Memory ordering
    ///
    /// When this returns `Ok`, a sequentially consistent fence lies between the claim and the return.
    #[inline]
    pub(super) fn take(&self) -> Result<T, NoItem> {
        let mut contention = Contention::default();
        loop {
            // ORDERING(head): Acquire; pairs with the Release of whoever crossed.
            let word = HeadWord(self.head.word.load(Ordering::Acquire));
            let number = word.number();
            let plain = !word.is_crossing() && number % SLOTS != 0;
            // ORDERING(known): Acquire; pairs with the Release in `learn`.
            if !plain || (number >= self.head.known.load(Ordering::Acquire) && !self.learn_quickly(number)) {
                match self.take_slowly(word, &mut contention) {
                    Ok(None) => continue,
                    Ok(Some(item)) => return Ok(item),
                    Err(why) => return Err(why),
                }
            }
            // ORDERING(head-block): Acquire; pairs with the Release in `cross`. A later block than that of `word`
            // means that the word has been changed before, and the claim fails.
            let block = self.head.block.load(Ordering::Acquire);
            if self.claim_head(word, word.0 + HeadWord::ONE) {
                // SAFETY: the word was still the same, so this is the block of `number`. It is not given away before
                // this slot has been read, and the slot has been claimed for writing, as the number is below
                // `known`.
                return Ok(unsafe { (*block).empty(number) });
            }
            contention.lost();
        }
    }

    /// Looks whether there is an item with this number, in the plain case.
    #[inline(always)]
    fn learn_quickly(&self, number: u64) -> bool {
        // ORDERING(tail): Acquire; pairs with the Release in `install` and the claims of those who put.
        let tail = TailWord(self.tail.word.load(Ordering::Acquire));
        let settled = tail.settled();
        if settled > number {
            // ORDERING(known): Release; pairs with the Acquire in `take`: the blocks are there.
            self.head.known.store(settled, Ordering::Release);
        }
        settled > number
    }

    /// What `take` seldom has to do. An item, or `None` to look again.
    #[cold]
    fn take_slowly(&self, word: HeadWord, contention: &mut Contention) -> Result<Option<T>, NoItem> {
        if word.is_crossing() {
            let mut moment = Moment::default();
            while HeadWord(self.head.word.load(Ordering::Acquire)).is_crossing() {
                moment.wait();
            }
            return Ok(None);
        }
        let number = word.number();
        if number >= self.head.known.load(Ordering::Acquire) {
            self.learn(number)?;
        }
        if number % SLOTS != 0 {
            return Ok(None);
        }
        if !self.claim_head(word, word.0 + HeadWord::ONE + HeadWord::CROSSING) {
            contention.lost();
            return Ok(None);
        }
        Ok(Some(self.cross(number)))
    }

    /// Looks whether there is an item with this number.
    fn learn(&self, number: u64) -> Result<(), NoItem> {
        let mut moment = Moment::default();
        loop {
            // ORDERING(tail): Acquire; pairs with the Release in `install` and the claims of those who put.
            let tail = TailWord(self.tail.word.load(Ordering::Acquire));
            if tail.settled() > number {
                // ORDERING(known): Release; pairs with the Acquire in `take`: the blocks are there.
                self.head.known.store(tail.settled(), Ordering::Release);
                return Ok(());
            }
            if !tail.is_closed() {
                return Err(NoItem::Empty);
            }
            if !tail.is_installing() {
                return Err(NoItem::Closed);
            }
            // The last item before the end is about to arrive.
            moment.wait();
        }
    }

    /// Goes on to the block of the number that the caller has just claimed, and takes the item there.
    fn cross(&self, number: u64) -> T {
        let before = NonNull::new(self.head.block.load(Ordering::Relaxed));
        let block = match before {
            None => self.rest.first.load(Ordering::Acquire),
            // SAFETY: not retired yet: we shall do that.
            Some(before) => unsafe { before.as_ref() }.next.load(Ordering::Acquire),
        };
        // ORDERING(head-block): Release; pairs with the Acquire in `take`.
        self.head.block.store(block, Ordering::Release);
        // ORDERING(head): Release; pairs with the Acquire loads of the word.
        self.head.word.store((number + 1) * HeadWord::ONE, Ordering::Release);
        fence(Ordering::SeqCst);
        if number + SLOTS < self.head.known.load(Ordering::Relaxed) {
            // SAFETY
            if let Some(next) = NonNull::new(unsafe { (*block).next.load(Ordering::Relaxed) }) {
                Block::fetch(next.as_ptr());
            }
        }
        // SAFETY: `number` is below `known`, so its block was installed and its slot is claimed for writing; it is
        // not given away before the slot has been read.
        let item = unsafe { (*block).empty(number) };
        if let Some(before) = before {
            // SAFETY: all of its numbers have been claimed at both ends, and neither end points to it any more.
            unsafe { self.rest.stock.retire(before) };
        }
        item
    }

    /// Lets nobody put any more; false if that was so before. Puts that have claimed their slot go through.
    pub(super) fn close(&self) -> bool {
        let before = self.tail.word.fetch_or(TailWord::CLOSED, Ordering::AcqRel);
        fence_after_update();
        !TailWord(before).is_closed()
    }

    pub(super) fn is_closed(&self) -> bool {
        TailWord(self.tail.word.load(Ordering::Acquire)).is_closed()
    }

    /// How many items have ever been put.
    pub(super) fn puts(&self) -> u64 {
        TailWord(self.tail.word.load(Ordering::Acquire)).number()
    }

    /// About how many items there are: exact while nobody else puts or takes.
    pub(super) fn len(&self) -> usize {
        let taken = HeadWord(self.head.word.load(Ordering::Acquire)).number();
        usize::try_from(self.puts().saturating_sub(taken)).unwrap_or(usize::MAX)
    }

    pub(super) fn maxsize(&self) -> usize {
        self.rest.maxsize.load(Ordering::Relaxed)
    }

    /// About how many items the taking side knows of.
    pub(super) fn ahead(&self) -> u64 {
        let known = self.head.known.load(Ordering::Relaxed);
        known.saturating_sub(HeadWord(self.head.word.load(Ordering::Relaxed)).number())
    }

    /// About how much room the putting side knows of.
    pub(super) fn room(&self) -> u64 {
        let limit = self.tail.limit.load(Ordering::Relaxed);
        limit.saturating_sub(TailWord(self.tail.word.load(Ordering::Relaxed)).number())
    }

    /// From now on there is room for this many items; zero for any number.
    pub(super) fn set_maxsize(&self, maxsize: usize) {
        self.rest.maxsize.store(maxsize, Ordering::Relaxed);
        // ORDERING(maxsize): pairs with the fence in `raise_limit`: it sees the new size, or this undoes its limit.
        fence(Ordering::SeqCst);
        self.tail.limit.store(0, Ordering::Relaxed);
    }
}

impl<T> Drop for Segments<T> {
    fn drop(&mut self) {
        /// Goes on with the rest when an item's drop panics.
        struct Rest<'a, T>(&'a Segments<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while self.0.take().is_ok() {}
                let block = self.0.head.block.load(Ordering::Relaxed);
                let block = if block.is_null() { self.0.rest.first.load(Ordering::Relaxed) } else { block };
                if let Some(block) = NonNull::new(block) {
                    // SAFETY: the queue is empty, so this is its only block, and nobody else has the queue.
                    unsafe { Block::free(block) };
                }
            }
        }
        let rest = Rest(self);
        while rest.0.take().is_ok() {}
    }
}
