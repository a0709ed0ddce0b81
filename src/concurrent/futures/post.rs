//! What the tasks of a pool know of it: its post.
//!
//! A task must find its pool when a worker draws it, when somebody cancels it, and when a thread that waits for it wants to
//! run it. In the last two cases the pool may be gone, and a count of the pool in each task would be one cache line that
//! all submitters and workers fight over. So a post is never freed. It is given back when its pool has ended, and serves
//! another pool later.
//!
//! Whoever comes from outside [pins](Post::pin) the post first. A post is taken from its pool only while nobody has it
//! pinned, and not before the pool's mill has ended, when all its tasks have been drawn. So whoever holds a pin, and *then*
//! takes a task out of PENDING, knows that the task's pool is there, and that the post is still its own: a mill does not
//! end with a task in its queues. A pin that came too late holds the post of some other pool for a moment, and finds its
//! task taken.

#![allow(unsafe_code, reason = "a count of the mill that posts hold as a pointer")]

use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::concurrent::futures::room::Room;
use crate::future::error::{BrokenExecutor, SubmitError};
use crate::mill::hall::Hall;
use crate::prim::Padded;
use crate::prim::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use crate::sys::fork::Kept;

/// What a worker is to do with the tasks that it draws: a set of these.
const CLOSED: u8 = 1;
const CANCEL: u8 = 2;
const BREAK: u8 = 4;

/// What to do with a task that has been drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    Cancel,
    Break,
}

const GONE: usize = 1;
const PIN: usize = 2;

/// See the module.
pub(super) struct Post {
    orders: AtomicU8,
    /// May a thread from outside run the task that it waits for?
    pub(super) caller_runs: AtomicBool,
    /// Do tasks start in the order in which they were submitted, come what may?
    pub(super) strict_fifo: AtomicBool,
    /// Counted, while the post has a pool.
    hall: AtomicPtr<Hall>,
    pub(super) room: Room,
    broken: Mutex<Option<BrokenExecutor>>,
    /// How often it is pinned, in units of `PIN`; and whether it is without a pool.
    pins: Padded<AtomicUsize>,
}

/// Posts that no pool has now.
struct Idle {
    /// Those that the next pool may have.
    free: Vec<&'static Post>,
    /// Those whose pool has been dropped, and may have threads yet.
    retired: Vec<&'static Post>,
}

static IDLE: Kept<Idle> = Kept::new(Idle { free: Vec::new(), retired: Vec::new() });

impl Post {
    /// A post for a pool; it is [assigned](Self::assign) a mill next.
    pub(super) fn lease() -> &'static Post {
        Post::sweep();
        let left = IDLE.with(|idle| idle.free.pop());
        left.unwrap_or_else(|| {
            Box::leak(Box::new(Post {
                orders: AtomicU8::new(0),
                caller_runs: AtomicBool::new(false),
                strict_fifo: AtomicBool::new(false),
                hall: AtomicPtr::new(ptr::null_mut()),
                room: Room::new(),
                broken: Mutex::new(None),
                pins: Padded(AtomicUsize::new(GONE)),
            }))
        })
    }

    /// Gives a post back that has no mill.
    pub(super) fn unlease(&'static self) {
        self.reset();
        IDLE.with(|idle| idle.free.push(self));
    }

    fn reset(&self) {
        self.orders.store(0, Ordering::Relaxed);
        *self.broken() = None;
    }

    /// From now on it is the post of this mill's pool.
    pub(super) fn assign(&self, hall: &Arc<Hall>) {
        self.hall.store(Arc::into_raw(Arc::clone(hall)).cast_mut(), Ordering::Release);
        // ORDERING(post): Release; pairs with the update in `pin`.
        self.pins.fetch_and(!GONE, Ordering::Release);
    }

    /// The pool has been dropped; the post is free once its mill has ended.
    pub(super) fn retire(&'static self) {
        IDLE.with(|idle| idle.retired.push(self));
        Post::sweep();
    }

    /// Takes the posts back whose mills have ended.
    fn sweep() {
        let mut ended = Vec::new();
        IDLE.with(|idle| {
            idle.retired.retain(|post| {
                let hall = post.hall.load(Ordering::Acquire);
                // SAFETY: counted while the post has a pool.
                let has_ended = unsafe { &*hall }.has_ended();
                // ORDERING(post): AcqRel; sees all that those did who had it pinned.
                let taken = has_ended
                    && post.pins.compare_exchange(0, GONE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
                if taken {
                    ended.push(*post);
                }
                !taken
            });
        });
        // Not within the list: a mill's last count drops what its user gave it.
        for post in ended {
            let hall = post.hall.swap(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: the count of `assign`, and nobody has the post pinned.
            drop(unsafe { Arc::from_raw(hall) });
            post.unlease();
        }
    }

    /// Is this the mill of the pool?
    #[inline]
    pub(super) fn is_at(&self, hall: *const ()) -> bool {
        // ORDERING(post-hall): Acquire; pairs with the store in `assign`. Who sees a new mill sees that tasks of the one before
        // run nowhere.
        ptr::eq(self.hall.load(Ordering::Acquire).cast_const().cast(), hall)
    }

    /// Keeps the pool's mill, if it has one still.
    pub(super) fn pin(&self) -> Option<Pin<'_>> {
        // ORDERING(post): Acquire; pairs with the updates in `assign` and `Pin::drop`.
        let before = self.pins.fetch_add(PIN, Ordering::AcqRel);
        let pin = Pin(self);
        (before & GONE == 0).then_some(pin)
    }

    /// What to do with a task that was drawn. Nearly always, to run it.
    #[inline]
    pub(super) fn order(&self) -> Order {
        match self.orders.load(Ordering::Relaxed) {
            orders if orders & (CANCEL | BREAK) == 0 => Order::Run,
            orders if orders & BREAK != 0 => Order::Break,
            _ => Order::Cancel,
        }
    }

    /// The pool takes no tasks any more.
    pub(super) fn close(&self, cancel: bool) {
        let orders = if cancel { CLOSED | CANCEL } else { CLOSED };
        self.orders.fetch_or(orders, Ordering::SeqCst);
        self.room.close();
    }

    /// The pool is broken: tasks that have not started end with that.
    pub(super) fn break_with(&self, reason: &str) {
        self.broken().get_or_insert_with(|| BrokenExecutor::BrokenThreadPool { reason: reason.into() });
        self.orders.fetch_or(BREAK, Ordering::SeqCst);
        self.room.close();
    }

    fn broken(&self) -> MutexGuard<'_, Option<BrokenExecutor>> {
        self.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Why it is broken; only after [`Order::Break`].
    pub(super) fn breakage(&self) -> BrokenExecutor {
        let broken = self.broken().clone();
        broken.unwrap_or_else(|| BrokenExecutor::BrokenThreadPool { reason: "it is not known why".into() })
    }

    /// Does the pool take tasks?
    #[inline]
    pub(super) fn check(&self, hall: &Hall) -> Result<(), SubmitError> {
        if self.orders.load(Ordering::Relaxed) == 0 && hall.is_same_process() {
            return Ok(());
        }
        Err(self.refusal(hall))
    }

    #[cold]
    fn refusal(&self, hall: &Hall) -> SubmitError {
        if !hall.is_same_process() {
            SubmitError::Forked
        } else if self.orders.load(Ordering::Relaxed) & BREAK != 0 {
            SubmitError::Broken(self.breakage())
        } else {
            SubmitError::Shutdown
        }
    }

    /// Takes none, or may soon.
    pub(super) fn is_closed(&self) -> bool {
        self.orders.load(Ordering::SeqCst) != 0
    }
}

/// A post that keeps its pool for as long as this lives.
pub(super) struct Pin<'a>(&'a Post);

impl Pin<'_> {
    pub(super) fn hall(&self) -> &Hall {
        // SAFETY: counted, and not given up while pinned.
        unsafe { &*self.0.hall.load(Ordering::Acquire) }
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        // ORDERING(post): Release; pairs with the exchange in `sweep`.
        self.0.pins.fetch_sub(PIN, Ordering::Release);
    }
}
