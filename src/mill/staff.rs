//! A mill's threads: who is called when there is work, who is started, and a thread from its beginning to its end.

#![allow(unsafe_code, reason = "makes counts of the hall that its threads hold, and runs their mail")]

use std::io::{self, Write as _};
use std::panic::Location;
use std::ptr;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, PoisonError};

use crate::config::PinFailure;
use crate::locality::{self, MemoryPolicy, Place};
use crate::mill::error::BuildError;
use crate::mill::hall::{Hall, ThreadHandler};
use crate::mill::idle::Call;
use crate::mill::injector::Priority;
use crate::mill::roster::Crowd;
use crate::mill::seat::{Seat, Sitting};
use crate::mill::worker::Worker;
use crate::prim::atomic::{Ordering, fence};
use crate::prim::{Builder, fence_after_update, is_finished, lock, yield_now};
use crate::sync::help;
use crate::sys::{fork, stack};
use crate::topology::{CpuSet, Topology};
use crate::unwind;

/// A waiter takes another job only while so much of its stack is left, or an eighth if that is more.
const STACK_MARGIN: usize = 96 * 1024;

/// How it went to move a thread to its place: its seat, the place's CPUs, what the kernel said.
pub(crate) type Moved = (usize, CpuSet, io::Result<()>);

impl Hall {
    pub(crate) fn start_workers(&self, workers: usize) -> Result<(), BuildError> {
        let seats = self.roster.read(|crowd| crowd.seats.clone());
        let (moved, answers) = mpsc::channel();
        let moved = (!self.settings.places.is_empty()).then_some(moved);
        for (number, seat) in seats.iter().enumerate().take(workers) {
            let claimed = seat.claim();
            debug_assert!(claimed, "new seats are empty");
            if let Err(source) = self.start_thread(seat, moved.clone()) {
                for _ in number..workers {
                    self.idle.leave(true);
                }
                return Err(BuildError::Thread { number, wanted: workers, source });
            }
        }
        drop(moved);
        for (worker, cpus, result) in answers {
            match (result, self.settings.pin_failure) {
                (Err(error), PinFailure::Warn) => {
                    // Nobody may read what we say.
                    let _ = writeln!(
                        io::stderr(),
                        "gristmill: worker {worker} of `{}` cannot sit on CPU {cpus}: {error}; it runs where the system puts it",
                        self.settings.name
                    );
                }
                (result, _) => result.map_err(|source| BuildError::Pin { worker, cpus, source })?,
            }
        }
        Ok(())
    }

    pub(crate) fn resize(&self, workers: usize) -> Result<(), BuildError> {
        let _one_at_a_time = lock(&self.resizing);
        let before = self.workers();
        self.workers.store(workers, Ordering::Relaxed);
        self.idle.add_slots(workers as i64 - before as i64);
        let wanted = Hall::wanted(workers);
        self.roster.read(|crowd| {
            for seat in &crowd.seats {
                seat.deque.set_wanted(wanted);
                // Surplus sleepers begin to count the time, and those who may work again look for some.
                seat.wake();
            }
        });
        let places = self.places(workers);
        for (number, place) in places.into_iter().enumerate().skip(before) {
            if self.threads.load(Ordering::Relaxed) >= workers {
                break;
            }
            let seat = self.claim_seat(|| place.clone());
            self.idle.book_newcomer();
            if let Err(source) = self.start_thread(&seat, None) {
                self.idle.leave(true);
                self.call_if_work(None);
                return Err(BuildError::Thread { number, wanted: workers, source });
            }
        }
        // Jobs that found no slot free, when all threads that there are wait or are busy.
        self.call_if_work(None);
        Ok(())
    }

    fn places(&self, workers: usize) -> Vec<Place> {
        let moved = self.moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let chosen = if moved.is_empty() { &self.settings.places } else { &*moved };
        places(&self.topology, chosen, workers)
    }

    /// Calls a sleeper, the nearest to `from`; or a spare thread, if a slot is free and nobody sleeps. True
    /// if one was called.
    pub(crate) fn call(&self, from: Option<&Seat>) -> bool {
        let mut grow = true;
        while self.idle.is_call_due() {
            let may_grow = grow && self.may_grow();
            match self.idle.call(may_grow) {
                // A spare thread has left since then, or no longer counts: another may come.
                Call::Nobody if grow && !may_grow && self.may_grow() => {}
                Call::Nobody => return self.has_run_out() && self.rouse_waiter(),
                Call::Sleeper => {
                    if let Some(seat) = self.rouse_nearest(from) {
                        self.idle.found_sleeper();
                        seat.wake();
                        return true;
                    }
                    // It has counted itself but does not lie yet.
                    self.idle.call_failed();
                    yield_now();
                }
                Call::Newcomer => {
                    if self.hire(from) {
                        return true;
                    }
                    // Others may have counted on the newcomer, and somebody may sleep by now.
                    self.idle.call_failed();
                    grow = false;
                }
            }
        }
        false
    }

    /// Are there free slots, but no thread left that could take one? Then waiters take any job, whatever they hold:
    /// better than that nobody does.
    pub(super) fn has_run_out(&self) -> bool {
        let census = self.idle.census();
        let may_grow = self.may_grow() && !self.refused.load(Ordering::Relaxed);
        census.free() > 0 && census.sleeping() == 0 && census.searching() == 0 && !may_grow
    }

    fn rouse_waiter(&self) -> bool {
        self.roster.read(|crowd| crowd.seats.iter().any(|seat| seat.rouse_from_rest()))
    }

    /// A slot became free, or a searcher has gone: calls as [`call`](Self::call) does, if there is work.
    pub(crate) fn call_if_work(&self, from: Option<&Seat>) {
        // ORDERING(idle): we have changed the word, and look for work next; pairs with the fence in `is_call_due`.
        fence_after_update();
        if self.work_visible() && self.call(from) {
            if let Some(seat) = from {
                seat.stats.woke_somebody();
            }
        }
    }

    /// Work came into the inbox of a node: calls as [`call`](Self::call) does, the nearest sleeper to that.
    pub(crate) fn call_to(&self, node: usize) {
        if !self.has_far() {
            self.call(None);
        } else if !self.calls_home(node) && self.idle.is_call_due() {
            let host = self
                .roster
                .read(|crowd| crowd.on_node[node].first().map(|&seat| Arc::clone(&crowd.seats[seat])));
            self.call(host.as_deref());
        }
    }

    /// Calls a sleeper of this node, whether others search or not; true if there was one.
    fn calls_home(&self, node: usize) -> bool {
        let lying = |crowd: &Crowd| crowd.on_node[node].iter().any(|&seat| crowd.seats[seat].lies());
        // ORDERING(idle): the job was published before. Who is not seen asleep here looks at the inbox before it is.
        fence(Ordering::SeqCst);
        if self.idle.census().sleeping() == 0 || !self.roster.read(lying) || !self.idle.call_by_name() {
            return false;
        }
        let roused = self.roster.read(|crowd| {
            let mut seats = crowd.on_node[node].iter().map(|&seat| &crowd.seats[seat]);
            seats.find(|seat| seat.rouse()).map(Arc::clone)
        });
        match roused {
            Some(seat) => {
                self.idle.found_sleeper();
                self.inboxes[node].note_call();
                seat.wake();
                true
            }
            None => {
                self.idle.call_failed();
                // Others may have counted on it.
                self.call_if_work(None);
                false
            }
        }
    }

    /// Shall a worker of another node leave what is in this node's inbox alone? As long as a sleeper of that node can be
    /// called, or is on its way.
    pub(super) fn leaves_to_its_own(&self, node: usize, thief: &Seat) -> bool {
        // The one line of a strict mill is everybody's.
        if self.is_closing() || self.settings.strict_fifo {
            return false;
        }
        if self.inboxes[node].awaits_its_own() {
            return true;
        }
        let called = self.calls_home(node);
        if called {
            thief.stats.woke_somebody();
        }
        called
    }

    fn rouse_nearest(&self, from: Option<&Seat>) -> Option<Arc<Seat>> {
        self.roster.read(|crowd| {
            if let Some(seat) = from.filter(|seat| seat.rouse()) {
                return Some(Arc::clone(&crowd.seats[seat.index]));
            }
            let mut near = from.into_iter().flat_map(|from| crowd.order.groups(from.index));
            near.find_map(|(_, seats)| seats.iter().map(|&i| &crowd.seats[i]).find(|seat| seat.rouse()))
                .or_else(|| crowd.seats.iter().find(|seat| seat.rouse()))
                .map(Arc::clone)
        })
    }

    /// Starts a spare thread in the place of `instead`.
    fn hire(&self, instead: Option<&Seat>) -> bool {
        if fork::generation() != self.generation {
            return false;
        }
        let seat = self.claim_seat(|| {
            self.roster.read(|crowd| crowd.places[instead.map_or(0, |seat| seat.index)].clone())
        });
        let hired = self.start_thread(&seat, None).is_ok();
        self.refused.store(!hired, Ordering::Relaxed);
        hired
    }

    /// Counts one thread less, if there are more than workers.
    pub(super) fn dismiss(&self) -> bool {
        let surplus = |threads| (threads > self.workers()).then(|| threads - 1);
        // ORDERING(threads): as in `live`.
        self.threads.fetch_update(Ordering::Release, Ordering::Relaxed, surplus).is_ok()
    }

    /// Starts the thread of a claimed seat. It tells `pinned` how it went to move to its place, if it must.
    pub(crate) fn start_thread(&self, seat: &Arc<Seat>, pinned: Option<Sender<Moved>>) -> io::Result<()> {
        // SAFETY: halls live in an `Arc`, from `Mill`'s builder on, and this one is alive.
        let hall = unsafe {
            Arc::increment_strong_count(ptr::from_ref(self));
            Arc::from_raw(ptr::from_ref(self))
        };
        let mut builder = Builder::new().name(self.settings.thread_name(seat.index));
        if let Some(size) = self.settings.stack_size {
            builder = builder.stack_size(size);
        }
        self.threads.fetch_add(1, Ordering::Relaxed);
        // Mail may come from now on: the thread is as good as there.
        seat.open_mail();
        let own = Arc::clone(seat);
        match builder.spawn(move || hall.thread(&own, pinned)) {
            Ok(handle) => {
                let mut handles = lock(&self.handles);
                handles.retain(|handle| !is_finished(handle));
                handles.push(handle);
                Ok(())
            }
            Err(error) => {
                self.threads.fetch_sub(1, Ordering::Relaxed);
                // Nobody comes to read it; then others shall.
                for job in seat.close_mail() {
                    self.inboxes[0].push(Priority::High, job);
                }
                seat.stand_up();
                Err(error)
            }
        }
    }

    fn thread(self: &Arc<Self>, seat: &Seat, pinned: Option<Sender<Moved>>) {
        let lowest = stack::lowest_address().unwrap_or(0);
        seat.sit(Arc::as_ptr(self).cast(), stack_floor(lowest), false);
        match pinned {
            Some(pinned) => {
                let place = self.roster.read(|crowd| crowd.places[seat.index].clone());
                // Nobody waits for an answer if the builder has given up.
                drop(pinned.send((seat.index, place.cpus().clone(), place.occupy())));
            }
            None => self.take_place(seat),
        }
        if self.settings.memory != MemoryPolicy::Local {
            // The builder has tried it.
            if let Err(error) = self.settings.memory.take_up() {
                let (number, name) = (seat.index, &self.settings.name);
                let what = "takes memory as the system has it";
                // Nobody may be there to read it.
                let _ = writeln!(io::stderr(), "gristmill: thread {number} of `{name}` {what}: {error}");
            }
        }
        let handle = |handler: &Option<ThreadHandler>| {
            if let Some(handler) = handler {
                self.report(unwind::halt(|| handler(seat.index)));
            }
        };
        handle(&self.settings.start_handler);
        {
            // SAFETY: this thread claimed the seat, which lives as long as the hall that we hold.
            let _sitting = unsafe { Sitting::on(seat) };
            let worker = Worker::on(seat);
            let before = help::replace(Some(worker.help()));
            worker.live();
            let mail = seat.close_mail();
            if !mail.is_empty() {
                // We have left, so this is one more that runs.
                self.idle.take_slot();
                for job in mail {
                    // SAFETY: mail is for us alone, and we took it out.
                    unsafe { worker.run(job) };
                }
                self.idle.leave(false);
                self.call_if_work(Some(seat));
            }
            help::replace(before);
        }
        handle(&self.settings.exit_handler);
        seat.stand_up();
    }

    /// Moves the calling thread, which sits on `seat`, to its place. If it cannot go there, it says so and stays.
    pub(crate) fn take_place(&self, seat: &Seat) {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match &moved[..] {
            [] if self.settings.places.is_empty() => return,
            [] => self.roster.read(|crowd| crowd.places[seat.index].clone()),
            places => places[seat.index % places.len()].clone(),
        };
        drop(moved);
        if let Err(error) = place.occupy() {
            let (thread, name, cpus) = (seat.index, &self.settings.name, place.cpus());
            let why =
                format_args!("gristmill: thread {thread} of `{name}` cannot sit on CPU {cpus}: {error}");
            // Nobody may read what we say.
            let _ = writeln!(io::stderr(), "{why}; it runs where the system puts it");
        }
    }

    /// Hands a detached job's panic to the mill's handler. The panic hook has printed it already.
    pub(crate) fn report(&self, result: Result<(), unwind::Payload>) {
        let Err(payload) = result else { return };
        match &self.settings.panic_handler {
            Some(handler) => {
                if let Err(second) = unwind::halt(|| handler(payload)) {
                    unwind::drop_quietly(second);
                }
            }
            None => unwind::drop_quietly(payload),
        }
    }

    /// Is this not a forked child, which has none of the mill's threads?
    pub(crate) fn is_same_process(&self) -> bool {
        fork::generation() == self.generation
    }

    #[track_caller]
    pub(crate) fn assert_same_process(&self) {
        assert!(
            self.is_same_process(),
            "this process was forked after the mill `{}` was built, so it has none of its threads; \
             build a mill in the child, or use a process pool, whose children start clean (at {})",
            self.settings.name,
            Location::caller(),
        );
    }
}

/// Where a waiter stops taking jobs on a stack that ends at `lowest`; never, if that is not known.
pub(super) fn stack_floor(lowest: usize) -> usize {
    if cfg!(loom) {
        // Its threads have stacks that the system does not know of.
        return 0;
    }
    let here = stack::here();
    if lowest == 0 || lowest > here {
        // Unknown: take no further jobs below where we are now, less a margin.
        return here.saturating_sub(STACK_MARGIN / 2);
    }
    lowest + STACK_MARGIN.max((here - lowest) / 8)
}

pub(super) fn places(topology: &Topology, chosen: &[Place], workers: usize) -> Vec<Place> {
    if chosen.is_empty() {
        return locality::places(topology, workers);
    }
    chosen.iter().cycle().take(workers).cloned().collect()
}
