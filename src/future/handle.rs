//! `Future`: what its one owner holds of a task.

#![allow(unsafe_code, reason = "the holder's half of a cell")]

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::future::blocking::{self, Outlook};
use crate::future::cell::{Cell, Core, Handle, Outcome};
use crate::future::ended::{Ended, FutureState};
use crate::future::error::TaskError;
use crate::future::listener;
use crate::future::slot::Slot;

/// The result of a task that runs somewhere, and that may not be there yet. It has one owner, who gets the result.
///
/// Executors make them ([`submit`](crate::concurrent::futures::Executor::submit)), and so does
/// [`Promise::new`](crate::concurrent::futures::Promise::new). A future that is dropped lets its task run; to stop one
/// that has not started, [`cancel`](Self::cancel) it. If several threads need the result, [`share`](Self::share) it. In
/// async code, `.await` it, in any runtime.
///
/// Python's `Future` gives its result as often as it is asked; here it is moved out once, and [`result_ref`](Self::result_ref) looks
/// at it where it is.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::ThreadPoolExecutor;
///
/// let pool = ThreadPoolExecutor::builder().max_workers(2).build()?;
/// let future = pool.submit(|| 6 * 7)?;
/// assert_eq!(future.result()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory ordering
///
/// What the task did is seen by whoever sees it done.
#[doc(alias = "concurrent.futures.Future")]
#[must_use = "a future that is dropped lets its task run, and its result is lost"]
pub struct Future<T> {
    cell: NonNull<Cell<T>>,
    slot: Slot,
    owns: PhantomData<T>,
}

// SAFETY: a future owns the result, which may come from another thread; the cell is made to be shared with one.
unsafe impl<T: Send> Send for Future<T> {}
// SAFETY: through a shared reference the result is only looked at.
unsafe impl<T: Send + Sync> Sync for Future<T> {}

/// When a wait that may last so long is over; `None` for never.
pub(crate) fn deadline_in(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// What a future that is done, and whose phase tells how, came to.
static CANCELLED: TaskError = TaskError::Cancelled;
static TAKEN: TaskError = TaskError::Taken;
static DEADLOCK: TaskError = TaskError::Deadlock;
static TIMEOUT: TaskError = TaskError::Timeout;

impl<T> Future<T> {
    /// The future of a cell.
    ///
    /// # Safety
    ///
    /// The cell is held for it, and for nobody else.
    #[inline]
    pub(crate) unsafe fn of(cell: NonNull<Cell<T>>) -> Self {
        Future { cell, slot: Slot::default(), owns: PhantomData }
    }

    #[inline]
    fn cell(&self) -> &Cell<T> {
        // SAFETY: held until this is dropped.
        unsafe { self.cell.as_ref() }
    }

    #[inline]
    pub(crate) fn core(&self) -> Handle<'_> {
        // SAFETY: held until this is dropped; the pointer is the one that the cell was made with.
        unsafe { Handle::new(Cell::core_of(self.cell)) }
    }

    /// The outcome of a future that was waited for.
    #[inline]
    pub(crate) fn taken(&mut self, outlook: Outlook) -> Result<T, TaskError> {
        match outlook {
            Outlook::Done if self.core().load().ended() != Some(Ended::Cancelled) => {
                // SAFETY: done and not cancelled; we are the holder, and borrowed for this alone.
                match unsafe { self.cell().take() } {
                    Some(Ok(value)) => Ok(value),
                    Some(Err(error)) => Err(*error),
                    None => Err(TaskError::Taken),
                }
            }
            Outlook::Done => Err(TaskError::Cancelled),
            Outlook::TimeUp => Err(TaskError::Timeout),
            Outlook::Never => Err(TaskError::Deadlock),
        }
    }

    fn looked_at(&self, outlook: Outlook) -> Result<&T, &TaskError> {
        match outlook {
            Outlook::Done if self.core().load().ended() != Some(Ended::Cancelled) => {
                // SAFETY: done and not cancelled; to take it, this future would have to be borrowed exclusively.
                match unsafe { self.cell().outcome() } {
                    Some(Ok(value)) => Ok(value),
                    Some(Err(error)) => Err(&**error),
                    None => Err(&TAKEN),
                }
            }
            Outlook::Done => Err(&CANCELLED),
            Outlook::TimeUp => Err(&TIMEOUT),
            Outlook::Never => Err(&DEADLOCK),
        }
    }

    /// Waits for the result and returns it.
    ///
    /// A worker of a pool may call this for a task of the same or another pool: if the task has not started, the worker
    /// runs it itself; else it takes part in it, or sleeps and lets another thread have its place. So tasks that wait for
    /// tasks do not use up a pool's workers. A thread from outside runs a task that has not started, too, if the pool
    /// [lets callers run](crate::concurrent::futures::ThreadPoolBuilder::caller_runs).
    ///
    /// # Examples
    ///
    /// ```
    /// # use gristmill::concurrent::futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::builder().max_workers(1).build()?;
    /// assert_eq!(pool.submit(|| "done".len())?.result()?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`TaskError`]: the task was cancelled or panicked, its executor broke, or it waits for the caller in turn
    /// ([`Deadlock`](TaskError::Deadlock)).
    #[doc(alias = "concurrent.futures.Future.result")]
    #[inline]
    pub fn result(mut self) -> Result<T, TaskError> {
        let outlook = blocking::wait(self.core(), None);
        self.taken(outlook)
    }

    /// As [`result`](Self::result), for `timeout` at most; zero asks without waiting. Afterwards the task goes on, and the
    /// future can be waited for again. The caller never runs the task itself, as that may take any time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::concurrent::futures::{Promise, TaskError};
    ///
    /// let (promise, mut future) = Promise::new();
    /// assert!(matches!(future.result_timeout(Duration::from_millis(1)), Err(TaskError::Timeout)));
    /// promise.set_result(5).unwrap();
    /// assert_eq!(future.result_timeout(Duration::ZERO).unwrap(), 5);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result); [`TaskError::Timeout`]; [`TaskError::Taken`] when the result was returned before.
    pub fn result_timeout(&mut self, timeout: Duration) -> Result<T, TaskError> {
        let outlook = blocking::wait(self.core(), deadline_in(timeout).or(far_off()));
        self.taken(outlook)
    }

    /// As [`result_timeout`](Self::result_timeout), until `deadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gristmill::concurrent::futures::Promise;
    ///
    /// let (promise, mut future) = Promise::new();
    /// promise.set_result(5).unwrap();
    /// assert_eq!(future.result_deadline(Instant::now()).unwrap(), 5);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`result_timeout`](Self::result_timeout).
    pub fn result_deadline(&mut self, deadline: Instant) -> Result<T, TaskError> {
        let outlook = blocking::wait(self.core(), Some(deadline));
        self.taken(outlook)
    }

    /// The result, if it is there; `None` if the task is not done.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::Promise;
    ///
    /// let (promise, mut future) = Promise::new();
    /// assert!(future.try_result().is_none());
    /// promise.set_result(5).unwrap();
    /// assert_eq!(future.try_result().unwrap().unwrap(), 5);
    /// ```
    pub fn try_result(&mut self) -> Option<Result<T, TaskError>> {
        self.done().then(|| self.taken(Outlook::Done))
    }

    /// Waits for the result, and leaves it where it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::Promise;
    ///
    /// let (promise, future) = Promise::new();
    /// promise.set_result(String::from("grist")).unwrap();
    /// assert_eq!(future.result_ref().unwrap(), "grist");
    /// assert_eq!(future.result().unwrap(), "grist");
    /// ```
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result); [`TaskError::Taken`] when the result was returned before.
    pub fn result_ref(&self) -> Result<&T, &TaskError> {
        self.looked_at(blocking::wait(self.core(), None))
    }

    /// As [`result_ref`](Self::result_ref), for `timeout` at most.
    ///
    /// # Errors
    ///
    /// As [`result_ref`](Self::result_ref), and [`TaskError::Timeout`].
    pub fn result_ref_timeout(&self, timeout: Duration) -> Result<&T, &TaskError> {
        self.looked_at(blocking::wait(self.core(), deadline_in(timeout).or(far_off())))
    }

    /// Waits until the task is done, and returns its error if it has one. (Python's raises `CancelledError` for a future
    /// that was cancelled; here that is an error like the others.)
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{Promise, TaskError};
    ///
    /// let (promise, future) = Promise::<u8>::new();
    /// drop(promise);
    /// assert!(matches!(future.exception(), Some(TaskError::Abandoned)));
    /// ```
    #[doc(alias = "concurrent.futures.Future.exception")]
    pub fn exception(&self) -> Option<&TaskError> {
        self.result_ref().err()
    }

    /// As [`exception`](Self::exception), for `timeout` at most; then that is [`TaskError::Timeout`].
    pub fn exception_timeout(&self, timeout: Duration) -> Option<&TaskError> {
        self.result_ref_timeout(timeout).err()
    }

    /// Waits until the task is done.
    ///
    /// # Errors
    ///
    /// [`TaskError::Deadlock`], as for [`result`](Self::result).
    pub fn wait(&self) -> Result<(), TaskError> {
        match blocking::wait(self.core(), None) {
            Outlook::Never => Err(TaskError::Deadlock),
            _ => Ok(()),
        }
    }

    /// Waits until the task is done, for `timeout` at most; is it done?
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// let (promise, future) = gristmill::concurrent::futures::Promise::<u8>::new();
    /// assert!(!future.wait_timeout(Duration::from_millis(1)));
    /// # drop(promise);
    /// ```
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        blocking::wait(self.core(), deadline_in(timeout).or(far_off())) == Outlook::Done
    }

    /// Keeps the task from being run, if it has not started. True if the future is cancelled now, by this call or before;
    /// false if the task runs or is done.
    ///
    /// Callbacks run in the calling thread, and all who wait are woken, those in `wait` and `as_completed` too. (In Python
    /// those hear of it only when the executor comes by.) What the task has captured is dropped before this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{Promise, TaskError};
    ///
    /// let (_promise, future) = Promise::<u8>::new();
    /// assert!(future.cancel());
    /// assert!(future.cancelled() && future.done() && !future.running());
    /// assert!(matches!(future.result(), Err(TaskError::Cancelled)));
    /// ```
    #[doc(alias = "concurrent.futures.Future.cancel")]
    pub fn cancel(&self) -> bool {
        self.core().try_cancel()
    }

    /// Was it cancelled?
    #[doc(alias = "concurrent.futures.Future.cancelled")]
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.core().load().ended() == Some(Ended::Cancelled)
    }

    /// Is it being run?
    #[doc(alias = "concurrent.futures.Future.running")]
    #[must_use]
    pub fn running(&self) -> bool {
        self.state() == FutureState::Running
    }

    /// Has it a result or an error, or was it cancelled?
    #[doc(alias = "concurrent.futures.Future.done")]
    #[must_use]
    pub fn done(&self) -> bool {
        self.core().is_done()
    }

    /// What state it is in.
    #[must_use]
    pub fn state(&self) -> FutureState {
        self.core().load().state()
    }

    /// Calls `call` once the future is done, in the thread that makes it so; at once, and here, if it is done already.
    ///
    /// Callbacks run in the order in which they were added, after all who wait have been woken. A panic in one has been
    /// reported by the panic hook, and keeps no others from being called. The callback is told how the future ended; the
    /// result is its owner's. (For a callback that sees the result, [share](Self::share) the future.)
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{Ended, ThreadPoolExecutor};
    ///
    /// let pool = ThreadPoolExecutor::builder().max_workers(1).build()?;
    /// let (send, receive) = std::sync::mpsc::channel();
    /// let future = pool.submit(|| 6 * 7)?;
    /// future.add_done_callback(move |ended| send.send(ended).unwrap());
    /// assert_eq!(receive.recv()?, Ended::Returned);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "concurrent.futures.Future.add_done_callback")]
    pub fn add_done_callback(&self, call: impl FnOnce(Ended) + Send + 'static) {
        let core = self.core();
        if let Some(ended) = core.load().ended() {
            return listener::run_callback(call, ended);
        }
        let listener = listener::call_back(Box::new(call));
        // The box is freed by the pointer that is pushed.
        // SAFETY: just made; it is freed by whoever makes the future done, or below.
        if unsafe { core.word.push_at(listener) } {
            return;
        }
        // SAFETY: it was not pushed.
        let call = unsafe { listener::take_back(listener) };
        if let (Some(call), Some(ended)) = (call, core.load().ended()) {
            listener::run_callback(call, ended);
        }
    }
}

/// For timeouts so long that their end cannot be told: a wait with a limit, which the task is not run in, all the same.
pub(crate) fn far_off() -> Option<Instant> {
    // Some thirty years.
    Instant::now().checked_add(Duration::from_secs(1 << 30))
}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        struct Release<T>(NonNull<Cell<T>>);
        impl<T> Drop for Release<T> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the future is being dropped.
                unsafe { Core::release(Cell::core_of(self.0)) };
            }
        }
        let release = Release(self.cell);
        // SAFETY: held until `release`, which comes last.
        let cell = unsafe { self.cell.as_ref() };
        self.slot.empty(cell.core());
        if matches!(cell.core().load().ended(), Some(Ended::Returned | Ended::Raised)) {
            // Here, so that a panic in its drop is the owner's, as with any value.
            // SAFETY: done, and we are the holder.
            drop::<Option<Outcome<T>>>(unsafe { cell.take() });
        }
        drop(release);
    }
}

impl<T> std::future::Future for Future<T> {
    type Output = Result<T, TaskError>;

    /// Ready once the task is done. The async task is woken from the thread that makes it so.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // SAFETY: held until this is dropped; so named to borrow the slot beside it.
        let core = unsafe { this.cell.as_ref() }.core();
        this.slot.poll(core, context).map(|()| this.taken(Outlook::Done))
    }
}

/// Polling needs no place that stays: the cell is on the heap.
impl<T> Unpin for Future<T> {}

impl<T> std::panic::UnwindSafe for Future<T> {}
impl<T> std::panic::RefUnwindSafe for Future<T> {}

/// State, and the type of what came of it.
impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Future");
        shown.field("state", &self.state());
        match self.core().load().ended() {
            Some(Ended::Returned) => shown.field("returned", &std::any::type_name::<T>()),
            Some(Ended::Raised) => shown.field("raised", &self.looked_at(Outlook::Done).err()),
            _ => &mut shown,
        };
        shown.finish_non_exhaustive()
    }
}
