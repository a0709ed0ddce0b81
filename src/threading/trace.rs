//! Hooks that see threads come and go.
//!
//! One word for each kind of hook: whether one is set, and how often one was set for all threads. A thread looks at
//! it when it begins, and takes the hook of that moment if there is one; and when it ends, to see whether one was set
//! for all meanwhile. While nothing is set that is all, two plain loads in a thread's life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::fork::Kept;
use crate::sys::thread;
use crate::thread::report;
use crate::threading::object::Thread;
use crate::unwind::drop_quietly;

/// What happened to a thread.
///
/// # Examples
///
/// See [`set_trace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// It begins: its function runs next.
    Start,
    /// Its function is over, and told of if it panicked.
    Stop,
}

/// What a [`TraceHook`] sees. It is called on the thread that it is about.
///
/// # Examples
///
/// See [`set_trace`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TraceEvent<'a> {
    /// What happened.
    pub kind: EventKind,
    /// The calling thread.
    pub thread: &'a Thread,
}

/// What a [`ProfileHook`] sees. It is called on the thread that it is about.
///
/// # Examples
///
/// See [`set_profile`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProfileEvent<'a> {
    /// What happened.
    pub kind: EventKind,
    /// The calling thread.
    pub thread: &'a Thread,
    /// The time since it began; `None` if the hook was not there then.
    pub wall: Option<Duration>,
    /// The time that it has run on a CPU.
    pub cpu: Duration,
}

/// See [`set_trace`].
///
/// # Examples
///
/// See [`set_trace`].
pub type TraceHook = Arc<dyn Fn(&TraceEvent<'_>) + Send + Sync>;

/// See [`set_profile`].
///
/// # Examples
///
/// See [`set_profile`].
pub type ProfileHook = Arc<dyn Fn(&ProfileEvent<'_>) + Send + Sync>;

/// Where a hook is kept.
struct Place<H> {
    hook: Kept<Option<H>>,
    /// Bit 0: is there one? The rest counts how often one was set for all threads.
    word: AtomicU64,
}

const IS_SET: u64 = 1;
const FOR_ALL: u64 = 2;

/// What one thread has of it.
struct Own<H> {
    hook: Option<H>,
    word: u64,
}

impl<H: Clone> Place<H> {
    const fn new() -> Self {
        Place { hook: Kept::new(None), word: AtomicU64::new(0) }
    }

    fn set(&self, hook: Option<H>, for_all: bool) -> Option<H> {
        self.hook.with(|slot| {
            // Changed under the lock only. That the word is seen before the hook, or after, is settled by the lock too.
            let count = self.word.load(Ordering::Relaxed) & !IS_SET;
            let count = if for_all { count.wrapping_add(FOR_ALL) } else { count };
            self.word.store(count | u64::from(hook.is_some()), Ordering::Relaxed);
            std::mem::replace(slot, hook)
        })
    }

    #[inline]
    fn begin(&self) -> Own<H> {
        let word = self.word.load(Ordering::Relaxed);
        let hook = if word & IS_SET == 0 { None } else { self.hook.get() };
        Own { hook, word }
    }

    /// Brings up to date what a thread has.
    #[inline]
    fn look_again(&self, own: &mut Own<H>) {
        let word = self.word.load(Ordering::Relaxed);
        if (word ^ own.word) & !IS_SET != 0 {
            own.word = word;
            if let Some(old) = std::mem::replace(&mut own.hook, self.hook.get()) {
                drop_quietly(old);
            }
        }
    }
}

impl<H> Own<H> {
    /// Calls the hook; one that panics is not called again on this thread.
    fn call(&mut self, call: impl FnOnce(&H)) {
        if let Some(hook) = self.hook.take() {
            match report::aloud(|| call(&hook)) {
                Ok(()) => self.hook = Some(hook),
                Err(payload) => {
                    drop_quietly(payload);
                    drop_quietly(hook);
                }
            }
        }
    }
}

static TRACE: Place<TraceHook> = Place::new();
static PROFILE: Place<ProfileHook> = Place::new();

/// Sets a hook that sees the beginning and the end of each thread of this module that begins from now on; `None` for
/// none. Returns what was set.
///
/// Python's trace functions see every line that a thread runs. Nothing here knows of lines: a hook sees what happens
/// to threads. It runs on the thread itself. If it panics, the panic hook tells of it, and that thread calls it no
/// more.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use gristmill::threading::{EventKind, Thread, set_trace};
///
/// let (send, receive) = mpsc::channel();
/// set_trace(Some(Arc::new(move |event| send.send((event.kind, event.thread.name())).unwrap())));
/// let thread = Thread::builder().name("miller").build(|| ());
/// thread.start()?;
/// thread.join()?;
/// set_trace(None);
/// let seen: Vec<_> = receive.iter().collect();
/// assert_eq!(seen, [(EventKind::Start, "miller".into()), (EventKind::Stop, "miller".into())]);
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[doc(alias("threading.settrace"))]
pub fn set_trace(hook: Option<TraceHook>) -> Option<TraceHook> {
    TRACE.set(hook, false)
}

/// As [`set_trace`], and threads that run already have the new hook from now on in place of theirs.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use gristmill::threading::{EventKind, Thread, set_trace_all_threads};
///
/// let (stop, stopped) = mpsc::channel::<()>();
/// let thread = Thread::new(move || { let _ = stopped.recv(); });
/// thread.start()?;
/// assert!(thread.native_id().is_some()); // waits until it has begun
///
/// let (send, receive) = mpsc::channel();
/// set_trace_all_threads(Some(Arc::new(move |event| send.send(event.kind).unwrap())));
/// drop(stop);
/// thread.join()?;
/// set_trace_all_threads(None);
/// assert_eq!(receive.iter().last(), Some(EventKind::Stop));
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[doc(alias("threading.settrace_all_threads"))]
pub fn set_trace_all_threads(hook: Option<TraceHook>) -> Option<TraceHook> {
    TRACE.set(hook, true)
}

/// The trace hook that new threads get.
///
/// # Examples
///
/// ```
/// assert!(gristmill::threading::trace_hook().is_none());
/// ```
#[doc(alias("threading.gettrace"))]
#[must_use]
pub fn trace_hook() -> Option<TraceHook> {
    TRACE.hook.get()
}

/// As [`set_trace`], for a hook that is also told how long a thread has run.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use gristmill::threading::{EventKind, Thread, set_profile};
///
/// let (send, receive) = mpsc::channel();
/// set_profile(Some(Arc::new(move |event| send.send((event.kind, event.wall, event.cpu)).unwrap())));
/// let thread = Thread::new(|| assert_eq!((0..10_000).sum::<u64>(), 49_995_000));
/// thread.start()?;
/// thread.join()?;
/// set_profile(None);
/// let (kind, wall, _cpu) = receive.iter().last().unwrap();
/// assert!(kind == EventKind::Stop && wall.is_some());
/// # Ok::<(), gristmill::threading::ThreadError>(())
/// ```
#[doc(alias("threading.setprofile"))]
pub fn set_profile(hook: Option<ProfileHook>) -> Option<ProfileHook> {
    PROFILE.set(hook, false)
}

/// As [`set_profile`], and threads that run already have the new hook from now on in place of theirs.
///
/// # Examples
///
/// ```
/// use gristmill::threading::{profile_hook, set_profile_all_threads};
///
/// set_profile_all_threads(Some(std::sync::Arc::new(|event| println!("{event:?}"))));
/// assert!(profile_hook().is_some());
/// set_profile_all_threads(None);
/// ```
#[doc(alias("threading.setprofile_all_threads"))]
pub fn set_profile_all_threads(hook: Option<ProfileHook>) -> Option<ProfileHook> {
    PROFILE.set(hook, true)
}

/// The profile hook that new threads get.
///
/// # Examples
///
/// ```
/// assert!(gristmill::threading::profile_hook().is_none());
/// ```
#[doc(alias("threading.getprofile"))]
#[must_use]
pub fn profile_hook() -> Option<ProfileHook> {
    PROFILE.hook.get()
}

/// One thread's hooks, from its beginning to its end.
pub(crate) struct Traced<'a> {
    thread: &'a Thread,
    trace: Own<TraceHook>,
    profile: Own<ProfileHook>,
    begun: Option<Instant>,
}

impl<'a> Traced<'a> {
    /// The thread begins.
    pub(crate) fn begin(thread: &'a Thread) -> Self {
        let (trace, profile) = (TRACE.begin(), PROFILE.begin());
        let begun = profile.hook.is_some().then(Instant::now);
        let mut traced = Traced { thread, trace, profile, begun };
        traced.tell(EventKind::Start);
        traced
    }

    /// Its function is over.
    pub(crate) fn end(mut self) {
        TRACE.look_again(&mut self.trace);
        PROFILE.look_again(&mut self.profile);
        self.tell(EventKind::Stop);
        let Traced { trace, profile, .. } = self;
        drop_quietly((trace.hook, profile.hook));
    }

    fn tell(&mut self, kind: EventKind) {
        let (thread, begun) = (self.thread, self.begun);
        self.trace.call(|hook| hook(&TraceEvent { kind, thread }));
        self.profile.call(|hook| {
            let wall = begun.map(|begun| begun.elapsed());
            hook(&ProfileEvent { kind, thread, wall, cpu: thread::cpu_time() });
        });
    }
}
