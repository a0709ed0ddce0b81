//! The end of a queue.

use super::keep::Keep;
use super::tracked::TrackedQueue;

impl<T, K: Keep<T>> TrackedQueue<T, K> {
    /// Shuts the queue down: from now on every `put` fails, and so does every `get` once the queue is empty. Who waits
    /// in either learns of it. What is there can be got, and be waited for by [`join`](Self::join).
    ///
    /// To do so again does nothing; there is no way back.
    ///
    /// Python: `shutdown()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{Queue, ShutDown};
    ///
    /// let queue = Queue::new(0);
    /// queue.put("last order")?;
    /// queue.shutdown();
    /// assert_eq!(queue.put("too late"), Err(ShutDown("too late")));
    /// assert_eq!(queue.get(), Ok("last order"));
    /// assert_eq!(queue.get(), Err(ShutDown(())));
    /// # Ok::<(), ShutDown<&str>>(())
    /// ```
    pub fn shutdown(&self) {
        self.keep.close();
        self.items.bell.ring_all();
        self.room.bell.ring_all();
    }

    /// Shuts the queue down, takes out all items, and counts them as done. Returns them.
    ///
    /// Who [`join`](Self::join)s goes on when what was got before is done. Also after a [`shutdown`](Self::shutdown).
    ///
    /// Python: `shutdown(immediate=True)`.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get); items that were taken out before are dropped, and counted as done.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::queue::{Queue, ShutDown};
    ///
    /// let queue = Queue::new(0);
    /// queue.put_many(vec!["bread", "rolls"]).unwrap();
    /// let bread = queue.get_task()?;
    /// assert_eq!(queue.shutdown_now(), ["rolls"]);
    /// assert_eq!(queue.get(), Err(ShutDown(())));
    /// assert_eq!(queue.unfinished_tasks(), 1);
    /// drop(bread);
    /// queue.join();
    /// # Ok::<(), ShutDown>(())
    /// ```
    pub fn shutdown_now(&self) -> Vec<T> {
        /// Counts what was taken out, and tells everybody, also when an item cannot be taken out for a panic.
        struct Tell<'a, T, K: Keep<T>>(&'a TrackedQueue<T, K>, Vec<T>);
        impl<T, K: Keep<T>> Drop for Tell<'_, T, K> {
            fn drop(&mut self) {
                let Tell(queue, items) = self;
                queue.tally.discard(items.len(), || queue.keep.puts());
                queue.items.bell.ring_all();
                queue.room.bell.ring_all();
                queue.joiners.ring_all();
            }
        }
        self.keep.close();
        let mut tell = Tell(self, Vec::new());
        while self.keep.take_some(usize::MAX, &mut tell.1).is_ok() {}
        let count = tell.1.len();
        let items = std::mem::take(&mut tell.1);
        self.tally.discard(count, || self.keep.puts());
        items
    }

    /// Has the queue been shut down?
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = gristmill::queue::Queue::<u8>::new(0);
    /// assert!(!queue.is_shutdown());
    /// queue.shutdown();
    /// assert!(queue.is_shutdown());
    /// ```
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.keep.is_closed()
    }
}

impl<T, K: Keep<T>> std::fmt::Debug for TrackedQueue<T, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackedQueue")
            .field("len", &self.len())
            .field("maxsize", &self.maxsize())
            .field("unfinished_tasks", &self.unfinished_tasks())
            .field("is_shutdown", &self.is_shutdown())
            .finish_non_exhaustive()
    }
}
