//! A worker's own line of jobs, in two parts.
//!
//! The *private* part is a plain array of pointers that only the owner touches: pushing is a store and an
//! increment, popping a comparison. The *public* part is a Chase-Lev deque that thieves rob from the other
//! end. Public jobs are always older than private ones, so what is robbed is what is largest.
//!
//! Between the two stands one word, `limit`. The owner compares its top with it on each push. It is the end of
//! the array, or null when somebody is *hungry*: then the push takes the slow path, where the owner
//! [exposes](Split::expose) its oldest private jobs until the public part is `wanted` long. So one comparison
//! tells the owner that the array is full and that somebody wants work.
//!
//! The rule that no hungry thief is forgotten: `limit` is not null only if the public part was `wanted` long
//! after the owner had set it so. A thief that takes the last public job, or finds none, stores null; an owner
//! that pops a public job stores null itself.
//!
//! A worker that runs a stolen job above an open frame must not mix that job's children with older public
//! jobs, because whoever waits for the stolen job robs this worker and must find nothing but its descendants.
//! So the public part is a stack of *lines*: a job that starts while the current line is not empty gets the
//! next one. Each line carries the *family* of the job that runs on it (what waits for it); a waiter
//! [visits](Line::rob) a line and robs it only while the family is its own.
//!
//! Sources: David Chase, Yossi Lev, "Dynamic circular work-stealing deque" (2005); Karl-Filip Faxén, "Wool: a
//! work stealing library" (2008); Tom van Dijk, Jaco van de Pol, "Lace: non-blocking split deque for
//! work-stealing" (2014); Umut Acar, Arthur Charguéraud, Mike Rainey, "Scheduling parallel programs by work
//! stealing with private deques" (2013); David Wagner, Brad Calder, "Leapfrogging" (1993).

#![allow(unsafe_code, reason = "the owner's part of a shared structure, raw pointers to jobs")]

use std::cell::Cell;
use std::ptr;

use crate::mill::job::{Header, JobRef};
use crate::prim::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use crate::prim::{Padded, const_fn, fence_after_update, yield_now};

pub(crate) use public::{Inbox, Own, Thief};

/// What came of an attempt to steal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steal {
    /// A job, and nothing was left behind it.
    Last(JobRef),
    /// A job; there are more.
    More(JobRef),
    Empty,
}

impl Steal {
    pub(crate) fn job(self) -> Option<JobRef> {
        match self {
            Steal::Last(job) | Steal::More(job) => Some(job),
            Steal::Empty => None,
        }
    }
}

/// How many joins can be open on one worker before further ones go straight to the public part.
const PRIVATE: usize = if cfg!(loom) { 4 } else { 1024 };

/// A place in the private part.
pub(crate) type Slot = *mut *const Header;

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

/// What only the owner touches.
struct Owner {
    /// Where the next private job goes.
    top: Cell<Slot>,
    /// The oldest private job.
    bottom: Cell<Slot>,
    end: Cell<Slot>,
    /// The line in use; null until there was one.
    line: Cell<*const Line>,
    /// What waits for the job that runs now.
    family: Cell<*const ()>,
}

/// The split deque; see the module.
///
/// Methods that say "owner" in their first line may be called only by the thread whose deque it is, one at a
/// time; the others by anybody.
#[repr(C)]
pub(crate) struct Split {
    owner: Padded<Owner>,
    limit: Padded<AtomicPtr<*const Header>>,
    first: AtomicPtr<Line>,
    wanted: AtomicUsize,
}

// SAFETY: `owner` is touched by the owner only; all else is atomic.
unsafe impl Sync for Split {}
// SAFETY: jobs may go to other threads; the deque may change its owner while it is empty.
unsafe impl Send for Split {}

/// What [`Split::enter`] changed.
#[derive(Debug)]
pub(crate) struct Above {
    line: *const Line,
    family: *const (),
}

impl Split {
    const_fn! {
        /// An empty deque that keeps `wanted` jobs public. It allocates nothing until the first push.
        pub(crate) fn new(wanted: usize) -> Self {
            Split {
                owner: Padded(Owner {
                    top: Cell::new(ptr::null_mut()),
                    bottom: Cell::new(ptr::null_mut()),
                    end: Cell::new(ptr::null_mut()),
                    line: Cell::new(ptr::null()),
                    family: Cell::new(ptr::null()),
                }),
                // Null: the first push finds its way to the slow path, which makes the array.
                limit: Padded(AtomicPtr::new(ptr::null_mut())),
                first: AtomicPtr::new(ptr::null_mut()),
                wanted: AtomicUsize::new(wanted),
            }
        }
    }

    pub(crate) fn set_wanted(&self, wanted: usize) {
        self.wanted.store(wanted, Ordering::Relaxed);
        self.mark_hungry();
    }

    // The private part.

    /// Owner: may it [`push`](Self::push)? Not if the array is full, not made yet, or somebody is hungry.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        // Relaxed: the mark carries no data. It is seen on some later push, if not on this one.
        self.owner.top.get() < self.limit.load(Ordering::Relaxed)
    }

    /// Owner: pushes a job.
    ///
    /// # Safety
    ///
    /// The deque [has room](Self::has_room).
    #[inline(always)]
    pub(crate) unsafe fn push(&self, job: JobRef) {
        let top = self.owner.top.get();
        // SAFETY: `limit` was not null, so it was the array's end, and `top` lies below it.
        unsafe { top.write(job.as_ptr()) };
        // SAFETY: as above: at most one past the end.
        self.owner.top.set(unsafe { top.add(1) });
    }

    /// Owner: pushes a job although somebody may be hungry; false if the array is full.
    pub(crate) fn push_slowly(&self, job: JobRef) -> bool {
        if self.owner.end.get().is_null() {
            let array: Box<[*const Header; PRIVATE]> = Box::new([ptr::null(); PRIVATE]);
            let array: Slot = Box::into_raw(array).cast();
            self.owner.top.set(array);
            self.owner.bottom.set(array);
            // SAFETY: one past the end of the array just made.
            self.owner.end.set(unsafe { array.add(PRIVATE) });
        }
        if self.owner.top.get() == self.owner.end.get() {
            return false;
        }
        // SAFETY: as `has_room` would say, were nobody hungry.
        unsafe { self.push(job) };
        true
    }

    /// Owner: takes the youngest private job back, which the caller pushed; false if it is not private any more.
    #[inline(always)]
    pub(crate) fn pop(&self) -> bool {
        let top = self.owner.top.get();
        if top == self.owner.bottom.get() {
            return false;
        }
        // SAFETY: above bottom, so not the array's beginning.
        self.owner.top.set(unsafe { top.sub(1) });
        true
    }

    /// Owner: gives back the place of the youngest job, which was exposed.
    pub(crate) fn vacate(&self) {
        debug_assert!(
            self.nothing_private(),
            "what is younger than a public job is gone when it is taken back"
        );
        // SAFETY: a job was pushed to the place below top.
        let slot = unsafe { self.owner.top.get().sub(1) };
        self.owner.bottom.set(slot);
        self.owner.top.set(slot);
    }

    /// Owner: is nothing private?
    pub(crate) fn nothing_private(&self) -> bool {
        self.owner.top.get() == self.owner.bottom.get()
    }

    /// Owner: a mark of how many joins are open.
    pub(crate) fn depth(&self) -> Slot {
        self.owner.top.get()
    }

    // The public part.

    /// Owner: moves the oldest private jobs to the public part until that is as long as wanted. Says how
    /// many it moved. `stamp` readies each.
    pub(crate) fn expose(&self, stamp: impl Fn(JobRef)) -> usize {
        let wanted = self.wanted.load(Ordering::Relaxed);
        let mut moved = 0;
        loop {
            let missing = wanted.saturating_sub(self.line().own.len());
            moved += self.expose_up_to(missing, &stamp);
            if self.line().own.len() < wanted {
                // There was not enough to move. Those who are hungry stay so.
                return moved;
            }
            self.limit.store(self.owner.end.get(), Ordering::Relaxed);
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
        self.expose_up_to(usize::MAX, &stamp)
    }

    fn expose_up_to(&self, most: usize, stamp: &impl Fn(JobRef)) -> usize {
        let mut moved = 0;
        while moved < most && !self.nothing_private() {
            let bottom = self.owner.bottom.get();
            // SAFETY: between bottom and top every place holds a job.
            let job = JobRef::new(unsafe { bottom.read() });
            stamp(job);
            self.push_public(job);
            // SAFETY: bottom was below top.
            self.owner.bottom.set(unsafe { bottom.add(1) });
            moved += 1;
        }
        moved
    }

    /// Owner: pushes a stamped job where all can see it. Nothing is private.
    pub(crate) fn push_public(&self, job: JobRef) {
        let line = self.line();
        if !line.named.replace(true) {
            // Relaxed: visitors of the name before are gone, and one that does not see this name finds nothing.
            line.family.store(self.owner.family.get().cast_mut(), Ordering::Relaxed);
        }
        line.own.push(job);
    }

    /// Owner: takes back the youngest public job.
    pub(crate) fn pop_public(&self) -> Option<JobRef> {
        // SAFETY: null or a line of ours, which lives as long as we do.
        let line = unsafe { self.owner.line.get().as_ref() }?;
        let job = line.own.pop();
        if job.is_some() {
            self.mark_hungry();
        }
        job
    }

    fn line(&self) -> &Line {
        // SAFETY: null or a line of ours, which lives as long as we do.
        unsafe { self.owner.line.get().as_ref() }.unwrap_or_else(|| self.next_line(&self.first))
    }

    #[cold]
    fn next_line(&self, link: &AtomicPtr<Line>) -> &Line {
        let mut line = link.load(Ordering::Relaxed);
        if line.is_null() {
            line = Box::into_raw(Box::new(Line::new()));
            // ORDERING(line): Release; pairs with the loads in `lines`.
            link.store(line, Ordering::Release);
        }
        self.owner.line.set(line);
        // SAFETY: lines are freed with the deque.
        unsafe { &*line }
    }

    // Jobs that run.

    /// Owner: a job of `family` is about to run. Nothing is private.
    pub(crate) fn enter(&self, family: *const ()) -> Above {
        let above = Above { line: self.owner.line.get(), family: self.owner.family.get() };
        // SAFETY: null or a line of ours, which lives as long as we do.
        if let Some(line) = unsafe { above.line.as_ref() } {
            if line.own.is_empty() {
                line.forget_family();
            } else {
                self.next_line(&line.next);
            }
        }
        self.owner.family.set(family);
        above
    }

    /// Owner: the job that `above` came from has ended, and left nothing behind.
    pub(crate) fn leave(&self, above: Above) {
        // SAFETY: null or a line of ours, which lives as long as we do.
        if let Some(line) = unsafe { self.owner.line.get().as_ref() } {
            debug_assert!(line.own.is_empty(), "a job leaves no job behind on its line");
            line.forget_family();
        }
        if !above.line.is_null() {
            self.owner.line.set(above.line);
        }
        self.owner.family.set(above.family);
    }

    // For everybody.

    /// Robs the oldest public job; if that leaves nothing public, the owner is asked for more.
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
    pub(crate) fn rob(&self, family: *const ()) -> Option<JobRef> {
        let stolen = self.lines().find_map(|line| line.rob(family))?;
        if !matches!(stolen, Steal::More(_)) {
            self.mark_hungry();
        }
        stolen.job()
    }

    /// How many jobs are public.
    pub(crate) fn len(&self) -> usize {
        self.lines().map(|line| line.thief.len()).sum()
    }

    /// Is nothing public?
    pub(crate) fn is_empty(&self) -> bool {
        self.lines().all(|line| line.thief.is_empty())
    }

    /// Asks the owner to expose something when it next pushes.
    pub(crate) fn mark_hungry(&self) {
        // Looked at first, so that a mark that stands already does not take the line from its owner.
        if !self.limit.load(Ordering::Relaxed).is_null() {
            self.limit.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        // ORDERING(line): Acquire; pairs with the store in `next_line`.
        // SAFETY: null or a line of ours; lines are freed with the deque, which is borrowed.
        let first = unsafe { self.first.load(Ordering::Acquire).as_ref() };
        std::iter::successors(first, |line| {
            // SAFETY: as above.
            unsafe { line.next.load(Ordering::Acquire).as_ref() }
        })
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        let mut line = self.first.load(Ordering::Relaxed);
        while !line.is_null() {
            // SAFETY: out of `Box::into_raw` in `next_line`, and linked once.
            let boxed = unsafe { Box::from_raw(line) };
            line = boxed.next.load(Ordering::Relaxed);
        }
        let end = self.owner.end.get();
        if !end.is_null() {
            // SAFETY: `end` is one past the array that `push_slowly` made.
            let array = unsafe { end.sub(PRIVATE) };
            // SAFETY: out of `Box::into_raw`, with this type.
            drop(unsafe { Box::from_raw(array.cast::<[*const Header; PRIVATE]>()) });
        }
    }
}

/// The owner's half of a line is touched by the owner only; see [`Line`].
#[cfg(not(loom))]
mod public {
    use crossbeam_deque as deque;

    use super::Steal;
    use crate::mill::job::JobRef;

    /// The owner's end of a Chase-Lev deque: last in, first out.
    pub(crate) struct Own(deque::Worker<JobRef>);

    impl Own {
        pub(crate) fn new() -> Self {
            Own(deque::Worker::new_lifo())
        }

        pub(crate) fn thief(&self) -> Thief {
            Thief(self.0.stealer())
        }

        pub(crate) fn push(&self, job: JobRef) {
            self.0.push(job);
        }

        pub(crate) fn pop(&self) -> Option<JobRef> {
            self.0.pop()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    /// The other end.
    pub(crate) struct Thief(deque::Stealer<JobRef>);

    impl Thief {
        pub(crate) fn steal(&self) -> Steal {
            loop {
                match self.0.steal() {
                    deque::Steal::Success(job) if self.0.is_empty() => return Steal::Last(job),
                    deque::Steal::Success(job) => return Steal::More(job),
                    deque::Steal::Empty => return Steal::Empty,
                    // Somebody else got it: the line moves on, so this ends.
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        /// Moves up to half of the jobs to `into` and returns one of them.
        pub(crate) fn steal_batch(&self, into: &Own) -> Option<JobRef> {
            loop {
                match self.0.steal_batch_and_pop(&into.0) {
                    deque::Steal::Success(job) => return Some(job),
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    /// A queue that everybody pushes to and everybody takes from: first in, first out.
    pub(crate) struct Inbox(deque::Injector<JobRef>);

    impl Inbox {
        pub(crate) fn new() -> Self {
            Inbox(deque::Injector::new())
        }

        pub(crate) fn push(&self, job: JobRef) {
            self.0.push(job);
        }

        pub(crate) fn take(&self) -> Option<JobRef> {
            loop {
                match self.0.steal() {
                    deque::Steal::Success(job) => return Some(job),
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        /// Moves a batch of jobs to `into` and returns the first.
        pub(crate) fn take_batch(&self, into: &Own) -> Option<JobRef> {
            loop {
                match self.0.steal_batch_and_pop(&into.0) {
                    deque::Steal::Success(job) => return Some(job),
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }
}

/// The same promises in the fewest words, with the orderings of the real ones, for loom.
#[cfg(loom)]
mod public {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

    use super::Steal;
    use crate::mill::job::JobRef;

    /// More jobs than any model has in one line.
    const ROOM: usize = 4;

    struct Line {
        front: AtomicUsize,
        back: AtomicUsize,
        jobs: [AtomicPtr<()>; ROOM],
    }

    impl Line {
        fn new() -> Arc<Line> {
            Arc::new(Line {
                // So that `back` can go below it for a moment.
                front: AtomicUsize::new(1),
                back: AtomicUsize::new(1),
                jobs: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            })
        }

        fn put(&self, at: usize, job: JobRef, order: Ordering) {
            self.jobs[at % ROOM].store(job.as_ptr().cast_mut().cast(), order);
        }

        fn get(&self, at: usize) -> JobRef {
            JobRef::new(self.jobs[at % ROOM].load(Ordering::Relaxed).cast_const().cast())
        }
    }

    /// A Chase-Lev deque that does not grow.
    pub(crate) struct Own(Arc<Line>);

    impl Own {
        pub(crate) fn new() -> Self {
            Own(Line::new())
        }

        pub(crate) fn thief(&self) -> Thief {
            Thief(Arc::clone(&self.0))
        }

        pub(crate) fn push(&self, job: JobRef) {
            let back = self.0.back.load(Ordering::Relaxed);
            assert!(back - self.0.front.load(Ordering::Acquire) < ROOM, "the model needs more room");
            self.0.put(back, job, Ordering::Relaxed);
            fence(Ordering::Release);
            self.0.back.store(back + 1, Ordering::Relaxed);
        }

        pub(crate) fn pop(&self) -> Option<JobRef> {
            let back = self.0.back.load(Ordering::Relaxed);
            if back <= self.0.front.load(Ordering::Relaxed) {
                return None;
            }
            self.0.back.store(back - 1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let front = self.0.front.load(Ordering::Relaxed);
            if back - 1 < front {
                self.0.back.store(back, Ordering::Relaxed);
                return None;
            }
            let job = self.0.get(back - 1);
            if back - 1 == front {
                let won =
                    self.0.front.compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed);
                self.0.back.store(back, Ordering::Relaxed);
                return won.is_ok().then_some(job);
            }
            Some(job)
        }

        pub(crate) fn len(&self) -> usize {
            let back = self.0.back.load(Ordering::Relaxed);
            back.saturating_sub(self.0.front.load(Ordering::SeqCst))
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }

    /// The other end.
    pub(crate) struct Thief(Arc<Line>);

    impl Thief {
        pub(crate) fn steal(&self) -> Steal {
            loop {
                let front = self.0.front.load(Ordering::Acquire);
                fence(Ordering::SeqCst);
                if self.0.back.load(Ordering::Acquire) <= front {
                    return Steal::Empty;
                }
                let job = self.0.get(front);
                let won =
                    self.0.front.compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed);
                match won {
                    Ok(_) if self.is_empty() => return Steal::Last(job),
                    Ok(_) => return Steal::More(job),
                    Err(_) => loom::thread::yield_now(),
                }
            }
        }

        /// Takes two jobs at most: one for `into`, and the one returned.
        pub(crate) fn steal_batch(&self, into: &Own) -> Option<JobRef> {
            let job = self.steal().job();
            if let Some(second) = job.and_then(|_| self.steal().job()) {
                into.push(second);
            }
            job
        }

        pub(crate) fn len(&self) -> usize {
            let front = self.0.front.load(Ordering::Acquire);
            fence(Ordering::SeqCst);
            self.0.back.load(Ordering::Acquire).saturating_sub(front)
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }

    /// A queue that does not turn round: each place is used once.
    pub(crate) struct Inbox(Arc<Line>);

    impl Inbox {
        pub(crate) fn new() -> Self {
            Inbox(Line::new())
        }

        pub(crate) fn push(&self, job: JobRef) {
            let back = self.0.back.fetch_add(1, Ordering::SeqCst);
            assert!(back <= ROOM, "the model needs more room");
            self.0.put(back, job, Ordering::Release);
        }

        pub(crate) fn take(&self) -> Option<JobRef> {
            loop {
                let front = self.0.front.load(Ordering::Acquire);
                fence(Ordering::SeqCst);
                if self.0.back.load(Ordering::Acquire) <= front {
                    return None;
                }
                let won =
                    self.0.front.compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed);
                if won.is_ok() {
                    while self.0.jobs[front % ROOM].load(Ordering::Acquire).is_null() {
                        loom::thread::yield_now();
                    }
                    return Some(self.0.get(front));
                }
                loom::thread::yield_now();
            }
        }

        /// As [`Thief::steal_batch`].
        pub(crate) fn take_batch(&self, into: &Own) -> Option<JobRef> {
            let job = self.take();
            if let Some(second) = job.and_then(|_| self.take()) {
                into.push(second);
            }
            job
        }

        pub(crate) fn is_empty(&self) -> bool {
            let front = self.0.front.load(Ordering::SeqCst);
            front == self.0.back.load(Ordering::SeqCst)
        }
    }
}
