//! Running something once on each worker.

#![allow(unsafe_code, reason = "jobs borrow what lives until all of them are over")]

use std::ptr;
use std::sync::{Arc, PoisonError};

use crate::contextvars::copy_context;
use crate::locality::Place;
use crate::mill::cancel;
use crate::mill::entry;
use crate::mill::hall::Hall;
use crate::mill::job::{HeapJob, Stamp};
use crate::mill::latch::Latch;
use crate::mill::pool::Mill;
use crate::mill::seat::Seat;
use crate::mill::wait::wait_elsewhere;
use crate::mill::worker::Worker;
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Mutex, lock};
use crate::topology::Topology;
use crate::unwind::{self, Payload};

struct Cast<R> {
    results: Mutex<Vec<(usize, Result<R, Payload>)>>,
    pending: AtomicUsize,
    done: Latch,
}

impl<R> Cast<R> {
    fn count_off(&self) {
        // ORDERING(broadcast): Release publishes the result, Acquire collects it for the latch.
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: whoever counts off the last sets the latch, once; the waiter is there until then.
            unsafe { Latch::set(&self.done) };
        }
    }
}

impl Mill {
    /// Runs `f` once on each worker, with the worker's [number](crate::worker_index), and returns the results
    /// in the order of those numbers.
    ///
    /// A worker that runs a job comes to it after that job, or where the job waits in a `join`, `scope` or loop, or for another
    /// mill; one that is in [`blocking`](crate::blocking) when that is over.
    ///
    /// # Examples
    ///
    /// ```
    /// let mill = gristmill::Mill::builder().workers(3).build()?;
    /// assert_eq!(mill.broadcast(|number| number * 10), [0, 10, 20]);
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// With the first panic of `f`, once it runs nowhere any more; in a forked child.
    pub fn broadcast<R, F>(&self, f: F) -> Vec<R>
    where
        F: Fn(usize) -> R + Sync,
        R: Send,
    {
        let hall = self.hall();
        hall.assert_same_process();
        let cast = Cast { results: Mutex::new(Vec::new()), pending: AtomicUsize::new(1), done: Latch::new() };
        let context = hall.settings.contexts.then(copy_context);
        let (cast_ref, f, context) = (&cast, &f, &context);
        let run = move |number: usize| {
            let result = unwind::halt(|| match context {
                Some(context) => entry::within(&context.clone(), || f(number)),
                None => f(number),
            });
            lock(&cast_ref.results).push((number, result));
            cast_ref.count_off();
        };
        let token = cancel::current_ptr();
        let me = Worker::current().filter(|worker| ptr::eq(worker.hall, &**hall));
        let seats = hall.roster.read(|crowd| crowd.seats.clone());
        let (mut reached, mut myself) = (0, false);
        for seat in &seats {
            if reached == hall.workers() {
                break;
            }
            if me.is_some_and(|me| ptr::eq::<Seat>(me.seat, &**seat)) && !seat.owner.visitor.get() {
                myself = true;
                reached += 1;
                continue;
            }
            let number = seat.index;
            let posted = seat.post(|| {
                cast_ref.pending.fetch_add(1, Ordering::Relaxed);
                // SAFETY: all that the closure borrows, and the token, outlive the wait below.
                unsafe { HeapJob::boxed(move |_| run(number), Stamp { family: ptr::null(), token }) }
            });
            reached += usize::from(posted);
        }
        match (myself, me) {
            (true, Some(me)) => run(me.seat.index),
            _ => cast.count_off(),
        }
        wait_elsewhere(&cast.done);
        let mut results = cast.results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.sort_by_key(|&(number, _)| number);
        let (mut values, mut panic) = (Vec::with_capacity(results.len()), None);
        for (_, result) in results {
            match result {
                Ok(value) => values.push(value),
                Err(payload) if panic.is_none() => panic = Some(payload),
                Err(payload) => unwind::drop_quietly(payload),
            }
        }
        match panic {
            Some(payload) => {
                values.into_iter().for_each(unwind::drop_quietly);
                unwind::resume(payload)
            }
            None => values,
        }
    }
}

impl Hall {
    /// Has it been moved since it was built?
    pub(crate) fn has_moved(&self) -> bool {
        !self.moved.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Threads sit at these places from now on, worker `i` at the `i`th, counted round. Those that run a job go there after
    /// it, or where it waits. Whom each robs first is as on `machine`, unless that has other nodes than the mill was made
    /// for.
    pub(crate) fn move_to(self: &Arc<Self>, machine: &Topology, places: Vec<Place>) {
        let places = if machine.nodes().len() == self.topology.nodes().len() {
            self.roster.rearrange(machine, &places);
            places
        } else {
            // Nodes that the mill does not know.
            places.iter().map(|place| Place::new(&self.topology, place.cpus().clone())).collect()
        };
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = places;
        let seats = self.roster.read(|crowd| crowd.seats.clone());
        for seat in seats {
            // No worker thread is there to read it, or the one that comes looks for its place by itself.
            let _ = seat.post(|| {
                let (hall, seat) = (Arc::clone(self), Arc::clone(&seat));
                let go = move |_| {
                    // It may be visiting another mill. And mail that nobody came to read is read by others.
                    let mine = |worker: Worker<'_>| {
                        worker.seat.with_those_below().any(|own| ptr::eq::<Seat>(own, &*seat))
                    };
                    if Worker::current().is_some_and(mine) {
                        hall.take_place(&seat);
                    }
                };
                // SAFETY: the closure is `'static`, and there is no token.
                unsafe { HeapJob::boxed(go, Stamp { family: ptr::null(), token: ptr::null() }) }
            });
        }
    }
}
