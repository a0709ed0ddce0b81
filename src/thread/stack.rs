//! How large the stacks of new threads are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The smallest stack that may be asked for: 32 KiB.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{MIN_STACK_SIZE, set_stack_size};
///
/// assert!(set_stack_size(MIN_STACK_SIZE - 1).is_err());
/// ```
pub const MIN_STACK_SIZE: usize = 32 * 1024;

/// The largest one. The system will have none that large either.
const MAX_STACK_SIZE: usize = isize::MAX as usize;

static SIZE: AtomicUsize = AtomicUsize::new(0);

/// Nobody can have a stack of that size.
///
/// # Examples
///
/// See [`set_stack_size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stack of {0} bytes: it must be 0 (the default) or between {MIN_STACK_SIZE} and {MAX_STACK_SIZE}")]
pub struct StackSizeError(pub usize);

/// The size in bytes of the stacks of threads that are started from now on; 0 for the default, which is std's (2 MiB,
/// or what `RUST_MIN_STACK` says).
///
/// # Examples
///
/// ```
/// use gristmill::thread::{set_stack_size, stack_size};
///
/// let before = set_stack_size(256 * 1024)?;
/// assert_eq!((before, stack_size()), (0, 256 * 1024));
/// # Ok::<(), gristmill::thread::StackSizeError>(())
/// ```
#[doc(alias("_thread.stack_size", "threading.stack_size"))]
#[must_use]
pub fn stack_size() -> usize {
    SIZE.load(Ordering::Relaxed)
}

/// Sets the size in bytes of the stacks of threads that are started from now on (those of `thread` and of
/// [`threading`](crate::threading) that were not given their own), and returns what it was. 0 is the default.
///
/// Stacks are rounded up to whole pages, and the kernel gives memory only for what is used of them.
///
/// # Errors
///
/// [`StackSizeError`], and nothing changes, if `size` is not 0 and less than [`MIN_STACK_SIZE`], or more than an
/// address space holds. Whether there is room for it shows when a thread is started.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{set_stack_size, stack_size};
///
/// assert!(set_stack_size(4_096).is_err());
/// set_stack_size(1 << 20)?;
/// assert_eq!(set_stack_size(0)?, 1 << 20);
/// # Ok::<(), gristmill::thread::StackSizeError>(())
/// ```
#[doc(alias("_thread.stack_size", "threading.stack_size"))]
pub fn set_stack_size(size: usize) -> Result<usize, StackSizeError> {
    check(size)?;
    Ok(SIZE.swap(size, Ordering::Relaxed))
}

pub(crate) fn check(size: usize) -> Result<usize, StackSizeError> {
    if size == 0 || (MIN_STACK_SIZE..=MAX_STACK_SIZE).contains(&size) {
        Ok(size)
    } else {
        Err(StackSizeError(size))
    }
}
