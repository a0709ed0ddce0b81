//! Threads from outside that run their own work on a mill's seat, and the end, which waits for them and for all threads.

#![allow(
    unsafe_code,
    reason = "follows the hall's pointers to a visitor's seat and to whoever waits for the end"
)]

use std::ptr;
use std::sync::Arc;

use crate::locality::Place;
use crate::mill::hall::Hall;
use crate::mill::seat::{Seat, Sitting};
use crate::mill::staff::stack_floor;
use crate::mill::worker::{Reach, Worker};
use crate::prim::atomic::{Ordering, fence};
use crate::prim::{fence_after_update, lock};
use crate::sync::help::{self, Help};
use crate::sync::parker::Parker;
use crate::sys::{fork, stack};

impl Hall {
    /// Runs `f` on the calling thread, which is no worker of this mill, under `token`, on a slot that is free
    /// now; gives `f` back if none is.
    pub(crate) fn visit<F: FnOnce() -> R, R>(&self, token: *const (), f: F) -> Result<R, F> {
        if !self.idle.try_take_slot() {
            return Err(f);
        }
        // ORDERING(visitors): a fence on both sides. Either we see that the mill closes, or whoever ends it
        // sees us and waits.
        self.visitors.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        if self.is_closing() {
            self.say_goodbye();
            return Err(f);
        }
        Ok(self.visit_on_slot(token, f))
    }

    /// A visitor leaves.
    fn say_goodbye(&self) {
        if self.idle.return_slot() {
            // ORDERING(idle): as in `call_if_work`. What was refused was public; a plain look finds it.
            fence_after_update();
            if self.work_in_sight() {
                self.call(None);
            }
        }
        // ORDERING(ender): a fence on both sides. Either we see who waits for us, or it sees us gone.
        if self.visitors.fetch_sub(1, Ordering::SeqCst) == 1 {
            fence_after_update();
            // SAFETY: null or a parker, and parkers are never freed.
            if let Some(ender) = unsafe { self.ender.load(Ordering::Acquire).as_ref() } {
                ender.unpark();
            }
        }
    }

    /// As [`visit`](Self::visit), on a slot that the caller has taken.
    fn visit_on_slot<R>(&self, token: *const (), f: impl FnOnce() -> R) -> R {
        let left = self.visitor.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: null or a seat of ours, claimed; seats live as long as the hall.
        let seat: &Seat = match unsafe { left.as_ref() } {
            Some(seat) => seat,
            None => {
                let seat = self.claim_seat(|| Place::new(&self.topology, Default::default()));
                // SAFETY: the roster keeps every seat for as long as the hall lives.
                unsafe { &*Arc::as_ptr(&seat) }
            }
        };
        struct Leave<'a> {
            hall: &'a Hall,
            seat: &'a Seat,
            outer: Option<Help>,
            sitting: Option<Sitting>,
        }
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.sitting = None;
                help::replace(self.outer);
                self.seat.set_token(ptr::null());
                // The next one on this seat may be a worker thread.
                self.seat.owner.outer.set(None);
                let seat = ptr::from_ref(self.seat).cast_mut();
                // ORDERING(visitor): Release; pairs with the Acquire in `visit_on_slot`.
                let swapped = self.hall.visitor.compare_exchange(
                    ptr::null_mut(),
                    seat,
                    Ordering::Release,
                    Ordering::Relaxed,
                );
                if swapped.is_err() {
                    self.seat.stand_up();
                }
                self.hall.say_goodbye();
            }
        }
        seat.sit(ptr::from_ref(self).cast(), stack_floor(VISITOR_STACK.with(|lowest| *lowest)), true);
        seat.set_token(token);
        let outer = help::replace(Some(Worker::on(seat).help()));
        seat.owner.outer.set(outer);
        // SAFETY: we claimed the seat, or took it claimed; it outlives the hall's borrow.
        let sitting = Some(unsafe { Sitting::on(seat) });
        let _leave = Leave { hall: self, seat, outer, sitting };
        f()
    }

    // The end.

    /// From now on the mill takes no work from outside, and ends when what it has is done.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        // ORDERING(entering), ORDERING(visitors): see `hand_in` and `visit`. And whoever goes to sleep sees that
        // the mill closes, or we see its parker.
        fence(Ordering::SeqCst);
        self.roster.read(|crowd| crowd.seats.iter().for_each(|seat| seat.wake()));
    }

    /// See [`Mill::shutdown`](crate::Mill::shutdown).
    pub(crate) fn shut_down(&self) {
        self.close();
        if let Some(end) = self.on_end.get().filter(|_| fork::generation() == self.generation) {
            end();
        }
        if self.is_current() || fork::generation() != self.generation {
            // We cannot wait for ourselves; and in a forked child there is nobody to wait for.
            return;
        }
        // A worker of another mill sleeps here: what ends may need a worker there.
        help::asleep(|| self.wait_for_all());
    }

    fn wait_for_all(&self) {
        let _one_at_a_time = lock(&self.ending);
        let parker = Parker::current();
        self.ender.store(ptr::from_ref(parker).cast_mut(), Ordering::Release);
        // ORDERING(ender): see `say_goodbye`.
        fence(Ordering::SeqCst);
        loop {
            let handles = std::mem::take(&mut *lock(&self.handles));
            let threads = handles.len();
            for handle in handles {
                // Threads catch what their jobs panic with.
                let _ = handle.join();
            }
            if self.visitors.load(Ordering::SeqCst) > 0 {
                parker.park();
            } else if self.work_visible() {
                self.sweep();
            } else if threads == 0 {
                break;
            }
        }
        self.ender.store(ptr::null_mut(), Ordering::SeqCst);
    }

    /// Runs what visitors have left when all threads have gone.
    fn sweep(&self) {
        self.idle.take_slot();
        self.visitors.fetch_add(1, Ordering::SeqCst);
        self.visit_on_slot(ptr::null(), || {
            while let Some((worker, job)) =
                Worker::current().and_then(|w| Some((w, w.take_from_inboxes(Reach::Machine)?)))
            {
                // SAFETY: taken out of a queue just now.
                unsafe { worker.run(job) };
            }
        });
    }

    /// Is the caller one of this mill's threads or visitors?
    pub(crate) fn is_current(&self) -> bool {
        Worker::current().is_some_and(|worker| ptr::eq(worker.hall, self))
    }
}

thread_local! {
    static VISITOR_STACK: usize = stack::lowest_address().unwrap_or(0);
}
