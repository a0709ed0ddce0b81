//! A storage of any order, behind a lock.

use std::collections::VecDeque;

use super::keep::{Keep, NoItem, NoRoom};
use super::storage::{Offer, Storage};
use crate::prim::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::prim::{Mutex, const_fn, lock};
use crate::unwind::{drop_quietly, halt, resume};

/// A [`Storage`] and the lock around it: what a [`StoredQueue`](super::StoredQueue) keeps its items in.
///
/// # Examples
///
/// ```
/// use gristmill::queue::{Lifo, LifoQueue, Stored, TrackedQueue};
///
/// let queue: TrackedQueue<u8, Stored<Lifo<u8>>> = LifoQueue::new(0); // that is what a `LifoQueue` is
/// assert!(queue.is_empty());
/// ```
#[derive(Debug)]
pub struct Stored<S> {
    storage: Mutex<S>,
    // Changed under the lock; looked at without it.
    puts: AtomicU64,
    len: AtomicUsize,
    maxsize: AtomicUsize,
    closed: AtomicBool,
}

impl<S> Stored<S> {
    const_fn! {
        pub(super) fn new(maxsize: usize, storage: S) -> Self {
            Stored {
                storage: Mutex::new(storage),
                puts: AtomicU64::new(0),
                len: AtomicUsize::new(0),
                maxsize: AtomicUsize::new(maxsize),
                closed: AtomicBool::new(false),
            }
        }
    }

    /// As `put`, of what is in `item`; there it stays if it cannot be put.
    fn admit<T>(&self, item: &mut Option<T>) -> Result<(), NoRoom>
    where
        S: Storage<T>,
    {
        // The guard goes before the item does, also when `push` panics: no item is dropped under the lock.
        let mut storage = lock(&self.storage);
        let maxsize = self.maxsize.load(Ordering::Relaxed);
        if self.closed.load(Ordering::Relaxed) {
            return Err(NoRoom::Closed);
        }
        if maxsize != 0 && storage.len() >= maxsize {
            return Err(NoRoom::Full);
        }
        let before = storage.len();
        let pushed = halt(|| storage.push(Offer(item)));
        if pushed.is_err() {
            // It may have gone in all the same. If that cannot be said either, it has not.
            let len = halt(|| storage.len());
            if item.is_none() && len.as_ref().is_ok_and(|len| *len > before) {
                self.count_in(before + 1);
            }
            drop(storage);
            drop_quietly(len);
        } else {
            assert!(item.is_none(), "a storage's `push` returned without having taken the item");
            self.count_in(storage.len());
        }
        pushed.map_or_else(|payload| resume(payload), Ok)
    }

    /// One has been put, and now there are so many. Under the lock.
    fn count_in(&self, len: usize) {
        self.len.store(len, Ordering::Relaxed);
        // ORDERING(puts): Release; pairs with the Acquire in `puts`.
        self.puts.fetch_add(1, Ordering::Release);
    }
}

impl<T, S: Storage<T>> Keep<T> for Stored<S> {
    fn put(&self, item: T) -> Result<(), (T, NoRoom)> {
        let mut item = Some(item);
        match (self.admit(&mut item), item) {
            (Err(why), Some(item)) => Err((item, why)),
            _ => Ok(()),
        }
    }

    fn put_some(&self, items: &mut VecDeque<T>) -> Result<usize, NoRoom> {
        let mut item = items.pop_front();
        let admitted = self.admit(&mut item);
        if let Some(item) = item {
            items.push_front(item);
        }
        admitted.map(|()| 1)
    }

    fn take(&self) -> Result<T, NoItem> {
        let mut storage = lock(&self.storage);
        let popped = halt(|| storage.pop());
        // Also after a panic: the item may be gone.
        let len = halt(|| storage.len());
        if let Ok(len) = len {
            self.len.store(len, Ordering::Relaxed);
        }
        let why = if self.closed.load(Ordering::Relaxed) { NoItem::Closed } else { NoItem::Empty };
        drop(storage);
        match (popped, len) {
            (Ok(item), Ok(_)) => item.ok_or(why),
            (Err(payload), _) | (_, Err(payload)) => resume(payload),
        }
    }

    fn take_some(&self, _: usize, into: &mut Vec<T>) -> Result<(), NoItem> {
        into.push(self.take()?);
        Ok(())
    }

    fn close(&self) {
        let _storage = lock(&self.storage);
        self.closed.store(true, Ordering::Release);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn puts(&self) -> u64 {
        // ORDERING(puts): Acquire; pairs with the Release in `admit`.
        self.puts.load(Ordering::Acquire)
    }

    fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn maxsize(&self) -> usize {
        self.maxsize.load(Ordering::Relaxed)
    }

    fn set_maxsize(&self, maxsize: usize) {
        let _storage = lock(&self.storage);
        self.maxsize.store(maxsize, Ordering::Relaxed);
    }
}
