//! Work from outside: run by its caller or handed in, jobs that nobody waits for, and contexts that go along.

#![allow(unsafe_code, reason = "hands a job on this stack to a worker and waits for it here")]

use std::sync::Arc;

use crate::contextvars::{Context, copy_context};
use crate::mill::cancel::{self, CancelToken};
use crate::mill::error::Closed;
use crate::mill::hall::Hall;
use crate::mill::injector::Priority;
use crate::mill::job::{HeapJob, JobRef, StackJob, Stamp};
use crate::mill::wait::wait_elsewhere;
use crate::mill::worker::{PATIENCE, Worker};
use crate::prim::atomic::Ordering;
use crate::prim::{fence_after_update, spin_loop, yield_now};
use crate::unwind;

/// Runs `f` in a context that was copied for it.
pub(crate) fn within<R>(context: &Context, f: impl FnOnce() -> R) -> R {
    context.run(f).expect("nobody else knows of this copy")
}

impl Hall {
    pub(crate) fn run<R, F>(self: &Arc<Self>, f: F) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.run_as(f, self.settings.caller_runs)
    }

    pub(crate) fn run_by_worker<R, F>(self: &Arc<Self>, f: F) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.run_as(f, false)
    }

    fn run_as<R, F>(self: &Arc<Self>, f: F, caller_runs: bool) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        if self.is_current() {
            Ok(f())
        } else if self.settings.contexts {
            let context = copy_context();
            self.run_from_outside(move || within(&context, f), caller_runs)
        } else {
            self.run_from_outside(f, caller_runs)
        }
    }

    fn run_from_outside<R, F>(self: &Arc<Self>, mut f: F, caller_runs: bool) -> Result<R, Closed>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        self.assert_same_process();
        let token = cancel::current_ptr();
        if caller_runs {
            f = match self.visit(token, f) {
                Ok(value) => return Ok(value),
                Err(f) => f,
            };
        }
        let job = StackJob::new(f);
        // SAFETY: nobody has seen the job.
        unsafe { job.job_ref().stamp_waited(token) };
        if let Err(closed) = self.hand_in(self.own_node(), Priority::Normal, || job.job_ref()) {
            // SAFETY: it was not handed in, so nobody else has it.
            drop(unsafe { job.take() });
            return Err(closed);
        }
        // SAFETY: stamped above.
        let latch = unsafe { job.waited().latch() };
        for round in 0..PATIENCE {
            if latch.probe() {
                break;
            }
            if round < PATIENCE / 2 { spin_loop() } else { yield_now() }
        }
        if !latch.probe() {
            wait_elsewhere(latch);
        }
        // SAFETY: the latch is set, and this is the only place to read the result.
        match unsafe { job.result() } {
            Ok(value) => Ok(value),
            Err(payload) => unwind::resume(payload),
        }
    }

    /// Which inbox a thread from outside is nearest to.
    pub(crate) fn own_node(&self) -> usize {
        if self.inboxes.len() == 1 || self.settings.strict_fifo {
            return 0;
        }
        self.topology.current_unit().map_or(0, |unit| unit.node)
    }

    /// Takes a job from outside.
    #[inline]
    pub(crate) fn hand_in(
        &self,
        node: usize,
        priority: Priority,
        job: impl FnOnce() -> JobRef,
    ) -> Result<(), Closed> {
        // ORDERING(entering): a fence on both sides. Either we see that the mill closes, or its threads see us
        // coming and wait until the job is there.
        self.entering.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        let open = !self.is_closing();
        if open {
            // One line for all, if they are to start in order.
            let node = if self.settings.strict_fifo { 0 } else { node };
            self.inboxes[node].push(priority, job());
            // Before we are in: a thread that this starts belongs to those that the end waits for.
            self.call_to(node);
        }
        self.entering.fetch_sub(1, Ordering::SeqCst);
        if open { Ok(()) } else { Err(Closed) }
    }

    pub(crate) fn spawn<F>(&self, node: Option<usize>, priority: Priority, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        if self.settings.contexts {
            let context = Box::new(copy_context());
            self.spawn_bare(node, priority, move || within(&context, job))
        } else {
            self.spawn_bare(node, priority, job)
        }
    }

    fn spawn_bare<F>(&self, node: Option<usize>, priority: Priority, job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        let closure = move |stamp: Stamp| {
            let worker = Worker::seated();
            // SAFETY: retained below, for this job. It lives until the job has run.
            let token = unsafe { cancel::release(stamp.token) };
            if token.as_ref().is_some_and(CancelToken::is_cancelled) {
                return unwind::drop_quietly(job);
            }
            match unwind::halt(job) {
                Err(payload) if cancel::is_unwinding(&payload) => {}
                result => worker.hall.report(result),
            }
        };
        let make = || {
            let stamp = Stamp { family: std::ptr::null(), token: cancel::retain() };
            // SAFETY: the closure is `'static`, and the token is retained until it has run.
            unsafe { HeapJob::boxed(closure, stamp) }
        };
        match Worker::current() {
            Some(worker) if self.is_current() && node.is_none() => {
                worker.push_loose(priority, make());
                Ok(())
            }
            _ => {
                self.assert_same_process();
                self.hand_in(node.unwrap_or_else(|| self.own_node()), priority, make)
            }
        }
    }
}
