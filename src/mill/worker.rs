//! What a thread does on its seat: find work, run it, wait for it, sleep.

#![allow(unsafe_code, reason = "runs jobs, and follows the thread's own pointers to its seat and mill")]

use std::ptr;
use std::time::{Duration, Instant};

use crate::locality::{Groups, Tier};
use crate::mill::deque::Steal;
use crate::mill::hall::Hall;
use crate::mill::injector::Priority;
use crate::mill::job::JobRef;
use crate::mill::roster::Crowd;
use crate::mill::seat::{self, Seat, Sitting};
use crate::prim::atomic::Ordering;
use crate::prim::{spin_loop, yield_now};
use crate::sync::help;
use crate::sync::parker::Parker;
use crate::sys::fork;

/// How many fruitless rounds a thread makes before it sleeps, if the last ones paid: about 50 us.
pub(crate) const PATIENCE: u32 = if cfg!(loom) { 1 } else { 96 };
/// And if they never do.
const IMPATIENCE: u32 = if cfg!(loom) { 1 } else { 2 };
/// Rounds that only spin; later ones yield the processor to whoever else wants it.
pub(super) const SPINS: u32 = if cfg!(loom) { 0 } else { 40 };
/// The half of a join that takes less is not worth robbing: its owner and the thief spend about as much on it.
const WORTH_IT: Duration = Duration::from_micros(1);
/// So often a thief doubles the time it lets others alone when it finds nothing but such halves.
const MOST_SMALL: u32 = if cfg!(loom) { 0 } else { 3 };
/// How many jobs of one scope a thief takes along with the first.
const SIBLINGS: usize = 15;
/// The round from which a searcher looks beyond its node, well under a microsecond after it began; and at how many seats.
const FIRST_TRIP: u32 = if cfg!(loom) { 0 } else { 4 };
const SAMPLE: usize = 8;
/// A spare thread that nobody needed for so long leaves.
const SPARE_STAYS: Duration = Duration::from_secs(if cfg!(loom) { 0 } else { 1 });

/// How far a thief looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// On its own node.
    Node,
    /// Everywhere.
    Machine,
}

impl Reach {
    /// Those of a seat's victims.
    fn of<'a>(self, groups: Groups<'a>) -> impl Iterator<Item = (Tier, &'a [usize])> {
        groups.take_while(move |(tier, _)| self == Reach::Machine || *tier < Tier::Remote)
    }
}

/// The calling thread on its seat in its mill.
#[derive(Clone, Copy)]
pub(crate) struct Worker<'a> {
    pub(crate) seat: &'a Seat,
    pub(crate) hall: &'a Hall,
}

impl<'a> Worker<'a> {
    /// The calling thread's, if it sits in a mill.
    #[inline]
    pub(crate) fn current() -> Option<Worker<'a>> {
        seat::current().map(Worker::on)
    }

    /// The calling thread's, where only threads that sit in a mill come by.
    pub(crate) fn seated() -> Worker<'a> {
        Worker::current().unwrap_or_else(|| lost())
    }

    /// The worker on the calling thread's own seat.
    #[inline]
    pub(crate) fn on(seat: &'a Seat) -> Worker<'a> {
        // SAFETY: `sit` stored the hall, which outlives whoever sits in it.
        Worker { seat, hall: unsafe { &*seat.hall().cast::<Hall>() } }
    }

    // Publishing.

    /// Somebody may be hungry: exposes what is due and calls a sleeper if that was anything.
    pub(crate) fn feed(&self) {
        if self.seat.deque.expose(stamp_of(self.seat)) > 0 {
            self.call();
        }
    }

    /// Makes all private jobs public, and calls a sleeper if those were any.
    #[inline]
    pub(crate) fn expose_all(&self) {
        if self.seat.deque.expose_all(stamp_of(self.seat)) > 0 {
            self.call();
        }
    }

    /// Pushes a stamped job where all can see it.
    pub(crate) fn push_public(&self, job: JobRef) {
        self.expose_all();
        self.seat.deque.push_public(job);
        self.call();
    }

    /// As [`push_public`](Self::push_public), when nothing is private.
    pub(crate) fn push_on_line(&self, job: JobRef) {
        debug_assert!(self.seat.deque.nothing_private());
        self.seat.deque.push_public(job);
        self.call();
    }

    /// Pushes a loose job: nothing on this thread waits for it.
    pub(crate) fn push_loose(&self, priority: Priority, job: JobRef) {
        // A visitor leaves soon; its loose jobs would be left lying.
        let settings = &self.hall.settings;
        if priority == Priority::Normal && !self.seat.owner.visitor.get() && !settings.strict_fifo {
            self.seat.loose().own.push(job);
        } else {
            self.hall.inboxes[if settings.strict_fifo { 0 } else { self.seat.node() }].push(priority, job);
        }
        self.call();
    }

    /// Calls a sleeper, if there is one, a slot for it, and nobody searches.
    #[inline]
    pub(crate) fn call(&self) {
        if self.hall.idle.is_call_due() && self.hall.call(Some(self.seat)) {
            self.seat.stats.woke_somebody();
        }
    }

    // Running.

    /// Runs a job that was taken out of a queue, above whatever open frames there are, and all that it leaves
    /// on its line: children of a scope that somebody else waits for.
    ///
    /// # Safety
    ///
    /// The caller took `job` out of a queue and nobody else has it.
    pub(crate) unsafe fn run(&self, job: JobRef) {
        let (deque, owner) = (&self.seat.deque, &self.seat.owner);
        self.expose_all();
        // SAFETY: jobs in queues are stamped.
        let above = deque.enter(unsafe { job.stamped() }.family);
        let scope = owner.scope.replace(ptr::null());
        // SAFETY: stamped, and not run yet.
        unsafe { job.started(ptr::from_ref(self.seat).cast()) };
        let mut next = Some(job);
        while let Some(job) = next {
            // SAFETY: taken out of a queue, by the caller or just now.
            unsafe { self.run_here(job) };
            next = deque.pop_public();
        }
        owner.scope.set(scope);
        deque.leave(above);
    }

    /// Runs `work`, which must not unwind, as a job of `family` under `token`, above whatever open frames there are; and
    /// all that it leaves on its line. For a thread that is about to wait for just this.
    pub(crate) fn run_above(&self, family: *const (), token: *const (), work: impl FnOnce()) {
        let (deque, owner) = (&self.seat.deque, &self.seat.owner);
        self.expose_all();
        let above = deque.enter(family);
        let scope = owner.scope.replace(ptr::null());
        let before = self.set_token(token);
        work();
        self.set_token(before);
        self.seat.stats.ran();
        while let Some(job) = deque.pop_public() {
            // SAFETY: popped just now.
            unsafe { self.run_here(job) };
        }
        owner.scope.set(scope);
        deque.leave(above);
    }

    /// Runs a job on the present line.
    ///
    /// # Safety
    ///
    /// As [`run`](Self::run).
    pub(crate) unsafe fn run_here(&self, job: JobRef) {
        // SAFETY: jobs in queues are stamped.
        let before = self.set_token(unsafe { job.stamped() }.token);
        // SAFETY: ours, says the caller. Jobs do not unwind.
        unsafe { job.run() };
        self.set_token(before);
        self.seat.stats.ran();
    }

    /// From now on this thread works under `token`; returns the one before.
    pub(crate) fn set_token(&self, token: *const ()) -> *const () {
        let before = self.seat.token();
        if !ptr::eq(before, token) {
            self.seat.set_token(token);
            // Cancelling marks all deques, so that the next push looks at its token; but this one may have looked
            // under the other token since.
            self.seat.deque.mark_hungry();
        }
        before
    }

    /// Reads what mail there is for this thread, here and in the mills below. True if there was any.
    pub(super) fn read_mail(&self) -> bool {
        if !self.seat.has_mail_for_thread() {
            return false;
        }
        for seat in self.seat.with_those_below().filter(|seat| seat.has_mail()) {
            // SAFETY: this thread's own seat, and that of frames below.
            let _sitting = unsafe { Sitting::again(seat) };
            let worker = Worker::on(seat);
            // If this thread's slots are away, they stay so.
            let before = help::replace(None);
            help::replace(before.map(|_| worker.help()));
            for job in seat.take_mail() {
                // SAFETY: mail is for us alone, and we took it out.
                unsafe { worker.run(job) };
            }
            help::replace(before);
        }
        true
    }

    // Finding. With `more`, some are taken along: only for a thread without open frames, which will get
    // round to them.

    /// A job from near: our own loose ones, our node's inboxes.
    pub(super) fn find(&self, more: bool) -> Option<JobRef> {
        let owner = &self.seat.owner;
        let inbox = &self.hall.inboxes[self.seat.node()];
        if let Some(job) = inbox.take(Priority::High) {
            return Some(job);
        }
        let tick = owner.tick.get().wrapping_add(1);
        owner.tick.set(tick);
        let loose = self.seat.loose_if_any();
        if tick % 64 == 0 {
            // Now and then the inbox goes first: our own jobs may keep coming for ever.
            if let Some(job) = inbox.take(Priority::Normal) {
                return Some(job);
            }
        }
        if let Some(job) = loose.and_then(|loose| loose.own.pop()) {
            return Some(job);
        }
        if inbox.is_empty() {
            None
        } else if more && !self.hall.settings.strict_fifo {
            let job = inbox.take_batch(&self.seat.loose().own);
            self.batch_taken();
            job
        } else {
            inbox.take(Priority::Normal)
        }
    }

    /// While a batch goes from one queue to another nobody sees it: whoever looked just then may have gone to sleep.
    fn batch_taken(&self) {
        if !self.seat.loose().own.is_empty() {
            self.call();
        }
    }

    /// A job from anywhere within `reach`, nearest first.
    pub(super) fn steal(&self, more: bool, reach: Reach) -> Option<JobRef> {
        self.hall.roster.read(|crowd| {
            let job = self.steal_from(crowd, more, reach).or_else(|| self.take_from_inboxes(reach));
            if job.is_none() {
                self.seat.stats.failed();
            }
            job
        })
    }

    fn steal_from(&self, crowd: &Crowd, more: bool, reach: Reach) -> Option<JobRef> {
        for (tier, victims) in reach.of(crowd.order.groups(self.seat.index)) {
            let start = self.seat.owner.rng.below(victims.len());
            let mut victims = victims[start..].iter().chain(&victims[..start]);
            let job = victims.find_map(|&victim| self.steal_at(&crowd.seats[victim], tier, more));
            if job.is_some() {
                return job;
            }
        }
        None
    }

    fn steal_at(&self, victim: &Seat, tier: Tier, more: bool) -> Option<JobRef> {
        let stolen = victim.deque.steal();
        if let (Steal::More(job), true) = (stolen, more) {
            self.take_siblings(victim, job);
        }
        self.call_after(stolen);
        let job = stolen.job().or_else(|| {
            let thief = &victim.loose_if_any()?.thief;
            if !more {
                return thief.steal().job();
            }
            let job = thief.steal_batch(&self.seat.loose().own)?;
            self.batch_taken();
            Some(job)
        });
        job.inspect(|_| self.seat.stats.stole(tier))
    }

    /// A job from another node, unless another thread of ours is abroad just now: of the richest of a few, as where many jobs
    /// wait the oldest is large, and our neighbours can live on what it splits off; or out of an inbox.
    fn go_abroad(&self) -> Option<JobRef> {
        let abroad = &self.hall.abroad[self.seat.node()];
        // Relaxed: it keeps others from going, and nothing else.
        if abroad.load(Ordering::Relaxed) || abroad.swap(true, Ordering::Relaxed) {
            return None;
        }
        let job = self.hall.roster.read(|crowd| {
            let far = || crowd.order.groups(self.seat.index).filter(|(tier, _)| *tier == Tier::Remote);
            let others = far().map(|(_, victims)| victims.len()).sum();
            let seen = (0..SAMPLE.min(others)).filter_map(|_| {
                let victim = far().flat_map(|(_, victims)| victims).nth(self.seat.owner.rng.below(others))?;
                let victim = &*crowd.seats[*victim];
                let loose = victim.loose_if_any().map_or(0, |loose| loose.thief.len());
                Some((victim.deque.wealth() + loose, victim))
            });
            let (wealth, richest) = seen.max_by_key(|(wealth, _)| *wealth)?;
            if wealth == 0 { None } else { self.steal_at(richest, Tier::Remote, true) }
        });
        let job = job.or_else(|| self.take_from_inboxes(Reach::Machine));
        abroad.store(false, Ordering::Relaxed);
        job
    }

    /// The last public job of somebody was stolen, and the mark set after that. In between its owner may have pushed a job,
    /// which stays private, and somebody fallen asleep who did not see it yet.
    pub(super) fn call_after(&self, stolen: Steal) {
        if let Steal::Last(_) = stolen {
            self.call();
        }
    }

    /// A private job of somebody who does not answer, nearest first.
    pub(super) fn seize(&self, reach: Reach) -> Option<JobRef> {
        self.hall.roster.read(|crowd| {
            reach.of(crowd.order.groups(self.seat.index)).find_map(|(tier, victims)| {
                let seize =
                    |&victim: &usize| crowd.seats[victim].deque.seize(None, stamp_of(&crowd.seats[victim]));
                let job = victims.iter().find_map(seize)?;
                self.seat.stats.stole(tier);
                Some(job)
            })
        })
    }

    /// Jobs of a scope are often small: takes some more along, up to half of what is there. They wait in our loot; the
    /// last of it may be a job of another family.
    fn take_siblings(&self, victim: &Seat, job: JobRef) {
        // SAFETY: jobs in queues are stamped, and these have not run.
        let family_of = |job: JobRef| unsafe { job.stamped() }.family;
        let family = family_of(job);
        if family.is_null() || ptr::eq(family, job.as_ptr().cast()) {
            return;
        }
        let mut loot = self.seat.owner.loot.take();
        for _ in 0..(victim.deque.len() / 2).min(SIBLINGS) {
            let Some(next) = victim.deque.steal().job() else { break };
            loot.push(next);
            if !ptr::eq(family_of(next), family) {
                break;
            }
        }
        self.seat.owner.loot.set(loot);
    }

    /// Runs a job that was stolen, and what was taken along with it.
    ///
    /// # Safety
    ///
    /// As [`run`](Self::run); no frame is open on this thread.
    unsafe fn run_stolen(&self, job: JobRef) {
        let mut loot = self.seat.owner.loot.take();
        if loot.is_empty() {
            // SAFETY: as the caller says.
            return unsafe { self.run(job) };
        }
        // SAFETY: jobs in queues are stamped.
        let family = unsafe { job.stamped() }.family;
        // SAFETY: as above.
        let is_stranger = |last: &JobRef| !ptr::eq(unsafe { last.stamped() }.family, family);
        let stranger = if loot.last().is_some_and(is_stranger) { loot.pop() } else { None };
        // The siblings go on our line, under the family that they share: others find them there, and so does
        // whoever waits for them.
        let above = self.seat.deque.enter(family);
        for sibling in loot.drain(..) {
            self.seat.deque.push_public(sibling);
        }
        self.seat.owner.loot.set(loot);
        // The stranger runs first, and the stolen job waits with its siblings: so each is either where whoever waits
        // for it finds it, or runs. Nothing is hidden behind a job that may block.
        let first = stranger.unwrap_or(job);
        if stranger.is_some() {
            self.seat.deque.push_public(job);
        }
        self.call();
        // SAFETY: it is ours alone.
        unsafe { self.run(first) };
        while let Some(sibling) = self.seat.deque.pop_public() {
            // SAFETY: popped just now.
            unsafe { self.run_here(sibling) };
        }
        self.seat.deque.leave(above);
    }

    pub(super) fn take_from_inboxes(&self, reach: Reach) -> Option<JobRef> {
        const PRIORITIES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];
        let own = &self.hall.inboxes[self.seat.node()];
        if reach == Reach::Node || !self.hall.has_far() {
            return PRIORITIES.into_iter().find_map(|priority| own.take(priority));
        }
        PRIORITIES.into_iter().find_map(|priority| {
            own.take(priority).or_else(|| {
                self.hall.far_inboxes[self.seat.node()].iter().find_map(|&node| {
                    let bands = &self.hall.inboxes[node];
                    let theirs = bands.is_empty() || self.hall.leaves_to_its_own(node, self.seat);
                    let job = if theirs { None } else { bands.take(priority) };
                    job.inspect(|_| self.seat.stats.stole(Tier::Remote))
                })
            })
        })
    }

    /// Looks for work for as long as that has paid lately.
    pub(super) fn search(&self) -> Option<JobRef> {
        let owner = &self.seat.owner;
        let (start, patience) = (Instant::now(), owner.patience.get());
        let mut found = self.hold_back(start);
        for round in 0..patience {
            if found.is_some() {
                break;
            }
            found = self.find(true).or_else(|| self.steal(true, Reach::Node));
            if found.is_none() && self.hall.has_far() {
                // Rather interrupt a neighbour than cross to another node.
                let seized = if round == FIRST_TRIP { self.seize(Reach::Node) } else { None };
                found = seized.or_else(|| if round >= FIRST_TRIP { self.go_abroad() } else { None });
            }
            if found.is_some() || self.seat.has_mail() || self.hall.is_closing() {
                break;
            }
            if is_hard(round) {
                found = self.seize(Reach::Machine);
            }
            pause(round);
        }
        // Nothing may stay hidden far away, or behind somebody who does not answer.
        let far = |found: Option<JobRef>| found.or_else(|| self.steal(true, Reach::Machine));
        let found = if self.hall.has_far() { far(found) } else { found };
        let found = found.or_else(|| self.seize(Reach::Machine));
        let most = self.hall.settings.patience.unwrap_or(PATIENCE).max(IMPATIENCE);
        owner.patience.set(if found.is_some() { most } else { (patience / 2).max(IMPATIENCE) });
        self.seat.stats.span(false, start.elapsed());
        found
    }

    /// If the last halves of joins that were stolen were too small to share, lets their owners alone for a while.
    fn hold_back(&self, start: Instant) -> Option<JobRef> {
        let times = self.seat.owner.small.get();
        let mut round = 0;
        while times > 0 && start.elapsed() < WORTH_IT * (1 << times) {
            let found = self.find(true);
            if found.is_some() || self.seat.has_mail() || self.hall.is_closing() {
                return found;
            }
            pause(round);
            round += 1;
        }
        None
    }

    /// As [`run_stolen`](Self::run_stolen), and notes whether the half of a join was worth the robbery.
    ///
    /// # Safety
    ///
    /// As [`run_stolen`](Self::run_stolen).
    unsafe fn run_found(&self, job: JobRef) {
        // SAFETY: jobs in queues are stamped.
        let is_join = ptr::eq(unsafe { job.stamped() }.family, job.as_ptr().cast());
        let start = is_join.then(Instant::now);
        // SAFETY: as the caller says.
        unsafe { self.run_stolen(job) };
        if let Some(start) = start {
            let small = &self.seat.owner.small;
            small.set(if start.elapsed() < WORTH_IT { (small.get() + 1).min(MOST_SMALL) } else { 0 });
        }
    }

    // A thread's life.

    /// Runs jobs until the mill closes or the thread is not needed any more.
    pub(crate) fn live(&self) {
        let (hall, idle) = (self.hall, &self.hall.idle);
        self.seat.owner.patience.set(IMPATIENCE);
        // Whoever started or woke this thread has booked a searcher's place for it.
        let mut searching = true;
        loop {
            if fork::generation() != hall.generation {
                fork::leave_child();
            }
            if self.seat.has_mail() {
                // That may take long, and others count on searchers.
                self.end_search(&mut searching);
                self.read_mail();
            }
            // A running thread has a look around before it says that it searches: as long as there is work for all,
            // the census stays as it is.
            let holds_back = searching || self.seat.owner.small.get() > 0;
            let near =
                self.find(true).or_else(|| if holds_back { None } else { self.steal(true, Reach::Node) });
            let job = near.or_else(|| {
                searching = searching || idle.start_search(hall.most_searchers());
                if searching { self.search() } else { None }
            });
            if let Some(job) = job {
                self.end_search(&mut searching);
                // SAFETY: taken out of a queue just now, and this is the bottom of the thread's stack.
                unsafe { self.run_found(job) };
                if idle.census().free() < 0 && idle.yield_slot() {
                    self.seat.lie_down();
                    if !self.sleep() {
                        return;
                    }
                    searching = true;
                }
            } else if !self.seat.has_mail() {
                if hall.is_over() {
                    idle.leave(searching);
                    // ORDERING(threads): Release; pairs with the load in `Hall::has_ended`.
                    hall.threads.fetch_sub(1, Ordering::Release);
                    // Whoever has published a job since we looked may have counted on us.
                    hall.call_if_work(Some(self.seat));
                    return;
                }
                if hall.is_closing() {
                    // Somebody hands in a job just now, or others take what is there.
                    yield_now();
                    continue;
                }
                self.seat.lie_down();
                idle.fall_asleep(searching);
                if !self.sleep() {
                    return;
                }
                searching = true;
            }
        }
    }

    /// Searches no more; the last one calls the next.
    fn end_search(&self, searching: &mut bool) {
        if std::mem::take(searching) && self.hall.idle.end_search() {
            self.call();
        }
    }

    /// Lies, until somebody calls or there is work; then the thread is a searcher. False: it shall leave.
    pub(super) fn sleep(&self) -> bool {
        let (hall, idle) = (self.hall, &self.hall.idle);
        let parker = Parker::current();
        let start = Instant::now();
        let mut leaves = false;
        while self.seat.lies() {
            let urgent = self.seat.has_mail() || hall.is_closing();
            if (urgent || hall.work_visible()) && idle.get_up(urgent) {
                if !self.seat.rouse() {
                    // Somebody called us just then and has booked a place for us too.
                    idle.unbook();
                }
                break;
            }
            if hall.threads.load(Ordering::Relaxed) <= hall.workers() {
                parker.park();
                continue;
            }
            parker.park_timeout(SPARE_STAYS);
            if start.elapsed() >= SPARE_STAYS && hall.dismiss() {
                if self.seat.rouse() {
                    idle.leave_asleep();
                    leaves = true;
                } else {
                    // Somebody called us just then: we stay.
                    hall.threads.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.seat.stats.span(true, start.elapsed());
        !leaves
    }

    /// In a forked child nobody else is there to do the work.
    #[track_caller]
    pub(crate) fn assert_same_process(&self) {
        self.hall.assert_same_process();
    }
}

/// Only in a forked child does a thread lose its seat in the middle of a job.
#[cold]
fn lost() -> ! {
    panic!(
        "this process was forked in the middle of a job, so it has none of the mill's threads and cannot end \
         the `join`, `scope` or loop around it: leave a forked child by `_exit` or `exec`"
    )
}

/// Between two fruitless rounds.
pub(crate) fn pause(round: u32) {
    if round < SPINS {
        for _ in 0..6 {
            spin_loop();
        }
    } else {
        yield_now();
    }
}

/// Is this one of the fruitless rounds after which to look at what is private? They are few: that interrupts others.
pub(super) fn is_hard(round: u32) -> bool {
    round >= SPINS && (round - SPINS) % 8 == 7
}

/// Readies a private job of this seat's to be seen by others: for its owner, or for whoever has claimed the job.
pub(super) fn stamp_of(seat: &Seat) -> impl Fn(JobRef) + '_ {
    |job| {
        // SAFETY: a private job is alive, and nobody but the caller has seen it. It was pushed under the seat's present
        // token: whatever changes the token exposes all private jobs first.
        unsafe { job.stamp_waited(seat.token()) };
    }
}
