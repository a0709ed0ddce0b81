//! A seat: all that belongs to one thread of a mill, and that others may see.
//!
//! Seats are for worker threads, for spare threads that stand in for blocked ones, and for visitors: threads
//! from outside that run their own work on a free slot. The thread that sits on a seat is its owner; it alone
//! touches [`Owner`] and the owner's side of the deque. Seats live as long as their mill.

#![allow(unsafe_code, reason = "one struct with an owner's part and a shared part")]

use std::cell::Cell;
use std::ptr;

use crate::mill::deque::{Own, Thief};
use crate::mill::job::JobRef;
use crate::mill::split::{Slot, Split};
use crate::mill::stats::Page;
use crate::prim::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};
use crate::prim::{Mutex, OnceLock, Padded, fence_after_update, local, lock};
use crate::rng::Rng;
use crate::sync::help::{self, Help};
use crate::sync::parker::{Parker, Unparker};

/// What only the seat's owner touches.
pub(crate) struct Owner {
    /// The cancel token of the job that runs; null for none. Written while nothing is private.
    token: AtomicPtr<()>,
    /// The innermost scope that was opened on this seat and whose jobs may go on this deque; null for none.
    pub(crate) scope: Cell<*const ()>,
    /// How many joins were open when that scope was opened.
    pub(crate) scope_depth: Cell<Slot>,
    /// Below this address of the stack a waiter takes no more jobs.
    pub(crate) stack_floor: Cell<usize>,
    /// How many rounds to search before going to sleep.
    pub(crate) patience: Cell<u32>,
    pub(crate) tick: Cell<u32>,
    /// How many of the last halves of joins that were stolen were too small for that, up to a limit.
    pub(crate) small: Cell<u32>,
    /// Jobs that came along with the one that was stolen.
    pub(crate) loot: Cell<Vec<JobRef>>,
    /// The owner came from outside and leaves soon.
    pub(crate) visitor: Cell<bool>,
    /// If it came from another mill: how to hand over its slot there.
    pub(crate) outer: Cell<Option<Help>>,
    /// And its seat there; null for none.
    below: Cell<*const Seat>,
    pub(crate) rng: Rng,
}

/// Spawned jobs that nothing on this thread waits for; only a thread without an open frame runs them.
pub(crate) struct Loose {
    pub(crate) own: Own,
    pub(crate) thief: Thief,
}

/// See the module.
#[repr(C)]
pub(crate) struct Seat {
    pub(crate) deque: Split,
    pub(crate) owner: Padded<Owner>,
    /// The mill this seat is in.
    hall: AtomicPtr<()>,
    pub(crate) index: usize,
    /// Changes when the mill's workers move.
    node: std::sync::atomic::AtomicUsize,
    asleep: AtomicU32,
    /// The owner sleeps in a wait, and could run something.
    rests: AtomicBool,
    parker: AtomicPtr<Parker>,
    loose: OnceLock<Loose>,
    /// None while no worker thread sits here.
    mail: Mutex<Option<Vec<JobRef>>>,
    has_mail: AtomicBool,
    /// Somebody sits here.
    taken: AtomicBool,
    pub(crate) stats: Page,
}

// SAFETY: `owner`, but for its token, is touched by the owner only, and `loose.own` too; all else is atomic or locked.
unsafe impl Sync for Seat {}
// SAFETY: nothing in a seat is bound to the thread that made it; owners change while nothing is on it.
unsafe impl Send for Seat {}

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

impl Seat {
    pub(crate) fn new(index: usize, node: usize, wanted: usize) -> Self {
        Seat {
            deque: Split::new(wanted),
            owner: Padded(Owner {
                token: AtomicPtr::new(ptr::null_mut()),
                scope: Cell::new(ptr::null()),
                scope_depth: Cell::new(ptr::null_mut()),
                stack_floor: Cell::new(0),
                patience: Cell::new(0),
                tick: Cell::new(0),
                small: Cell::new(0),
                loot: Cell::new(Vec::new()),
                visitor: Cell::new(false),
                outer: Cell::new(None),
                below: Cell::new(ptr::null()),
                rng: Rng::new(index as u64),
            }),
            hall: AtomicPtr::new(ptr::null_mut()),
            index,
            node: std::sync::atomic::AtomicUsize::new(node),
            asleep: AtomicU32::new(AWAKE),
            rests: AtomicBool::new(false),
            parker: AtomicPtr::new(ptr::null_mut()),
            loose: OnceLock::new(),
            mail: Mutex::new(None),
            has_mail: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            stats: Page::default(),
        }
    }

    /// The mill's shared part, as [`sit`](Self::sit) left it.
    #[inline]
    pub(crate) fn hall(&self) -> *const () {
        self.hall.load(Ordering::Relaxed)
    }

    /// The logical index of the NUMA node that it is on. Relaxed: it says where to look first, never where work may be.
    pub(crate) fn node(&self) -> usize {
        self.node.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// It is on this node from now on.
    pub(crate) fn move_to(&self, node: usize) {
        self.node.store(node, std::sync::atomic::Ordering::Relaxed);
    }

    /// Tries to become the owner of an empty seat.
    pub(crate) fn claim(&self) -> bool {
        // ORDERING(seat): Acquire; pairs with the store in `stand_up`.
        !self.taken.load(Ordering::Relaxed) && !self.taken.swap(true, Ordering::Acquire)
    }

    /// The token of the job that runs; for others, only while they hold a private job of this seat's.
    #[inline]
    pub(crate) fn token(&self) -> *const () {
        self.owner.token.load(Ordering::Relaxed)
    }

    /// Owner: from now on it works under `token`. Nothing is private.
    pub(crate) fn set_token(&self, token: *const ()) {
        self.owner.token.store(token.cast_mut(), Ordering::Relaxed);
    }

    /// Owner: prepares the seat for this thread, whose stack may be used down to `stack_floor`.
    pub(crate) fn sit(&self, hall: *const (), stack_floor: usize, visitor: bool) {
        self.hall.store(hall.cast_mut(), Ordering::Relaxed);
        self.owner.stack_floor.set(stack_floor);
        self.owner.visitor.set(visitor);
        let parker = ptr::from_ref(Parker::current()).cast_mut();
        // ORDERING(seat-parker): Release; pairs with the load in `wake`.
        self.parker.store(parker, Ordering::Release);
    }

    /// Owner: leaves the seat to whoever claims it next.
    pub(crate) fn stand_up(&self) {
        // ORDERING(seat): Release; pairs with the swap in `claim`.
        self.taken.store(false, Ordering::Release);
    }

    /// Owner: the loose jobs, made on first use.
    pub(crate) fn loose(&self) -> &Loose {
        self.loose.get_or_init(|| {
            let own = Own::new();
            let thief = own.thief();
            Loose { own, thief }
        })
    }

    /// The loose jobs, if there ever were any.
    pub(crate) fn loose_if_any(&self) -> Option<&Loose> {
        self.loose.get()
    }

    /// Is there a job that anybody may take?
    pub(crate) fn has_work(&self) -> bool {
        !self.deque.is_empty()
            || self.loose.get().is_some_and(|loose| !loose.thief.is_empty())
            || self.deque.may_have_private()
    }

    // Mail: jobs for this thread and no other.

    /// A worker thread is about to sit here; it takes mail from now on.
    pub(crate) fn open_mail(&self) {
        *lock(&self.mail) = Some(Vec::new());
    }

    /// Leaves a job for the worker thread that sits here; false, and nothing is made, if there is none.
    pub(crate) fn post(&self, job: impl FnOnce() -> JobRef) -> bool {
        let mut mail = lock(&self.mail);
        let Some(open) = mail.as_mut() else { return false };
        open.push(job());
        self.has_mail.store(true, Ordering::Release);
        drop(mail);
        // ORDERING(mail): a fence on both sides. Whoever sits here has shown its parker before it goes to sleep
        // and looks for mail. Either it sees the mail, or we see its parker and leave the token.
        fence(Ordering::SeqCst);
        self.wake();
        true
    }

    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Owner: this seat, and those that its thread sits on in other mills below.
    pub(crate) fn with_those_below(&self) -> impl Iterator<Item = &Seat> {
        // SAFETY: null, or the seat that this thread sits on in the frames below, which outlast its stay here (`Sitting`).
        std::iter::successors(Some(self), |seat| unsafe { seat.owner.below.get().as_ref() })
    }

    /// Owner: is there mail, here or below?
    pub(crate) fn has_mail_for_thread(&self) -> bool {
        self.with_those_below().any(Seat::has_mail)
    }

    /// Owner: takes all mail.
    pub(crate) fn take_mail(&self) -> Vec<JobRef> {
        let mut mail = lock(&self.mail);
        self.has_mail.store(false, Ordering::Relaxed);
        mail.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Owner: takes the last mail, and no more.
    pub(crate) fn close_mail(&self) -> Vec<JobRef> {
        self.has_mail.store(false, Ordering::Relaxed);
        lock(&self.mail).take().unwrap_or_default()
    }

    // Sleep. The states and their order against the census are argued in IDLE.md.

    /// Owner: from now on somebody may call us.
    pub(crate) fn lie_down(&self) {
        self.asleep.store(ASLEEP, Ordering::SeqCst);
    }

    pub(crate) fn lies(&self) -> bool {
        self.asleep.load(Ordering::SeqCst) == ASLEEP
    }

    /// Gets the owner up; true for the one caller that did it.
    pub(crate) fn rouse(&self) -> bool {
        self.lies() && self.asleep.compare_exchange(ASLEEP, AWAKE, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Owner: it is about to sleep in a wait, or is up again.
    pub(crate) fn rest(&self, rests: bool) -> bool {
        // ORDERING(rest): a fence on both sides; the sleeper says so and looks for jobs next, others publish and look here next.
        let rested = self.rests.swap(rests, Ordering::SeqCst);
        fence_after_update();
        rested
    }

    /// Wakes an owner that rests; true for the one caller that did it.
    pub(crate) fn rouse_from_rest(&self) -> bool {
        let roused = self.rests.load(Ordering::SeqCst) && self.rests.swap(false, Ordering::SeqCst);
        if roused {
            self.wake();
        }
        roused
    }

    /// Hands the owner its parker's token.
    pub(crate) fn wake(&self) {
        if let Some(parker) = self.unparker() {
            parker.unpark();
        }
    }

    fn unparker(&self) -> Option<Unparker> {
        // ORDERING(seat-parker): Acquire; pairs with the store in `sit`.
        // SAFETY: null or a parker, and parkers are never freed.
        unsafe { self.parker.load(Ordering::Acquire).as_ref() }
    }
}

/// The deque of threads that sit nowhere: it never has room.
#[cfg(not(loom))]
static NOWHERE: Split = Split::new(0);

const fn nowhere() -> *const Split {
    #[cfg(not(loom))]
    return &raw const NOWHERE;
    // No model joins there.
    #[cfg(loom)]
    ptr::null()
}

local! {
    /// The first field of the seat, or `NOWHERE`: so a `join` need not ask which.
    static DEQUE: Cell<*const Split> = Cell::new(nowhere());
}

/// The deque of the calling thread's seat, or one that never has room.
#[inline(always)]
pub(crate) fn current_deque<'a>() -> &'a Split {
    assert!(!cfg!(loom) || current().is_some(), "no model joins on a thread that sits nowhere");
    // SAFETY: never null. Whoever put a seat there keeps it alive and takes it away before it leaves
    // (`Sitting`), which is after all frames above have ended; callers keep the reference in the frame that asked.
    unsafe { &*DEQUE.with(Cell::get) }
}

/// The seat that the calling thread sits on.
#[inline(always)]
pub(crate) fn current<'a>() -> Option<&'a Seat> {
    let deque = DEQUE.with(Cell::get);
    if ptr::eq(deque, nowhere()) {
        return None;
    }
    // SAFETY: as in `current_deque`; the deque is a seat's first field (`repr(C)`), and the pointer was made
    // from the seat's.
    Some(unsafe { &*deque.cast::<Seat>() })
}

/// The calling thread sits on a seat for as long as this lives.
pub(crate) struct Sitting {
    before: *const Split,
}

impl Sitting {
    /// # Safety
    ///
    /// The calling thread owns `seat`, which lives longer than the value returned.
    pub(crate) unsafe fn on(seat: &Seat) -> Self {
        let below = current().map_or(ptr::null(), ptr::from_ref);
        seat.owner.below.set(below);
        // SAFETY: as the caller says.
        unsafe { Sitting::again(seat) }
    }

    /// As [`on`](Self::on), for a seat that this thread sits on already, below the present one.
    ///
    /// # Safety
    ///
    /// As [`on`](Self::on).
    pub(crate) unsafe fn again(seat: &Seat) -> Self {
        Sitting { before: DEQUE.with(|deque| deque.replace(ptr::from_ref(seat).cast())) }
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        DEQUE.with(|deque| deque.set(self.before));
    }
}

/// Forgets the seat, and how to hand its slot over: the calling thread is the only one in a forked child.
pub(crate) fn forget() {
    DEQUE.with(|deque| deque.set(nowhere()));
    help::replace(None);
}
