//! Many items at a time.

use std::collections::VecDeque;

use super::error::ShutDown;
use super::keep::Keep;
use super::tracked::TrackedQueue;
use crate::unwind::{drop_quietly, halt, resume};

impl<T, K: Keep<T>> TrackedQueue<T, K> {
    /// Puts all items in turn; waits for room as [`put`](Self::put) does. Faster than one by one, and wakes as many.
    ///
    /// # Errors
    ///
    /// [`ShutDown`] with the items that were not put, if the queue was shut down before.
    ///
    /// # Panics
    ///
    /// As [`put`](Self::put); the items that were not put are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(0);
    /// queue.put_many(vec![1, 2, 3])?;
    /// assert_eq!(queue.len(), 3);
    /// # Ok::<(), gristmill::queue::ShutDown<Vec<i32>>>(())
    /// ```
    pub fn put_many(&self, items: impl Into<VecDeque<T>>) -> Result<(), ShutDown<Vec<T>>> {
        let mut items = items.into();
        while !items.is_empty() {
            match self.keep_put_some(&mut items) {
                Ok(count) => {
                    for _ in 0..count {
                        self.items.call();
                    }
                }
                Err(_) => {
                    if let Some(Err(ShutDown(item))) = items.pop_front().map(|item| self.put(item)) {
                        items.push_front(item);
                        return Err(ShutDown(items.into()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes as many items as there are, `most` at most; waits until there is one. Faster than one by one.
    ///
    /// # Errors
    ///
    /// [`ShutDown`] if the queue has been shut down and is empty.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get), if there is no item yet. Else what there is is returned, and the next to get meets the panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::Queue;
    ///
    /// let queue = Queue::new(0);
    /// queue.put_many(vec![1, 2, 3]).unwrap();
    /// assert_eq!(queue.get_many(2)?, [1, 2]);
    /// assert_eq!(queue.get_many(2)?, [3]);
    /// # Ok::<(), gristmill::queue::ShutDown>(())
    /// ```
    pub fn get_many(&self, most: usize) -> Result<Vec<T>, ShutDown> {
        let mut items = Vec::new();
        self.take_some(most, &mut items);
        if items.is_empty() && most > 0 {
            items.push(self.get()?);
            self.take_some(most, &mut items);
        }
        Ok(items)
    }

    /// Fills up to `most` with what is there.
    fn take_some(&self, most: usize, items: &mut Vec<T>) {
        while items.len() < most {
            let before = items.len();
            // What is there already is not to go down with a panic, which the next to get meets again.
            match halt(|| self.keep.take_some(most - before, items)) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(payload) => {
                    // The item may be gone all the same.
                    self.room.call();
                    return if before == 0 { resume(payload) } else { drop_quietly(payload) };
                }
            }
            for _ in before..items.len() {
                self.room.call();
            }
        }
    }
}
