//! A worker's own line of jobs, in two parts.
//!
//! The *private* part is a plain array of pointers: pushing is a store and an increment, popping a store and a
//! comparison. The *public* part is a Chase-Lev deque that thieves rob from the other end. Public jobs are
//! always older than private ones, so what is robbed is what is largest.
//!
//! Between the two stands one word, `limit`. The owner compares the place with it after each push. It is the last
//! place of the array, or null when somebody is *hungry*: then the push takes the slow path, where the owner
//! [exposes](Split::expose) its oldest private jobs until the public part is `wanted` long. So one comparison
//! tells the owner that the array is full and that somebody wants work.
//!
//! The rule that no hungry thief is forgotten: `limit` is not null only if the public part was `wanted` long
//! after the owner had set it so. A thief that takes the last public job, or finds none, stores null; an owner
//! that pops a public job stores null itself.
//!
//! An owner that sits in a long leaf pushes nothing, and so exposes nothing. Then a thief [seizes](Split::seize)
//! the oldest private job. It raises `bottom` over that job, then reads `top`; the owner, when it pops, lowers `top`
//! first and reads `bottom` next. With a fence on both sides one of them sees the other. The owner pops all the time
//! and thieves seize rarely, so the owner's fence is for the compiler only and the thief pays for both
//! ([`membarrier`]). An owner that finds its job below `bottom`, and whoever else moves `bottom`, takes the *gate*, a
//! lock that a thief holds while it seizes. So the outcome is settled when the owner looks again.
//!
//! A worker that runs a stolen job above an open frame must not mix that job's children with older public
//! jobs, because whoever waits for the stolen job robs this worker and must find nothing but its descendants.
//! So the public part is a stack of *lines*: a job that starts while the current line is not empty gets the
//! next one. Each line carries the *family* of the job that runs on it (what waits for it); a waiter
//! [visits](Line::rob) a line and robs it only while the family is its own.
//!
//! Sources: Karl-Filip Faxén, "Wool: a work stealing library" (2008); Tom van Dijk, Jaco van de Pol, "Lace:
//! non-blocking split deque for work-stealing" (2014); Umut Acar, Arthur Charguéraud, Mike Rainey, "Scheduling
//! parallel programs by work stealing with private deques" (2013); David Wagner, Brad Calder, "Leapfrogging"
//! (1993). For taking what is private: Matteo Frigo, Charles Leiserson, Keith Randall, "The implementation of the
//! Cilk-5 multithreaded language" (1998), with its fence made asymmetric.

#![allow(unsafe_code, reason = "the owner's part of a shared structure, raw pointers to jobs")]

use std::cell::Cell;
use std::ptr;

use crate::mill::deque::{Own, Steal, Thief};
use crate::mill::job::{Header, JobRef};
use crate::prim::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use crate::prim::{Padded, const_fn, fence_after_update, light_fence, yield_now};
use crate::sys::membarrier;

/// How many joins can be open on one worker before further ones go straight to the public part.
const PRIVATE: usize = if cfg!(loom) { 4 } else { 1024 };

/// A place in the private part.
pub(crate) type Slot = *mut AtomicPtr<Header>;

/// The public jobs of one job that runs; see the module.
struct Line {
    own: Own,
    thief: Thief,
    /// What waits for the job that runs on this line; null while nothing public is on it.
    family: AtomicPtr<()>,
    /// How many waiters are looking at the family and robbing.
    visitors: AtomicU32,
    /// The owner has set the family.
    named: Cell<bool>,
    /// The line of a job that runs above this one; once set, it stays.
    next: AtomicPtr<Line>,
}

// SAFETY: `own` and `named` are touched by the owner only (the methods that do so say it); all else is
// atomic or a shared handle.
unsafe impl Sync for Line {}
// SAFETY: jobs may go to other threads, and nothing in a line is bound to one.
unsafe impl Send for Line {}

impl Line {
    fn new() -> Self {
        let own = Own::new();
        let thief = own.thief();
        Line {
            own,
            thief,
            family: AtomicPtr::new(ptr::null_mut()),
            visitors: AtomicU32::new(0),
            named: Cell::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// For a waiter: robs the line if what runs on it is of `family`; `None` if it is not.
    fn rob(&self, family: *const ()) -> Option<Steal> {
        if !ptr::eq(self.family.load(Ordering::Relaxed), family) {
            return None;
        }
        // ORDERING(visit): a fence on both sides. Either we see that the family went, or the owner, who takes
        // it away first and counts visitors next, sees us and waits.
        self.visitors.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        let same = ptr::eq(self.family.load(Ordering::Relaxed), family);
        let stolen = same.then(|| self.thief.steal());
        // ORDERING(visit): Release; what we did to the line is over when the owner sees us gone.
        self.visitors.fetch_sub(1, Ordering::Release);
        stolen
    }

    /// Owner: makes sure that nobody robs this line for its present family any more.
    fn forget_family(&self) {
        if self.named.replace(false) {
            // ORDERING(visit): see `rob`.
            self.family.store(ptr::null_mut(), Ordering::Relaxed);
            fence(Ordering::SeqCst);
            while self.visitors.load(Ordering::Acquire) != 0 {
                // A visitor does a handful of instructions; if it was preempted in them, let it run.
                yield_now();
            }
        }
    }
}

/// What the owner touches all the time.
struct Owner {
    /// Where the next private job goes. Written by the owner only.
    top: AtomicPtr<AtomicPtr<Header>>,
    /// The oldest private job. Written under the gate.
    bottom: AtomicPtr<AtomicPtr<Header>>,
    /// The first place of the array, and the last; null until there is one. Touched by the owner only.
    start: Cell<Slot>,
    last: Cell<Slot>,
    /// The line in use; null until there was one. Written by the owner, while nothing is private.
    line: AtomicPtr<Line>,
    /// What waits for the job that runs now. Written by the owner, while nothing is private.
    family: AtomicPtr<()>,
    /// Somebody moves `bottom`.
    gate: AtomicBool,
}

/// The split deque; see the module.
///
/// Methods that say "owner" in their first line may be called only by the thread whose deque it is, one at a
/// time; the others by anybody.
#[repr(C)]
pub(crate) struct Split {
    owner: Padded<Owner>,
    shared: Padded<Shared>,
}

/// What thieves look at, and the owner when it must.
struct Shared {
    limit: AtomicPtr<AtomicPtr<Header>>,
    first: AtomicPtr<Line>,
    wanted: AtomicUsize,
}

// SAFETY: the cells are touched by the owner only; all else is atomic.
unsafe impl Sync for Split {}
// SAFETY: jobs may go to other threads; the deque may change its owner while it is empty.
unsafe impl Send for Split {}

/// What [`Split::enter`] changed.
#[derive(Debug)]
pub(crate) struct Above {
    line: *const Line,
    family: *const (),
}

/// Where a private job is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// It was private still, and is the caller's again.
    Back,
    /// It is public, or somebody has it.
    Gone,
}

impl Split {
    const_fn! {
        /// An empty deque that keeps `wanted` jobs public. It allocates nothing until the first push.
        pub(crate) fn new(wanted: usize) -> Self {
            Split {
                owner: Padded(Owner {
                    top: AtomicPtr::new(ptr::null_mut()),
                    bottom: AtomicPtr::new(ptr::null_mut()),
                    start: Cell::new(ptr::null_mut()),
                    last: Cell::new(ptr::null_mut()),
                    line: AtomicPtr::new(ptr::null_mut()),
                    family: AtomicPtr::new(ptr::null_mut()),
                    gate: AtomicBool::new(false),
                }),
                shared: Padded(Shared {
                    limit: AtomicPtr::new(ptr::null_mut()),
                    first: AtomicPtr::new(ptr::null_mut()),
                    wanted: AtomicUsize::new(wanted),
                }),
            }
        }
    }

    pub(crate) fn set_wanted(&self, wanted: usize) {
        self.shared.wanted.store(wanted, Ordering::Relaxed);
        self.mark_hungry();
    }

    // The private part.

    /// Owner: where the next private job goes. Null until there is an [array](Self::make_array).
    #[inline(always)]
    pub(crate) fn top(&self) -> Slot {
        self.owner.top.load(Ordering::Relaxed)
    }

    /// Owner: pushes a job. True if there is more to do: somebody may be hungry, or this was the last place.
    ///
    /// # Safety
    ///
    /// `slot` is the [top](Self::top), and not null.
    #[inline(always)]
    pub(crate) unsafe fn push(&self, slot: Slot, job: JobRef) -> bool {
        // SAFETY: the top lies in the array: whoever pushes to the last place takes the job away again.
        unsafe { (*slot).store(job.as_ptr().cast_mut(), Ordering::Relaxed) };
        // ORDERING(seize): Release; whoever seizes the job sees what it holds.
        // SAFETY: as above: at most one past the end.
        self.owner.top.store(unsafe { slot.add(1) }, Ordering::Release);
        // ORDERING(seize): the hot side; pairs with the heavy fence of who goes to sleep (`Hall::work_visible`). Either we
        // see its mark, or it sees our job.
        light_fence();
        slot >= self.shared.limit.load(Ordering::Relaxed)
    }

    /// Owner: is this the last place of the array?
    pub(crate) fn is_last(&self, slot: Slot) -> bool {
        slot == self.owner.last.get()
    }

    /// Owner: makes the array of private jobs, if there is none.
    #[cold]
    pub(crate) fn make_array(&self) {
        if !self.top().is_null() {
            return;
        }
        let array: Box<[AtomicPtr<Header>; PRIVATE]> =
            Box::new(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())));
        let array: Slot = Box::into_raw(array).cast();
        self.owner.start.set(array);
        // SAFETY: within the array just made.
        self.owner.last.set(unsafe { array.add(PRIVATE - 1) });
        self.gated(|| {
            self.owner.bottom.store(array, Ordering::Relaxed);
            self.owner.top.store(array, Ordering::Release);
        });
    }

    /// Owner: takes back the youngest private job, which it pushed at `slot`. False if it cannot tell, or somebody has
    /// it: then [`locate`](Self::locate) tells.
    #[inline(always)]
    pub(crate) fn pop(&self, slot: Slot) -> bool {
        self.owner.top.store(slot, Ordering::Relaxed);
        // ORDERING(seize): the hot side; pairs with the heavy fence in `seize`.
        light_fence();
        slot >= self.owner.bottom.load(Ordering::Relaxed)
    }

    /// Owner: after a [`pop`](Self::pop) that could not tell, says where the job is, and gives its place back.
    pub(crate) fn locate(&self, slot: Slot) -> Whereabouts {
        self.gated(|| {
            if slot >= self.owner.bottom.load(Ordering::Relaxed) {
                return Whereabouts::Back;
            }
            self.owner.bottom.store(slot, Ordering::Relaxed);
            Whereabouts::Gone
        })
    }

    /// Owner: is nothing private?
    pub(crate) fn nothing_private(&self) -> bool {
        self.top() == self.owner.start.get() || self.gated(|| self.top() == self.bottom())
    }

    fn bottom(&self) -> Slot {
        self.owner.bottom.load(Ordering::Relaxed)
    }

    /// Owner: a mark of how many joins are open.
    pub(crate) fn depth(&self) -> Slot {
        self.top()
    }

    /// Runs `f` while no thief seizes anything.
    fn gated<R>(&self, f: impl FnOnce() -> R) -> R {
        // ORDERING(gate): Acquire; pairs with the stores below and in `seize`.
        while self.owner.gate.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            // A thief does one system call in there; if it was preempted, let it run.
            yield_now();
        }
        let result = f();
        // ORDERING(gate): Release.
        self.owner.gate.store(false, Ordering::Release);
        result
    }

    // The public part.

    /// Owner: moves the oldest private jobs to the public part until that is as long as wanted. Says how
    /// many it moved. `stamp` readies each.
    pub(crate) fn expose(&self, stamp: impl Fn(JobRef)) -> usize {
        let wanted = self.shared.wanted.load(Ordering::Relaxed);
        let mut moved = 0;
        loop {
            let missing = wanted.saturating_sub(self.line().own.len());
            moved += self.expose_up_to(missing, &stamp);
            if self.line().own.len() < wanted {
                // There was not enough to move. Those who are hungry stay so.
                return moved;
            }
            self.shared.limit.store(self.owner.last.get(), Ordering::Relaxed);
            // ORDERING(hungry): the thief takes a job and stores null next. Either its null comes after our
            // store and stays, or this fence makes us see that the job is gone.
            fence(Ordering::SeqCst);
            if self.line().own.len() >= wanted {
                return moved;
            }
            self.mark_hungry();
        }
    }

    /// Owner: moves all private jobs to the public part and says how many those were.
    pub(crate) fn expose_all(&self, stamp: impl Fn(JobRef)) -> usize {
        // Usual for a worker that has just begun; spares it the gate.
        if self.top() == self.owner.start.get() { 0 } else { self.expose_up_to(usize::MAX, &stamp) }
    }

    fn expose_up_to(&self, most: usize, stamp: &impl Fn(JobRef)) -> usize {
        if most == 0 {
            return 0;
        }
        self.gated(|| {
            let (top, mut bottom, mut moved) = (self.top(), self.bottom(), 0);
            while moved < most && bottom != top {
                // SAFETY: between bottom and top every place holds a job.
                let job = JobRef::new(unsafe { (*bottom).load(Ordering::Relaxed) });
                stamp(job);
                self.push_public(job);
                // SAFETY: bottom was below top.
                bottom = unsafe { bottom.add(1) };
                moved += 1;
            }
            self.owner.bottom.store(bottom, Ordering::Relaxed);
            moved
        })
    }

    /// Owner: pushes a stamped job where all can see it. Nothing older is private.
    pub(crate) fn push_public(&self, job: JobRef) {
        let line = self.line();
        if !line.named.replace(true) {
            // Relaxed: visitors of the name before are gone, and one that does not see this name finds nothing.
            line.family.store(self.owner.family.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        line.own.push(job);
    }

    /// Owner: takes back the youngest public job.
    pub(crate) fn pop_public(&self) -> Option<JobRef> {
        let job = self.line_if_any()?.own.pop();
        if job.is_some() {
            self.mark_hungry();
        }
        job
    }

    /// Owner: takes the oldest public job for itself, as a thief would: of the line in use, or else of those below. What stays
    /// is younger, so that whoever is open on the line finds his own on top still, or knows that it has gone.
    pub(crate) fn rob_oneself(&self) -> Option<JobRef> {
        let on_line = self.line_if_any().and_then(|line| line.thief.steal().job());
        let job = on_line.or_else(|| self.steal().job());
        if job.is_some() {
            self.mark_hungry();
        }
        job
    }

    fn line_if_any(&self) -> Option<&Line> {
        // SAFETY: null or a line of ours, which lives as long as we do.
        unsafe { self.owner.line.load(Ordering::Relaxed).as_ref() }
    }

    fn line(&self) -> &Line {
        self.line_if_any().unwrap_or_else(|| self.next_line(&self.shared.first))
    }

    #[cold]
    fn next_line(&self, link: &AtomicPtr<Line>) -> &Line {
        let mut line = link.load(Ordering::Relaxed);
        if line.is_null() {
            line = Box::into_raw(Box::new(Line::new()));
            // ORDERING(line): Release; pairs with the loads in `lines`.
            link.store(line, Ordering::Release);
        }
        // ORDERING(seize): Release, for whoever seizes under the gate and looks at our line.
        self.owner.line.store(line, Ordering::Release);
        // SAFETY: lines are freed with the deque.
        unsafe { &*line }
    }

    // Jobs that run.

    /// Owner: a job of `family` is about to run. Nothing is private.
    pub(crate) fn enter(&self, family: *const ()) -> Above {
        let above = Above {
            line: self.owner.line.load(Ordering::Relaxed),
            family: self.owner.family.load(Ordering::Relaxed),
        };
        if let Some(line) = self.line_if_any() {
            if line.own.is_empty() {
                line.forget_family();
            } else {
                self.next_line(&line.next);
            }
        }
        self.owner.family.store(family.cast_mut(), Ordering::Relaxed);
        above
    }

    /// Owner: the job that `above` came from has ended, and left nothing behind.
    pub(crate) fn leave(&self, above: Above) {
        if let Some(line) = self.line_if_any() {
            debug_assert!(line.own.is_empty(), "a job leaves no job behind on its line");
            line.forget_family();
        }
        if !above.line.is_null() {
            self.owner.line.store(above.line.cast_mut(), Ordering::Release);
        }
        self.owner.family.store(above.family.cast_mut(), Ordering::Relaxed);
    }

    // For everybody.

    /// Robs the oldest public job; if that leaves nothing public, the owner is asked for more. Whoever gets the
    /// [last](Steal::Last) one then calls a sleeper: one that looked before the mark stood may have missed a private job.
    pub(crate) fn steal(&self) -> Steal {
        let mut found = Steal::Empty;
        for line in self.lines() {
            match found {
                Steal::Empty => found = line.thief.steal(),
                // The one taken was the last on its line, but not on them all.
                Steal::Last(job) if !line.thief.is_empty() => found = Steal::More(job),
                _ => break,
            }
        }
        if !matches!(found, Steal::More(_)) {
            self.mark_hungry();
        }
        found
    }

    /// Robs a job that is a descendant of what `family` waits for, on whatever line it is; if that leaves the
    /// line empty, the owner is asked for more.
    pub(crate) fn rob(&self, family: *const ()) -> Steal {
        let Some(stolen) = self.lines().find_map(|line| line.rob(family)) else { return Steal::Empty };
        if !matches!(stolen, Steal::More(_)) {
            self.mark_hungry();
        }
        stolen
    }

    /// Seizes the oldest private job, from an owner that does not answer: it runs something long, or does not run at
    /// all. With `family`, only a descendant of what that waits for. `stamp` readies it. Costs a system call and
    /// interrupts other processors: for a thread that has found nothing else.
    pub(crate) fn seize(&self, family: Option<*const ()>, stamp: impl FnOnce(JobRef)) -> Option<JobRef> {
        if !self.may_have_private() {
            return None;
        }
        // ORDERING(gate): Acquire.
        self.owner.gate.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let bottom = self.bottom();
        let mut seized = None;
        if bottom < self.owner.top.load(Ordering::Acquire) {
            // SAFETY: below top, so in the array.
            self.owner.bottom.store(unsafe { bottom.add(1) }, Ordering::Relaxed);
            // ORDERING(seize): the rare side; pairs with the light fence in `pop`. Either the owner sees `bottom` above
            // its job and comes to the gate, or we see `top` below.
            let fenced = membarrier::heavy();
            // ORDERING(seize): Acquire; pairs with the store in `push`.
            if fenced && bottom < self.owner.top.load(Ordering::Acquire) && self.may_seize(family) {
                // SAFETY: as above; and the place holds a job that the owner cannot take back without the gate.
                let job = JobRef::new(unsafe { (*bottom).load(Ordering::Relaxed) });
                stamp(job);
                seized = Some(job);
            } else {
                self.owner.bottom.store(bottom, Ordering::Relaxed);
            }
        }
        // ORDERING(gate): Release.
        self.owner.gate.store(false, Ordering::Release);
        seized
    }

    /// Under the gate, with a job claimed: the owner cannot change its line or family, which it does only when nothing
    /// is private.
    fn may_seize(&self, family: Option<*const ()>) -> bool {
        // ORDERING(seize): Acquire; pairs with the stores in `next_line` and `leave`.
        // SAFETY: null or a line, which lives as long as the deque.
        let line = unsafe { self.owner.line.load(Ordering::Acquire).as_ref() };
        // Older jobs go first, so that the owner finds its own in the order of a stack.
        line.is_none_or(|line| line.thief.is_empty())
            && family.is_none_or(|family| ptr::eq(self.owner.family.load(Ordering::Relaxed), family))
    }

    /// Could there be something to [`seize`](Self::seize)? By the time the answer is there it may be wrong.
    pub(crate) fn may_have_private(&self) -> bool {
        self.bottom() < self.top() && membarrier::is_available()
    }

    /// How many jobs are public.
    pub(crate) fn len(&self) -> usize {
        self.lines().map(|line| line.thief.len()).sum()
    }

    /// About how many jobs there are, public and private.
    pub(crate) fn wealth(&self) -> usize {
        let (top, bottom) = (self.top() as usize, self.bottom() as usize);
        self.len() + top.saturating_sub(bottom) / size_of::<AtomicPtr<Header>>()
    }

    /// Is nothing public?
    pub(crate) fn is_empty(&self) -> bool {
        self.lines().all(|line| line.thief.is_empty())
    }

    /// Asks the owner to expose something when it next pushes.
    pub(crate) fn mark_hungry(&self) {
        // Looked at first, so that a mark that stands already does not take the line from its owner.
        if !self.shared.limit.load(Ordering::Relaxed).is_null() {
            self.shared.limit.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }

    /// Does a mark stand?
    #[cfg(all(test, loom))]
    pub(crate) fn is_hungry(&self) -> bool {
        self.shared.limit.load(Ordering::Relaxed).is_null()
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        // ORDERING(line): Acquire; pairs with the store in `next_line`.
        // SAFETY: null or a line of ours; lines are freed with the deque, which is borrowed.
        let first = unsafe { self.shared.first.load(Ordering::Acquire).as_ref() };
        std::iter::successors(first, |line| {
            // SAFETY: as above.
            unsafe { line.next.load(Ordering::Acquire).as_ref() }
        })
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        let mut line = self.shared.first.load(Ordering::Relaxed);
        while !line.is_null() {
            // SAFETY: out of `Box::into_raw` in `next_line`, and linked once.
            let boxed = unsafe { Box::from_raw(line) };
            line = boxed.next.load(Ordering::Relaxed);
        }
        let start = self.owner.start.get();
        if !start.is_null() {
            // SAFETY: out of `Box::into_raw` in `make_array`, with this type.
            drop(unsafe { Box::from_raw(start.cast::<[AtomicPtr<Header>; PRIVATE]>()) });
        }
    }
}
