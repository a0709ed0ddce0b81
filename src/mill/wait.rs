//! What a thread does above an open frame: it runs what it waits for, gives its slot away, sleeps.

#![allow(unsafe_code, reason = "runs jobs, and follows pointers to seats")]

use std::ptr;
use std::time::{Duration, Instant};

use crate::config::Waiting;
use crate::mill::hall::Hall;
use crate::mill::job::{JobRef, Waited};
use crate::mill::latch::Latch;
use crate::mill::seat::Seat;
use crate::mill::worker::{PATIENCE, Reach, SPINS, Worker, is_hard, pause, stamp_of};
use crate::prim::atomic::Ordering;
use crate::prim::fence_after_update;
use crate::sync::help::{self, Awaited, Help};
use crate::sync::parker::Parker;
use crate::sys::{membarrier, stack};

/// A waiter that has yielded for so long gives up: others want the processor, and it waits for all of them each time.
const CROWDED: Duration = Duration::from_millis(2);

impl<'a> Worker<'a> {
    /// Waits until `awaited`, a latch or another's, is over. Meanwhile runs what `rob` finds, which must be descendants of
    /// what is waited for. `rob` is told whether to look hard: at what is private as well.
    pub(crate) fn wait<A>(&self, awaited: &A, rob: impl Fn(&Self, bool) -> Option<JobRef>)
    where
        A: Awaited + ?Sized,
    {
        self.assert_same_process();
        let (start, deep) = (Instant::now(), self.is_deep());
        let (mut fruitless, mut yields_since) = (0, start);
        while !awaited.is_over() {
            let found = if deep { None } else { self.job_while_waiting(&rob, is_hard(fruitless)) };
            if let Some(job) = found {
                // SAFETY: taken out of a queue just now.
                unsafe { self.run(job) };
                fruitless = 0;
            } else if fruitless < PATIENCE {
                // Mail is no progress: if it keeps coming, this thread gives its slot away all the same.
                if !self.read_mail() {
                    pause(fruitless);
                }
                fruitless += 1;
                if fruitless == SPINS {
                    yields_since = Instant::now();
                } else if fruitless > SPINS && yields_since.elapsed() > CROWDED {
                    fruitless = PATIENCE;
                }
            } else {
                self.seat.stats.span(false, start.elapsed());
                self.park(awaited, &rob, deep);
                self.read_mail();
            }
        }
    }

    /// Is so little of the stack left that a waiter takes no more jobs?
    pub(crate) fn is_deep(&self) -> bool {
        stack::here() < self.seat.owner.stack_floor.get()
    }

    /// Says that this thread is about to wait on a stack that is used up, for as long as the value lives: another may be
    /// started in its place, as this one can run nothing.
    pub(crate) fn wait_deep(&self) -> impl Drop + use<'a> {
        struct Deep<'a>(&'a Hall);
        impl Drop for Deep<'_> {
            fn drop(&mut self) {
                self.0.deep.fetch_sub(1, Ordering::SeqCst);
            }
        }
        // ORDERING(deep): before the slot is given away; see `Hall::may_grow`.
        self.hall.deep.fetch_add(1, Ordering::SeqCst);
        Deep(self.hall)
    }

    fn job_while_waiting(&self, rob: &impl Fn(&Self, bool) -> Option<JobRef>, hard: bool) -> Option<JobRef> {
        if let Some(job) = rob(self, hard) {
            return Some(job);
        }
        let has_run_out = self.hall.has_run_out();
        if !has_run_out && self.hall.settings.waiting != Waiting::Greedy {
            return None;
        }
        let job = self.find(false).or_else(|| self.steal(false, Reach::Machine));
        if job.is_some() || !hard {
            return job;
        }
        // Nobody else takes what is on our own line either. Last, as it may want what we hold.
        self.seize(Reach::Machine).or_else(|| if has_run_out { self.own_job() } else { None })
    }

    fn own_job(&self) -> Option<JobRef> {
        self.expose_all();
        self.seat.deque.rob_oneself()
    }

    /// Sleeps until `awaited` is over, or mail comes, or the parker's token does: the slot is somebody else's
    /// meanwhile.
    fn park<A>(&self, awaited: &A, rob: &impl Fn(&Self, bool) -> Option<JobRef>, deep: bool)
    where
        A: Awaited + ?Sized,
    {
        let _deep = deep.then(|| self.wait_deep());
        let mut called = false;
        let found = self.without_slot(|| {
            // Announced first: whoever adds a job to what we wait for looks for a sleeper after that.
            if !awaited.announce() || self.seat.has_mail_for_thread() {
                return None;
            }
            self.seat.rest(!deep);
            if self.hall.has_run_out() {
                // ORDERING(seize): what was pushed without a mark in sight is seen below, as in `Hall::work_visible`.
                membarrier::heavy();
            }
            let found = if deep { None } else { self.job_while_waiting(rob, true) };
            if found.is_none() {
                awaited.sleep();
            }
            called = !deep && !self.seat.rest(false);
            found
        });
        if called && (found.is_some() || awaited.is_over()) {
            // We go away with a call that may have been meant for another job.
            self.hall.call_if_work(Some(self.seat));
        }
        if let Some(job) = found {
            // SAFETY: taken out of a queue just now.
            unsafe { self.run(job) };
        }
    }

    /// Gives this thread's slot to somebody else while `f` runs, which may block and pushes nothing.
    pub(crate) fn without_slot<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Back<'a>(Worker<'a>, Help);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.take_slot();
                help::replace(Some(self.1));
            }
        }
        let Some(help) = help::replace(None) else {
            // It is away already: this is a wait within `blocking`. But nothing may be hidden behind a sleeper.
            self.expose_all();
            return f();
        };
        self.release_slot();
        let _back = Back(*self, help);
        f()
    }

    /// As [`without_slot`](Self::without_slot), for an `f` that may push jobs.
    pub(crate) fn blocking<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Aside<'a>(&'a Hall);
        impl Drop for Aside<'_> {
            fn drop(&mut self) {
                self.0.aside.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.without_slot(|| {
            // ORDERING(aside): a fence on both sides. Either whoever falls asleep counts us, or we see all marks that stood when
            // it did.
            self.hall.aside.fetch_add(1, Ordering::SeqCst);
            fence_after_update();
            let _aside = Aside(self.hall);
            f()
        })
    }

    fn release_slot(&self) {
        // Nothing may be hidden behind a sleeper.
        self.expose_all();
        self.hall.idle.release_slot();
        self.hall.call_if_work(Some(self.seat));
        // A visitor from another mill sleeps there as well.
        if let Some(outer) = self.seat.owner.outer.get() {
            (outer.leave)(outer.data);
        }
    }

    fn take_slot(&self) {
        if let Some(outer) = self.seat.owner.outer.get() {
            (outer.back)(outer.data);
        }
        self.hall.idle.take_slot();
    }

    /// The help that waits below use to hand this thread's slot over.
    pub(crate) fn help(&self) -> Help {
        fn on(seat: *const ()) -> Worker<'static> {
            // SAFETY: the help is in place only while the thread sits on this seat (`Sitting` of `sitting`).
            Worker::on(unsafe { &*seat.cast::<Seat>() })
        }
        Help {
            leave: |seat| on(seat).release_slot(),
            back: |seat| on(seat).take_slot(),
            wait: |seat, awaited| {
                let worker = on(seat);
                worker.wait(awaited, rob_awaited(awaited));
            },
            data: ptr::from_ref(self.seat).cast(),
        }
    }
}

/// Robs or, if it looks `hard`, seizes from `victim` what descends from what `family` waits for.
fn rob_from(worker: &Worker<'_>, victim: &Seat, family: *const (), hard: bool) -> Option<JobRef> {
    let stolen = victim.deque.rob(family);
    worker.call_after(stolen);
    let found = stolen.job();
    if hard { found.or_else(|| victim.deque.seize(Some(family), stamp_of(victim))) } else { found }
}

/// For a waiter on a `join`: robs whoever runs the job.
pub(crate) fn rob_runner(job: JobRef) -> impl Fn(&Worker<'_>, bool) -> Option<JobRef> {
    move |worker, hard| {
        // SAFETY: the waiter's frame holds the job, which was stamped before it could be stolen.
        let seat = unsafe { (*job.as_ptr().cast::<Waited>()).runner() };
        // SAFETY: null, or a seat of our mill, and those live as long as it.
        let victim = unsafe { seat.cast::<Seat>().as_ref() }?;
        let found = rob_from(worker, victim, job.as_ptr().cast(), hard)?;
        let tier = worker.hall.roster.read(|crowd| crowd.order.tier(worker.seat.index, victim.index));
        worker.seat.stats.stole(tier);
        Some(found)
    }
}

/// For a waiter on something that is no job to the mill: robs whoever works on it in this mill.
fn rob_awaited<A: Awaited + ?Sized>(awaited: &A) -> impl Fn(&Worker<'_>, bool) -> Option<JobRef> + '_ {
    move |worker, hard| {
        let seat = awaited.runner(ptr::from_ref(worker.hall).cast());
        // SAFETY: null, or a seat of our mill, and those live as long as it.
        let victim = unsafe { seat.cast::<Seat>().as_ref() }?;
        if ptr::eq(victim, worker.seat) {
            return None;
        }
        let found = rob_from(worker, victim, awaited.family(), hard)?;
        let tier = worker.hall.roster.read(|crowd| crowd.order.tier(worker.seat.index, victim.index));
        worker.seat.stats.stole(tier);
        Some(found)
    }
}

/// For a waiter on many jobs: robs whoever runs one of them.
pub(crate) fn rob_family(family: *const ()) -> impl Fn(&Worker<'_>, bool) -> Option<JobRef> {
    move |worker, hard| {
        worker.hall.roster.read(|crowd| {
            let me = worker.seat.index;
            crowd.order.groups(me).find_map(|(tier, victims)| {
                let found = victims.iter().find_map(|&i| rob_from(worker, &crowd.seats[i], family, hard))?;
                worker.seat.stats.stole(tier);
                Some(found)
            })
        })
    }
}

/// Waits for `latch`, which another mill sets, or the caller's own if it sits nowhere in it: without a slot, but for mail.
pub(crate) fn wait_elsewhere(latch: &Latch) {
    match Worker::current() {
        Some(worker) => worker.wait(latch, |_, _| None),
        None => latch.wait(Parker::current()),
    }
}
