//! The chapter's condition: for a lock without a value, acquired and released by hand, in order of arrival.
//!
//! Each waiter draws a ticket and puts it, with its parker, at the end of a queue, before it releases the lock. A
//! notification takes the oldest out and publishes how far it got (`served`): tickets are in order, so a waiter has
//! been notified just when its ticket is below that, and needs no lock to see it. One whose time is up takes its own
//! ticket out under the queue's lock; either it does, or a notification has.
//!
//! Those who are notified at the same time are called one after the other: they would only meet again at the lock. The
//! first is called at once, the others go to a second queue. Whoever has been notified and has the lock again calls the
//! next of them. As each one that is called comes to that point, the queue is emptied; one that comes uncalled, as it
//! saw by itself that it was notified, takes its own ticket out and calls the next as well.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::prim::atomic::{AtomicU64, Ordering};
use crate::sync::help::asleep;
use crate::sync::lock::Lock;
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::parker::{Parker, Unparker};
use crate::sync::rlock::{self, RLock};
use crate::sync::scope::Scope;
use crate::sync::spin;
use crate::sys::{fork, futex};

/// What a [`Condition`] needs of its lock. Implemented for [`Lock`] and [`RLock`].
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Condition, ConditionLock, Lock, NotHeld};
///
/// /// A lock that says what happens to it.
/// #[derive(Default)]
/// struct Loud(Lock);
///
/// impl ConditionLock for Loud {
///     type Saved = ();
///     fn release_save(&self) -> Result<(), NotHeld> {
///         println!("released");
///         self.0.release().map_err(|_| NotHeld)
///     }
///     fn acquire_restore(&self, (): ()) {
///         self.0.acquire();
///         println!("acquired");
///     }
///     fn is_owned(&self) -> bool {
///         self.0.locked()
///     }
/// }
/// let condition = Condition::with_lock(Loud::default().into());
/// assert_eq!(condition.notify_all(), Err(NotHeld));
/// ```
pub trait ConditionLock {
    /// What is to be restored: how deep the lock was held, for one that can be held more than once.
    type Saved;

    /// Releases the lock wholly, however deep it is held.
    ///
    /// # Errors
    ///
    /// If the calling thread does not hold it. Nothing has changed then.
    fn release_save(&self) -> Result<Self::Saved, NotHeld>;

    /// Acquires the lock as deep as it was.
    fn acquire_restore(&self, saved: Self::Saved);

    /// Does the calling thread hold the lock? One that does not know who holds it may say whether anybody does.
    fn is_owned(&self) -> bool;
}

/// Does not know who holds it: whoever waits or notifies while it is locked counts as its holder.
impl<S: Scope> ConditionLock for Lock<S> {
    type Saved = ();

    fn release_save(&self) -> Result<(), NotHeld> {
        self.release().map_err(|_| NotHeld)
    }

    fn acquire_restore(&self, (): ()) {
        self.acquire();
    }

    fn is_owned(&self) -> bool {
        self.locked()
    }
}

impl<S: Scope> ConditionLock for RLock<S> {
    type Saved = Depth;

    fn release_save(&self) -> Result<Depth, NotHeld> {
        RLock::release_save(self).map(Depth).map_err(|_| NotHeld)
    }

    fn acquire_restore(&self, saved: Depth) {
        RLock::acquire_restore(self, saved.0);
    }

    fn is_owned(&self) -> bool {
        self.is_owned_by_current()
    }
}

/// How often a thread has acquired an [`RLock`], while it waits.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{ConditionLock, RLock};
///
/// let lock = RLock::new();
/// lock.acquire();
/// lock.acquire();
/// let depth = ConditionLock::release_save(&lock)?;
/// assert!(!lock.locked());
/// ConditionLock::acquire_restore(&lock, depth);
/// assert_eq!(lock.recursion_count(), 2);
/// # Ok::<(), gristmill::sync::NotHeld>(())
/// ```
#[derive(Debug)]
#[must_use = "to acquire the lock again as often"]
pub struct Depth(rlock::Saved);

/// A thread waited on a condition, or notified it, without holding its lock.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Condition, NotHeld};
///
/// assert_eq!(Condition::new().notify(1), Err(NotHeld));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the calling thread does not hold the condition's lock: acquire it around `wait` and `notify`")]
pub struct NotHeld;

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    parker: Unparker,
}

#[derive(Debug, Default)]
struct Queues {
    /// The ticket of the next waiter.
    next: u64,
    waiting: VecDeque<Waiter>,
    /// Notified, and not yet called.
    uncalled: VecDeque<Waiter>,
    /// Counted by forks: the process that those wait in.
    generation: u32,
}

/// Takes a ticket out of a queue, which is in order.
fn remove(queue: &mut VecDeque<Waiter>, ticket: u64) {
    if let Ok(place) = queue.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
        queue.remove(place);
    }
}

/// Lets threads that hold a lock wait until another notifies them, in order of arrival.
///
/// Its lock is an [`RLock`] unless [`with_lock`](Self::with_lock) gives it another; several conditions may have the
/// same. A condition gives access to all methods of its lock: `condition.acquire()`, `condition.guard()`.
///
/// For a value behind a mutex [`Condvar`](crate::sync::Condvar) is the simpler, smaller and faster choice, and works in
/// shared memory; this one is for locks that are acquired and released by hand, knows who came first, and never wakes
/// anybody without a notification. It is for the threads of one process. In a forked child nobody waits at first: it can go
/// on using the condition if the thread that forked held the lock, so that no other was in the middle of something.
///
/// # Memory ordering
///
/// The lock orders what is done under it. What happened before a notification is also seen by whoever it let go.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use gristmill::sync::Condition;
///
/// let (condition, items) = (Condition::new(), AtomicU32::new(0));
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         condition.with(|| {
///             items.fetch_add(1, Relaxed);
///             condition.notify(1).unwrap();
///         });
///     });
///     let _held = condition.guard();
///     condition.wait_for(|| (items.load(Relaxed) > 0).then_some(())).unwrap();
/// });
/// ```
#[doc(alias = "threading.Condition")]
pub struct Condition<L: ConditionLock = RLock> {
    lock: Arc<L>,
    queues: Mutex<Queues>,
    /// Whoever has a lower ticket, and is not out of the queue because its time was up, has been notified.
    served: AtomicU64,
}

impl Condition {
    /// A condition with an [`RLock`] of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Condition;
    ///
    /// let condition = Condition::new();
    /// let _held = condition.guard();
    /// condition.notify_all()?; // nobody is there
    /// # Ok::<(), gristmill::sync::NotHeld>(())
    /// ```
    pub fn new() -> Self {
        Condition::with_lock(Arc::new(RLock::new()))
    }
}

impl<L: ConditionLock> Condition<L> {
    /// A condition with this lock, which may be that of others too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gristmill::sync::{Condition, Lock};
    ///
    /// let lock = Arc::new(Lock::new());
    /// let (not_empty, not_full) = (Condition::with_lock(lock.clone()), Condition::with_lock(lock));
    /// not_empty.acquire();
    /// assert!(not_full.locked());
    /// ```
    pub fn with_lock(lock: Arc<L>) -> Self {
        Condition { lock, queues: Mutex::new(Queues::default()), served: AtomicU64::new(0) }
    }

    /// The lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Condition;
    ///
    /// let condition = Condition::new();
    /// let another = Condition::with_lock(condition.lock().clone());
    /// ```
    pub fn lock(&self) -> &Arc<L> {
        &self.lock
    }

    /// Releases the lock, waits for a notification, and acquires it again as deep as it was.
    ///
    /// # Errors
    ///
    /// If the lock is not held. This has not waited then.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Condition;
    ///
    /// let condition = Condition::new();
    /// std::thread::scope(|s| {
    ///     let held = condition.guard();
    ///     s.spawn(|| condition.with(|| condition.notify(1)));
    ///     condition.wait().unwrap();
    ///     drop(held);
    /// });
    /// ```
    pub fn wait(&self) -> Result<(), NotHeld> {
        self.wait_at_most(|| None).map(drop)
    }

    /// As [`wait`](Self::wait), for `timeout` at most (acquiring the lock again may take longer): false if that was
    /// over, and no notification was for this thread.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Condition;
    ///
    /// let condition = Condition::new();
    /// let _held = condition.guard();
    /// assert_eq!(condition.wait_timeout(Duration::from_millis(1)), Ok(false));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, NotHeld> {
        self.wait_at_most(|| futex::deadline(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use gristmill::sync::{Condition, NotHeld};
    ///
    /// assert_eq!(Condition::new().wait_deadline(Instant::now()), Err(NotHeld));
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<bool, NotHeld> {
        self.wait_at_most(|| Some(deadline))
    }

    /// Waits until `predicate`, which is called with the lock held, gives a value: at first, and after each
    /// notification.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait). A value that is there at first needs no lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Condition;
    ///
    /// let mut looks = 0..;
    /// let condition = Condition::new();
    /// let _held = condition.guard();
    /// assert_eq!(condition.wait_for(|| looks.next()), Ok(0));
    /// ```
    pub fn wait_for<R>(&self, mut predicate: impl FnMut() -> Option<R>) -> Result<R, NotHeld> {
        loop {
            if let Some(value) = predicate() {
                return Ok(value);
            }
            self.wait()?;
        }
    }

    /// As [`wait_for`](Self::wait_for), for `timeout` at most in all: then what one more call of `predicate` gives,
    /// maybe `None`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Condition;
    ///
    /// let condition = Condition::new();
    /// let _held = condition.guard();
    /// assert_eq!(condition.wait_for_timeout(Duration::from_millis(1), || None::<u32>), Ok(None));
    /// ```
    pub fn wait_for_timeout<R>(
        &self,
        timeout: Duration,
        mut predicate: impl FnMut() -> Option<R>,
    ) -> Result<Option<R>, NotHeld> {
        if let Some(value) = predicate() {
            return Ok(Some(value));
        }
        let deadline = futex::deadline(timeout);
        loop {
            let notified = self.wait_at_most(|| deadline)?;
            match predicate() {
                None if notified => {}
                value => return Ok(value),
            }
        }
    }

    /// Lets the `n` threads go that have waited longest, or all if there are fewer. They go on when the caller, and
    /// each before them, has released the lock. It is not remembered: who waits later waits.
    ///
    /// # Errors
    ///
    /// If the lock is not held.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Condition, NotHeld};
    ///
    /// let condition = Condition::new();
    /// assert_eq!(condition.notify(1), Err(NotHeld));
    /// condition.with(|| condition.notify(1))?;
    /// # Ok::<(), NotHeld>(())
    /// ```
    pub fn notify(&self, n: usize) -> Result<(), NotHeld> {
        if !self.lock.is_owned() {
            return Err(NotHeld);
        }
        let mut queues = self.queues();
        let queues_ref = &mut *queues;
        let n = n.min(queues_ref.waiting.len());
        let mut notified = queues_ref.waiting.drain(..n);
        let Some(first) = notified.next() else { return Ok(()) };
        queues_ref.uncalled.extend(notified);
        let last = queues_ref.uncalled.back().filter(|_| n > 1).map_or(first.ticket, |last| last.ticket);
        // ORDERING(condition): Release; pairs with the load in `is_notified`.
        self.served.store(last + 1, Ordering::Release);
        drop(queues);
        first.parker.unpark();
        Ok(())
    }

    /// Lets all threads go that wait. They come in the order in which they came, one after the other.
    ///
    /// # Errors
    ///
    /// If the lock is not held.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Condition;
    ///
    /// let condition = Condition::new();
    /// assert!(condition.notify_all().is_err());
    /// ```
    #[doc(alias = "notifyAll")]
    pub fn notify_all(&self) -> Result<(), NotHeld> {
        self.notify(usize::MAX)
    }

    fn wait_at_most(&self, deadline: impl FnOnce() -> Option<Instant>) -> Result<bool, NotHeld> {
        if !self.lock.is_owned() {
            return Err(NotHeld);
        }
        let waiting = self.enter();
        let saved = self.lock.release_save()?;
        waiting.sleep(deadline());
        self.lock.acquire_restore(saved);
        // The queues are looked at under the lock only, so that a child that is forked under it finds them whole. So a
        // notification that comes when the time is up already, but nobody has told, counts.
        let notified = waiting.is_notified();
        drop(waiting);
        Ok(notified)
    }

    /// Those who wait. A forked child has none of its parent's threads, and no notification is for them.
    fn queues(&self) -> MutexGuard<'_, Queues> {
        let mut queues = self.queues.lock();
        if queues.generation != fork::generation() {
            queues.waiting.clear();
            queues.uncalled.clear();
            queues.generation = fork::generation();
        }
        queues
    }

    fn enter(&self) -> Waiting<'_, L> {
        fork::count();
        let parker = Parker::current();
        let mut queues = self.queues();
        let ticket = queues.next;
        queues.next += 1;
        queues.waiting.push_back(Waiter { ticket, parker });
        Waiting { condition: self, ticket, parker }
    }
}

/// A thread with a ticket.
struct Waiting<'a, L: ConditionLock> {
    condition: &'a Condition<L>,
    ticket: u64,
    parker: Unparker,
}

impl<L: ConditionLock> Waiting<'_, L> {
    fn is_notified(&self) -> bool {
        // ORDERING(condition): Acquire; pairs with the store in `notify`.
        self.condition.served.load(Ordering::Acquire) > self.ticket
    }

    fn sleep(&self, deadline: Option<Instant>) {
        if spin::until(|| self.is_notified()) {
            return;
        }
        while !self.is_notified() {
            match deadline {
                None => asleep(|| self.parker.park()),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    asleep(|| self.parker.park_timeout(left));
                    if cfg!(loom) && !self.is_notified() {
                        return;
                    }
                }
            }
        }
    }
}

impl<L: ConditionLock> Drop for Waiting<'_, L> {
    /// The lock is there again, or something panicked before it was. The next of those who were notified may come.
    fn drop(&mut self) {
        let mut queues = self.condition.queues();
        if self.is_notified() {
            remove(&mut queues.uncalled, self.ticket);
        } else {
            remove(&mut queues.waiting, self.ticket);
        }
        let next = queues.uncalled.pop_front();
        drop(queues);
        if let Some(next) = next {
            next.parker.unpark();
        }
    }
}

/// The methods of its lock.
impl<L: ConditionLock> Deref for Condition<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.lock
    }
}

impl Default for Condition {
    fn default() -> Self {
        Condition::new()
    }
}

impl<L: ConditionLock + fmt::Debug> fmt::Debug for Condition<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.queues().waiting.len();
        f.debug_struct("Condition").field("lock", &self.lock).field("waiters", &waiters).finish()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
