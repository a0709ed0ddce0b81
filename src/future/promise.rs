//! `Promise`: the runner's side of a future, for whoever brings the result about by other means than an executor.

#![allow(unsafe_code, reason = "the runner's half of a cell")]

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crate::future::cell::{Cell, Core, Kind, Outcome};
use crate::future::ended::FutureState;
use crate::future::error::{InvalidStateError, TaskError};
use crate::future::handle::Future;
use crate::unwind;

/// The duty to provide a [`Future`]'s result, once.
///
/// For code that brings results about without an executor, and for writing executors. Dropped without a result it
/// leaves [`TaskError::Abandoned`], so nobody waits for ever. (Python's waiters would.)
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::Promise;
///
/// let (mut promise, future) = Promise::new();
/// let runner = std::thread::spawn(move || {
///     if promise.set_running_or_notify_cancel()? {
///         promise.set_result(6 * 7)?;
///     }
///     Ok::<(), gristmill::concurrent::futures::InvalidStateError>(())
/// });
/// assert_eq!(future.result().unwrap(), 42);
/// runner.join().unwrap().unwrap();
/// ```
pub struct Promise<T> {
    cell: NonNull<Cell<T>>,
    owes: PhantomData<T>,
}

// SAFETY: it sends the result; the cell is made to be shared with another thread.
unsafe impl<T: Send> Send for Promise<T> {}
// SAFETY: through a shared reference only the state is seen.
unsafe impl<T: Send> Sync for Promise<T> {}

struct Boxed<T>(PhantomData<T>);

impl<T> Boxed<T> {
    const KIND: Kind = Kind {
        free: Self::free,
        help: |_| (),
        cancel: |core| core.cancel(|| ()),
        runner: |_, _| ptr::null(),
        family: |_| ptr::null(),
    };

    /// # Safety
    ///
    /// As [`Kind::free`] says; of a core that `Promise::new` made.
    unsafe fn free(core: NonNull<Core>) {
        // SAFETY: `new` boxed the cell whose beginning this is, and nobody else has it.
        unwind::drop_quietly(unsafe { Box::from_raw(core.cast::<Cell<T>>().as_ptr()) });
    }
}

impl<T> Promise<T> {
    /// A future that is pending, and the duty to provide its result. One allocation.
    #[allow(clippy::new_ret_no_self, reason = "the two sides are made together")]
    pub fn new() -> (Promise<T>, Future<T>) {
        let cell = Box::new(Cell::new(const { &Boxed::<T>::KIND }));
        // SAFETY: out of a box.
        let cell = unsafe { NonNull::new_unchecked(Box::into_raw(cell)) };
        // SAFETY: a new cell is held by both sides.
        (Promise { cell, owes: PhantomData }, unsafe { Future::of(cell) })
    }

    fn core(&self) -> &Core {
        // SAFETY: held until it is kept, or dropped.
        unsafe { self.cell.as_ref() }.core()
    }

    /// Tells futures apart.
    pub(crate) fn address(&self) -> *const () {
        self.cell.as_ptr().cast_const().cast()
    }

    /// Was the future cancelled, so that nobody needs the result any more?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.core().load().state(), FutureState::Cancelled | FutureState::CancelledAndNotified)
    }

    /// Says that the work begins: from now on the future is running, and cannot be cancelled. False if it was cancelled
    /// before; then drop the promise.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError::Started`] if this was called before.
    #[doc(alias = "concurrent.futures.Future.set_running_or_notify_cancel")]
    pub fn set_running_or_notify_cancel(&mut self) -> Result<bool, InvalidStateError> {
        let core = self.core();
        if core.word.claim() {
            return Ok(true);
        }
        if core.word.notify() {
            return Ok(false);
        }
        Err(InvalidStateError::Started(match core.load().state() {
            FutureState::Running => "running",
            _ => "cancelled, and its runner knows",
        }))
    }

    /// Provides the result. Whoever waits is woken, and then callbacks run, here.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError::Cancelled`] if the future was cancelled; the result is dropped.
    #[doc(alias = "concurrent.futures.Future.set_result")]
    pub fn set_result(self, result: T) -> Result<(), InvalidStateError> {
        self.keep(Ok(result))
    }

    /// Provides an error instead of the result, which the future gives as [`TaskError::Failed`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (promise, future) = gristmill::concurrent::futures::Promise::<u8>::new();
    /// promise.set_exception("no answer").unwrap();
    /// assert_eq!(future.result().unwrap_err().to_string(), "no answer");
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set_result`](Self::set_result).
    #[doc(alias = "concurrent.futures.Future.set_exception")]
    pub fn set_exception(
        self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), InvalidStateError> {
        let error: Arc<dyn Error + Send + Sync> = Arc::from(error.into());
        self.complete(Err(TaskError::Failed(error)))
    }

    /// Provides a result, or one of the errors that tasks have.
    ///
    /// # Errors
    ///
    /// As [`set_result`](Self::set_result).
    pub fn complete(self, outcome: Result<T, TaskError>) -> Result<(), InvalidStateError> {
        self.keep(outcome.map_err(Box::new))
    }

    fn keep(self, outcome: Outcome<T>) -> Result<(), InvalidStateError> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the cell's promise, which is not used again.
        let Err(_lost) = (unsafe { Cell::finish(this.cell, outcome, true) }) else { return Ok(()) };
        // SAFETY: as above; nothing was let go.
        unsafe { Core::discard(Cell::core_of(this.cell)) };
        Err(InvalidStateError::Cancelled)
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let abandoned = Err(Box::new(TaskError::Abandoned));
        // SAFETY: the cell's promise, which is not used again.
        if unsafe { Cell::finish(self.cell, abandoned, true) }.is_err() {
            // SAFETY: as above; nothing was let go.
            unsafe { Core::discard(Cell::core_of(self.cell)) };
        }
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("state", &self.core().load().state()).finish_non_exhaustive()
    }
}
