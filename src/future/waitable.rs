//! What `wait` and `as_completed` take: futures of whatever result, owned, shared or borrowed, with a key or without.

use crate::future::cell::Handle;
use crate::future::handle::Future;
use crate::future::shared::SharedFuture;

/// A future, or something with a future in it, that [`wait`](super::wait::wait) and
/// [`as_completed`](super::as_completed::as_completed) can wait for.
///
/// [`Future`]s and [`SharedFuture`]s are; references to and boxes of what is; and pairs of what is and anything else, such as
/// a key that tells what the result belongs to. Futures of different results go together as `&dyn Waitable`.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{ReturnWhen, ThreadPoolExecutor, Waitable, wait};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(2).build()?;
/// let (number, text) = (pool.submit(|| 6 * 7)?, pool.submit(|| "grist".to_owned())?);
/// let both: [&dyn Waitable; 2] = [&number, &text];
/// assert_eq!(wait(both, None, ReturnWhen::AllCompleted).done.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Waitable: sealed::Sealed {
    #[doc(hidden)]
    fn handle(&self) -> Handle<'_>;

    /// Is it the only one with this future?
    #[doc(hidden)]
    fn is_only(&self) -> bool;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl<T> sealed::Sealed for Future<T> {}
impl<T> Waitable for Future<T> {
    fn handle(&self) -> Handle<'_> {
        self.core()
    }

    fn is_only(&self) -> bool {
        true
    }
}

impl<T> sealed::Sealed for SharedFuture<T> {}
impl<T> Waitable for SharedFuture<T> {
    fn handle(&self) -> Handle<'_> {
        self.core()
    }

    fn is_only(&self) -> bool {
        false
    }
}

impl<W: Waitable + ?Sized> sealed::Sealed for &W {}
impl<W: Waitable + ?Sized> Waitable for &W {
    fn handle(&self) -> Handle<'_> {
        (**self).handle()
    }

    fn is_only(&self) -> bool {
        false
    }
}

impl<W: Waitable + ?Sized> sealed::Sealed for Box<W> {}
impl<W: Waitable + ?Sized> Waitable for Box<W> {
    fn handle(&self) -> Handle<'_> {
        (**self).handle()
    }

    fn is_only(&self) -> bool {
        (**self).is_only()
    }
}

impl<W: Waitable, K> sealed::Sealed for (W, K) {}
impl<W: Waitable, K> Waitable for (W, K) {
    fn handle(&self) -> Handle<'_> {
        self.0.handle()
    }

    fn is_only(&self) -> bool {
        self.0.is_only()
    }
}
