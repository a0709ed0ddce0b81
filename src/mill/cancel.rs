//! Cancelling work that is under way, by hand or by a deadline.
//!
//! A token is a flag with a parent. Work that runs under a token looks at it where it would split: `join`s
//! when they take their slow path (cancelling makes every worker do so on its next push), loops before each
//! piece they take. Work that finds its token cancelled unwinds to the [`CancelToken::run`] that it began in,
//! without a message and without calling the panic hook.

#![allow(unsafe_code, reason = "jobs carry their token as an untyped pointer")]

use std::cell::Cell;
use std::cmp::{Ordering as Order, Reverse};
use std::collections::BinaryHeap;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use crate::mill::seat;
use crate::mill::worker::Worker;
use crate::sys::fork;
use crate::unwind;

/// Makes every worker of every mill look at its token.
static POKE: OnceLock<fn()> = OnceLock::new();

/// Whoever knows the mills puts `poke` here.
pub(crate) fn poke_with(poke: fn()) {
    POKE.get_or_init(|| poke);
}

struct Inner {
    cancelled: AtomicBool,
    parents: [Option<CancelToken>; 2],
    /// The clock has an alarm for it, or had.
    has_alarm: bool,
}

impl Inner {
    fn is_cancelled(&self) -> bool {
        // ORDERING(cancel): Acquire; pairs with the swap in `CancelToken::cancel`.
        self.cancelled.load(Ordering::Acquire) || self.parents.iter().flatten().any(CancelToken::is_cancelled)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.has_alarm {
            Clock::note_dead();
        }
    }
}

/// Cancels the work that runs under it, and under its children.
///
/// Tokens are handles: a clone is the same token. Cancelling is cooperative. It takes effect where work
/// splits (`join`, `scope`, the `par_` loops), where a spawned job would start, and at [`checkpoint`]. What destructors do
/// while a thread unwinds is not cancelled.
///
/// Python has no counterpart: `Future.cancel` only stops what has not started.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use gristmill::CancelToken;
///
/// let token = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(10));
/// let result = token.run(|| {
///     loop {
///         gristmill::par_for(0..1_000, |_| std::hint::spin_loop());
///     }
/// });
/// assert_eq!(result, Err::<(), _>(gristmill::Cancelled));
/// ```
#[derive(Clone)]
pub struct CancelToken(Arc<Inner>);

impl CancelToken {
    fn under(parents: [Option<CancelToken>; 2]) -> Self {
        CancelToken(Arc::new(Inner { cancelled: AtomicBool::new(false), parents, has_alarm: false }))
    }

    /// A token that nothing has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::under([None, None])
    }

    /// A token that is cancelled with this one, but can be cancelled alone as well.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::under([Some(self.clone()), None])
    }

    /// A child that is also cancelled at `deadline`, within the precision of the system's timers; one in the
    /// past is cancelled at once.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        let has_alarm = deadline > Instant::now();
        let (cancelled, parents) = (AtomicBool::new(false), [Some(self.clone()), None]);
        let child = CancelToken(Arc::new(Inner { cancelled, parents, has_alarm }));
        if has_alarm {
            Clock::get().set(deadline, &child);
        } else {
            child.cancel();
        }
        child
    }

    /// Cancels the work under this token. The second call does nothing.
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is seen by whoever sees the token cancelled.
    pub fn cancel(&self) {
        // ORDERING(cancel): Release; pairs with the load in `Inner::is_cancelled`.
        if !self.0.cancelled.swap(true, Ordering::Release) {
            if let Some(poke) = POKE.get() {
                // ORDERING(poke): see `join_slowly`.
                fence(Ordering::SeqCst);
                poke();
            }
        }
    }

    /// Has this token, or one that it descends from, been cancelled?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Runs `f` under this token as well as the one that the caller runs under, if any.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if either was cancelled before `f` came to its end. An `f` that does not look at the token
    /// any more when it is cancelled returns its result all the same.
    ///
    /// # Panics
    ///
    /// With the panic of `f`. In a program built with `panic = "abort"` nothing can unwind, so there work that
    /// has begun is not interrupted: ask [`is_cancelled`](Self::is_cancelled) in it.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, Cancelled> {
        let token = match current() {
            Some(outer) => Self::under([Some(self.clone()), Some(outer)]),
            None => self.clone(),
        };
        if token.is_cancelled() {
            return Err(Cancelled);
        }
        let result = {
            let _under = Under::enter(token.as_ptr());
            unwind::halt(f)
        };
        match result {
            Ok(value) => Ok(value),
            Err(payload) if payload.is::<Unwinding>() => Err(Cancelled),
            Err(payload) => unwind::resume(payload),
        }
    }

    /// As jobs carry it.
    pub(crate) fn as_ptr(&self) -> *const () {
        Arc::as_ptr(&self.0).cast()
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// The work was cancelled before it came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was cancelled before it came to its end")]
pub struct Cancelled;

/// What cancelled work unwinds with.
struct Unwinding;

/// Unwinds to the innermost [`CancelToken::run`] if the work that calls this has been cancelled.
///
/// For loops of the caller's own that split nowhere. Costs two loads or so.
///
/// # Examples
///
/// ```
/// use gristmill::{CancelToken, Cancelled, checkpoint};
///
/// let token = CancelToken::new();
/// let (mut rounds, stop) = (0, token.clone());
/// let result = token.run(|| loop {
///     rounds += 1;
///     if rounds == 10 {
///         stop.cancel();
///     }
///     checkpoint();
/// });
/// assert_eq!((rounds, result), (10, Err::<(), _>(Cancelled)));
/// ```
///
/// # Panics
///
/// Never; but it unwinds, so destructors run. Does nothing in a program built with `panic = "abort"`.
pub fn checkpoint() {
    if must_unwind(current_ptr()) {
        unwind_now();
    }
}

/// Has the work under this token been cancelled, and can this thread unwind?
#[inline]
pub(crate) fn must_unwind(token: *const ()) -> bool {
    !token.is_null() && cfg!(panic = "unwind") && is_cancelled(token) && !std::thread::panicking()
}

/// Unwinds to the innermost `run`; see [`must_unwind`].
pub(crate) fn unwind_now() -> ! {
    unwind::resume(Box::new(Unwinding))
}

/// Has the token behind this pointer been cancelled? Null never is.
pub(crate) fn is_cancelled(token: *const ()) -> bool {
    // SAFETY: tokens in jobs and seats are null or alive for as long as the work that runs under them.
    unsafe { token.cast::<Inner>().as_ref() }.is_some_and(Inner::is_cancelled)
}

/// Does this panic come from cancelled work?
pub(crate) fn is_unwinding(payload: &unwind::Payload) -> bool {
    payload.is::<Unwinding>()
}

thread_local! {
    /// The token of work on a thread outside of any mill.
    static OUTSIDE: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// The token that the caller runs under, null for none. None while this thread panics or is cancelled: what a destructor does then
/// comes to its end, as nobody can unwind from there.
pub(crate) fn current_ptr() -> *const () {
    if std::thread::panicking() {
        return ptr::null();
    }
    seat::current().map_or_else(|| OUTSIDE.get(), |seat| seat.token())
}

/// The token that the caller runs under.
fn current() -> Option<CancelToken> {
    // SAFETY: retained for this.
    unsafe { release(retain()) }
}

/// The token that the caller runs under, null for none, kept alive until it is [released](release).
pub(crate) fn retain() -> *const () {
    let token = current_ptr();
    if !token.is_null() {
        // SAFETY: not null, so it came from a token that is alive.
        unsafe { Arc::increment_strong_count(token.cast::<Inner>()) };
    }
    token
}

/// A token that was [retained](retain).
///
/// # Safety
///
/// Once for each `retain`.
pub(crate) unsafe fn release(token: *const ()) -> Option<CancelToken> {
    // SAFETY: null, or the pointer of an `Arc` with a count that is now the result's.
    (!token.is_null()).then(|| CancelToken(unsafe { Arc::from_raw(token.cast()) }))
}

/// The calling thread works under a token for as long as this lives.
pub(crate) struct Under(*const ());

impl Under {
    /// The token lives longer than the value returned.
    pub(crate) fn enter(token: *const ()) -> Self {
        Under(Self::replace(token))
    }

    fn replace(token: *const ()) -> *const () {
        match Worker::current() {
            Some(worker) => {
                // Private jobs have no token of their own yet: they get the one that they were pushed under.
                worker.expose_all();
                worker.set_token(token)
            }
            None => OUTSIDE.replace(token),
        }
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        Self::replace(self.0);
    }
}

/// The clock; null until the first deadline. Never freed.
static CLOCK: AtomicPtr<Clock> = AtomicPtr::new(ptr::null_mut());

/// In a forked child: if another thread of its parent held the clock's lock, takes a new one, which does not know of deadlines
/// from before. Else the next deadline that is set in the child starts a thread that looks after those too.
fn forget_clock() {
    // SAFETY: null, or a clock that is never freed.
    if unsafe { CLOCK.load(Ordering::Acquire).as_ref() }.is_some_and(|clock| clock.alarms.try_lock().is_err())
    {
        CLOCK.store(ptr::null_mut(), Ordering::Release);
    }
}

/// So many dead alarms may lie about, or as many as there are others if those are more.
const DEAD: usize = 64;

/// One thread that sleeps until the next deadline, while there is any.
///
/// Most work is over long before its deadline, and its alarm is then dead, but keeps its memory and that of the token. So
/// tokens tell when they go, and whoever finds that more than half of the alarms are dead takes those out. That costs each
/// alarm a constant time.
#[derive(Default)]
struct Clock {
    alarms: Mutex<Alarms>,
    changed: Condvar,
    /// How many alarms there are; written under the lock.
    length: AtomicUsize,
    /// How many tokens have gone since dead alarms were taken out. Some of their alarms may have been in time.
    dead: AtomicUsize,
}

#[derive(Default)]
struct Alarms {
    heap: BinaryHeap<Reverse<Alarm>>,
    /// The process, counted by forks, in which a thread looks after them.
    running: Option<u32>,
}

struct Alarm {
    at: Instant,
    token: Weak<Inner>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Order {
        self.at.cmp(&other.at)
    }
}

impl Clock {
    fn get() -> &'static Clock {
        let mut clock = CLOCK.load(Ordering::Acquire);
        if clock.is_null() {
            fork::watch(forget_clock);
            clock = Box::into_raw(Box::default());
            if let Err(first) =
                CLOCK.compare_exchange(ptr::null_mut(), clock, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: just made, and nobody else has seen it.
                drop(unsafe { Box::from_raw(clock) });
                clock = first;
            }
        }
        // SAFETY: not null, and never freed.
        unsafe { &*clock }
    }

    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&'static self, at: Instant, token: &CancelToken) {
        let mut alarms = self.lock();
        let is_first = alarms.heap.peek().is_none_or(|Reverse(first)| at < first.at);
        alarms.heap.push(Reverse(Alarm { at, token: Arc::downgrade(&token.0) }));
        self.length.store(alarms.heap.len(), Ordering::Relaxed);
        if alarms.running == Some(fork::generation()) {
            if is_first {
                self.changed.notify_one();
            }
            return;
        }
        let clock = std::thread::Builder::new().name("gm-clock".into()).stack_size(64 * 1024);
        match clock.spawn(|| self.run()) {
            Ok(_) => alarms.running = Some(fork::generation()),
            // Without a clock nobody would ever notice the deadline: it counts as over.
            Err(_) => {
                drop(alarms);
                token.cancel();
            }
        }
    }

    /// A token with an alarm has gone: nobody can upgrade what the alarm has of it.
    fn note_dead() {
        // SAFETY: null, or a clock that is never freed.
        let Some(clock) = (unsafe { CLOCK.load(Ordering::Acquire).as_ref() }) else { return };
        // ORDERING(dead-alarm): Release; pairs with the swap in `sweep`.
        let dead = clock.dead.fetch_add(1, Ordering::Release) + 1;
        if dead > DEAD && dead > clock.length.load(Ordering::Relaxed) / 2 {
            clock.sweep();
        }
    }

    #[cold]
    fn sweep(&self) {
        let mut alarms = self.lock();
        // ORDERING(dead-alarm): Acquire; all that are counted in here are found dead below. Somebody else may have done it.
        let dead = self.dead.load(Ordering::Relaxed);
        if dead <= DEAD || dead <= alarms.heap.len() / 2 {
            return;
        }
        self.dead.swap(0, Ordering::Acquire);
        let heap = &mut alarms.heap;
        heap.retain(|Reverse(alarm)| alarm.token.strong_count() > 0);
        if heap.len() < heap.capacity() / 4 {
            heap.shrink_to(heap.len() * 2);
        }
        self.length.store(heap.len(), Ordering::Relaxed);
    }

    fn run(&self) {
        let mut alarms = self.lock();
        loop {
            // Of work that has ended nothing is left to cancel.
            while alarms.heap.peek().is_some_and(|Reverse(alarm)| alarm.token.strong_count() == 0) {
                alarms.heap.pop();
            }
            self.length.store(alarms.heap.len(), Ordering::Relaxed);
            let Some(Reverse(next)) = alarms.heap.peek() else {
                alarms.running = None;
                return;
            };
            let left = next.at.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                alarms = self.changed.wait_timeout(alarms, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let due = alarms.heap.pop().and_then(|Reverse(alarm)| alarm.token.upgrade());
            drop(alarms);
            if let Some(inner) = due {
                CancelToken(inner).cancel();
            }
            alarms = self.lock();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
