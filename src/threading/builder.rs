//! How a thread is to be.

use std::fmt;

use crate::thread::{StackSizeError, StartError, ThreadHandle, stack};
use crate::threading::body::{Body, ContextPolicy, Run};
use crate::threading::object::{Kind, Thread};
use crate::threading::spawned::{self, JoinHandle};
use crate::threading::{current, naming};
use crate::unwind::drop_quietly;

/// Something that a thread can run: what overriding `Thread.run` is in Python.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{Runnable, Thread};
///
/// struct Miller { sacks: u32 }
///
/// impl Runnable for Miller {
///     fn run(self) {
///         println!("{} sacks to grind", self.sacks);
///     }
/// }
///
/// let thread = Thread::builder().build_runnable(Miller { sacks: 3 });
/// assert!(thread.name().ends_with(" (Miller)"));
/// thread.start()?;
/// thread.join()?;
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[doc(alias("threading.Thread.run"))]
pub trait Runnable: Send + 'static {
    /// Runs on the new thread, once.
    fn run(self);
}

/// How a thread is to be; made by [`Thread::builder`].
///
/// # Examples
///
/// ```
/// use gristmill::threading::{Thread, current_thread};
///
/// let sum = Thread::builder()
///     .name("adder")
///     .daemon(true)
///     .stack_size(256 * 1024)?
///     .spawn(|| (current_thread().name(), (1..=4).sum::<u32>()))?;
/// assert_eq!(sum.join().unwrap(), ("adder".into(), 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "build it or spawn it"]
pub struct ThreadBuilder {
    name: Option<String>,
    daemon: Option<bool>,
    stack_size: usize,
    cpus: Option<Vec<usize>>,
    nice: Option<i32>,
    context: ContextPolicy,
}

impl Thread {
    /// A thread that will run `target` once it is [started](Self::start), with a name, and a daemon or not, by
    /// default.
    ///
    /// # Examples
    ///
    /// See [`Thread`].
    #[doc(alias("threading.Thread"))]
    #[must_use]
    pub fn new<F: FnOnce() + Send + 'static>(target: F) -> Thread {
        Thread::builder().build(target)
    }

    /// To say how a thread is to be.
    ///
    /// # Examples
    ///
    /// See [`ThreadBuilder`].
    pub fn builder() -> ThreadBuilder {
        ThreadBuilder::default()
    }
}

impl ThreadBuilder {
    /// Its name; `Thread-N` by default, with the name of its function behind it if it has one.
    ///
    /// # Examples
    ///
    /// See [`ThreadBuilder`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the end of the process leaves it where it is, rather than wait for it; as the thread that builds it is
    /// by default.
    ///
    /// # Examples
    ///
    /// See [`ThreadBuilder`].
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// The size of its stack in bytes; what [`stack_size`](crate::thread::stack_size) says by default, or for 0.
    ///
    /// # Errors
    ///
    /// [`StackSizeError`] for sizes that [`set_stack_size`](crate::thread::set_stack_size) does not take either.
    ///
    /// # Examples
    ///
    /// See [`ThreadBuilder`].
    pub fn stack_size(mut self, bytes: usize) -> Result<Self, StackSizeError> {
        self.stack_size = stack::check(bytes)?;
        Ok(self)
    }

    /// The [context](crate::contextvars) that it runs in. What is copied is copied when it is started.
    ///
    /// # Examples
    ///
    /// See [`ContextPolicy`].
    pub fn context(mut self, context: ContextPolicy) -> Self {
        self.context = context;
        self
    }

    /// The CPUs it may run on, by the numbers that the system gives them; those of the thread that starts it by
    /// default. Those of a NUMA node are in the [topology](crate::topology).
    ///
    /// Starting fails if it may not run on all of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{threading::Thread, topology::Topology};
    ///
    /// // On one CPU, the first that we may use.
    /// let cpus: Vec<usize> = Topology::detect().allowed().iter().take(1).collect();
    /// assert_eq!(Thread::builder().cpus(cpus).spawn(|| 7)?.join().unwrap(), 7);
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// How willingly it makes way for others, from -20 (least, which needs a privilege) to 19; as the thread that
    /// starts it by default.
    ///
    /// Starting fails if that is not allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::Thread;
    ///
    /// let background = Thread::builder().nice(19).spawn(|| (1..=4).sum::<u32>())?;
    /// assert_eq!(background.join().unwrap(), 10);
    /// assert!(Thread::builder().cpus([]).spawn(|| ()).is_err());
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    pub fn nice(mut self, nice: i32) -> Self {
        self.nice = Some(nice);
        self
    }

    /// A thread that will run `target` once it is started.
    ///
    /// # Examples
    ///
    /// ```
    /// let thread = gristmill::threading::Thread::builder().name("miller").build(|| ());
    /// thread.start()?;
    /// # Ok::<(), gristmill::thread::StartError>(())
    /// ```
    #[must_use = "start it"]
    pub fn build<F: FnOnce() + Send + 'static>(self, target: F) -> Thread {
        self.build_run::<F>(Box::new(move |stage| {
            if let Err(payload) = stage.call(target) {
                drop_quietly(payload);
            }
        }))
    }

    /// A thread that will run `task` once it is started.
    ///
    /// # Examples
    ///
    /// See [`Runnable`].
    #[must_use = "start it"]
    pub fn build_runnable<R: Runnable>(self, task: R) -> Thread {
        let name = self.name_for::<R>();
        ThreadBuilder { name: Some(name), ..self }.build(move || task.run())
    }

    /// Starts a thread that runs `f`, and whose result can be waited for.
    ///
    /// # Errors
    ///
    /// As for [`Thread::start`].
    ///
    /// # Examples
    ///
    /// See [`ThreadBuilder`].
    pub fn spawn<T, F>(self, f: F) -> Result<JoinHandle<T>, StartError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        spawned::spawn(f, |run| self.build_run::<F>(run))
    }

    /// A thread that will do `run`, named after `F` by default.
    pub(crate) fn build_run<F>(self, run: Run) -> Thread {
        let name = self.name_for::<F>();
        self.build_body(name, run)
    }

    fn name_for<F>(&self) -> String {
        self.name.clone().unwrap_or_else(naming::for_target::<F>)
    }

    fn build_body(self, name: String, run: Run) -> Thread {
        let daemon = self.daemon.unwrap_or_else(current::is_daemon);
        let ThreadBuilder { stack_size, cpus, nice, context: policy, .. } = self;
        let body = Body { run, stack_size, cpus, nice, inherited: None, policy, captured: None };
        Thread::with(ThreadHandle::new(), Kind::Own, name, daemon, Some(body))
    }
}

/// Starts a thread that runs `f`, named and a daemon or not by default, and whose result can be waited for.
///
/// # Errors
///
/// As for [`Thread::start`].
///
/// # Examples
///
/// ```
/// let words = gristmill::threading::spawn(|| "all is grist".split(' ').count())?;
/// assert_eq!(words.join().unwrap(), 3);
/// # Ok::<(), gristmill::threading::StartError>(())
/// ```
pub fn spawn<T, F>(f: F) -> Result<JoinHandle<T>, StartError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    Thread::builder().spawn(f)
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("name", &self.name)
            .field("daemon", &self.daemon)
            .field("stack_size", &self.stack_size)
            .field("cpus", &self.cpus)
            .field("nice", &self.nice)
            .field("context", &self.context)
            .finish()
    }
}
