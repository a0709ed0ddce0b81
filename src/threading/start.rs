//! From an object to a running thread.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::{affinity, thread};
use crate::thread::StartError;
use crate::thread::done::Done;
use crate::thread::launch::{Shape, launch};
use crate::threading::body::{Body, Stage};
use crate::threading::inherit::Inherited;
use crate::threading::object::Thread;
use crate::threading::trace::Traced;
use crate::threading::{current, excepthook, registry};
use crate::unwind::{Payload, drop_quietly, halt};

impl Thread {
    /// Starts it: the system has a new thread when this returns. Anything that is asked of it from then on (its
    /// numbers, whether it is alive) waits, where it must, until the thread has begun.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if it was; the main thread, and those that others started, were.
    /// [`StartError::Os`] if the system refuses, and then it may be started again. [`StartError::Setup`] if the new
    /// thread could not be given its CPUs or its niceness, and has ended. [`StartError::ShuttingDown`] after
    /// [`shutdown`](super::shutdown).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{StartError, Thread};
    ///
    /// let thread = Thread::new(|| ());
    /// thread.start()?;
    /// assert!(matches!(thread.start(), Err(StartError::AlreadyStarted)));
    /// thread.join()?;
    /// # Ok::<(), gristmill::threading::ThreadError>(())
    /// ```
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is seen by the thread.
    #[doc(alias("threading.Thread.start"))]
    pub fn start(&self) -> Result<(), StartError> {
        // What the new thread needs is told now; what it runs it fetches itself, so that nothing is lost if the system
        // refuses.
        let settings = self.with_body(|body| (body.stack_size, body.cpus.is_some() || body.nice.is_some()));
        let (stack_size, needs_setup) = settings.ok_or(StartError::AlreadyStarted)?;
        let setup = needs_setup.then(|| Arc::new(Setup::default()));
        let name = self.name();
        let shape = Shape { name: Some(&name), stack_size, daemon: self.is_daemon() };
        let (own, told) = (self.clone(), setup.clone());
        let mut number = None;
        let list = |ident| {
            number = Some(ident);
            registry::add(ident, self);
        };
        let captured_here = self.capture_context();
        let launched = launch(self.handle(), shape, list, move || own.live(told.as_deref()));
        match launched {
            Ok(_) => setup.map_or(Ok(()), |setup| setup.wait()),
            Err(error) => {
                // Nobody else can have started it in the meantime, so what is listed is ours.
                number.into_iter().for_each(registry::remove);
                if captured_here {
                    self.forget_context();
                }
                Err(error)
            }
        }
    }

    /// Takes along what its context is to be a copy of, unless that was done before; was it done now?
    pub(crate) fn capture_context(&self) -> bool {
        let policy = self.with_body(|body| body.captured.is_none().then(|| body.policy.clone())).flatten();
        let Some(policy) = policy else { return false };
        let mut captured = policy.capture();
        self.with_body(|body| {
            if body.captured.is_none() {
                body.captured = captured.take();
            }
        });
        // If somebody else was faster, theirs is there.
        captured.is_none()
    }

    /// Its thread is to be like one that the calling thread starts, whoever will do so.
    pub(crate) fn inherit(&self, inherited: Inherited) {
        self.with_body(|body| body.inherited = Some(inherited));
    }

    fn forget_context(&self) {
        drop(self.with_body(|body| body.captured.take()));
    }

    /// The life of the thread, on itself.
    fn live(self, setup: Option<&Setup>) {
        current::enter(self.clone());
        // Nothing is left of what a timer that was cancelled just now would have run.
        let body = self.take_body();
        // Before what was asked for, which goes beyond that.
        if let Some(inherited) = body.as_ref().and_then(|body| body.inherited.as_ref()) {
            inherited.take_on();
        }
        if let Some(setup) = setup {
            let refused = body.as_ref().and_then(|body| body.set_up().err());
            let go_on = refused.is_none();
            setup.tell(refused);
            if !go_on {
                return drop_quietly(body);
            }
        }
        if let Some(body) = body {
            self.perform(body);
        }
    }

    /// Runs what it is to run, here and now, with its hooks.
    pub(crate) fn perform(&self, body: Body) {
        excepthook::take_charge();
        let traced = Traced::begin(self);
        let mut uncaught = |payload: &Payload| excepthook::uncaught(self, payload);
        let Body { run, policy, captured, .. } = body;
        let ran = halt(|| run(&mut Stage { policy, captured, uncaught: &mut uncaught }));
        if let Err(payload) = ran {
            drop_quietly(payload);
        }
        traced.end();
    }
}

impl Body {
    fn set_up(&self) -> Result<(), StartError> {
        let refused = |what| move |error| StartError::Setup { what, error };
        if let Some(cpus) = &self.cpus {
            affinity::set_allowed(cpus).map_err(refused("the CPUs to run on"))?;
        }
        if let Some(nice) = self.nice {
            thread::set_nice(nice).map_err(refused("the niceness"))?;
        }
        Ok(())
    }
}

/// What the new thread tells the one that started it.
struct Setup {
    refused: Mutex<Option<StartError>>,
    done: Done,
}

impl Default for Setup {
    fn default() -> Self {
        Setup { refused: Mutex::default(), done: Done::new() }
    }
}

impl Setup {
    fn tell(&self, refused: Option<StartError>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        self.done.set();
    }

    fn wait(&self) -> Result<(), StartError> {
        self.done.wait(None);
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        refused.map_or(Ok(()), Err)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Setup, Thread};
    use crate::unwind::drop_quietly;

    /// As when a timer with CPUs of its own is cancelled while it is being started.
    #[test]
    fn who_starts_a_thread_without_a_body_is_not_kept_waiting() {
        let thread = Thread::builder().nice(0).build(|| ());
        drop_quietly(thread.take_body());
        let setup = Setup::default();
        let own = thread.clone();
        std::thread::scope(|s| {
            s.spawn(|| own.live(Some(&setup)));
        });
        assert!(setup.done.is_set());
        assert!(setup.wait().is_ok());
    }
}
