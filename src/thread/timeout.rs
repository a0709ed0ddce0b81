//! Timeouts that come as seconds with a fraction.

use std::time::Duration;

/// The longest timeout that [`timeout_from_secs`] takes: about 292 years.
///
/// Calls that take a [`Duration`] take any; one too long for the clock is for ever.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{TIMEOUT_MAX, timeout_from_secs};
///
/// assert!(timeout_from_secs(TIMEOUT_MAX.as_secs_f64().floor()).is_ok());
/// ```
#[doc(alias("_thread.TIMEOUT_MAX", "threading.TIMEOUT_MAX"))]
pub const TIMEOUT_MAX: Duration = Duration::from_secs(i64::MAX as u64 / 1_000_000_000);

/// A number of seconds that is no timeout.
///
/// # Examples
///
/// See [`timeout_from_secs`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeoutError {
    /// It is negative. Leave the timeout out to wait without limit.
    #[error("a timeout of {0} seconds: it must not be negative; to wait without limit, give none")]
    Negative(f64),
    /// It is longer than [`TIMEOUT_MAX`].
    #[error("a timeout of {0} seconds: the longest is {limit} seconds", limit = TIMEOUT_MAX.as_secs())]
    TooLong(f64),
    /// It is not a number.
    #[error("a timeout must be a number of seconds, and this is none")]
    NotANumber,
}

/// The timeout of `seconds`, for numbers that come from a file, a user or Python.
///
/// # Errors
///
/// [`TimeoutError`] if it is negative, longer than [`TIMEOUT_MAX`], or not a number.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{TimeoutError, timeout_from_secs};
///
/// assert_eq!(timeout_from_secs(0.25)?.as_millis(), 250);
/// assert_eq!(timeout_from_secs(-1.0), Err(TimeoutError::Negative(-1.0)));
/// assert_eq!(timeout_from_secs(1e100), Err(TimeoutError::TooLong(1e100)));
/// # Ok::<(), TimeoutError>(())
/// ```
pub fn timeout_from_secs(seconds: f64) -> Result<Duration, TimeoutError> {
    if seconds.is_nan() {
        Err(TimeoutError::NotANumber)
    } else if seconds < 0.0 {
        Err(TimeoutError::Negative(seconds))
    } else {
        let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| *timeout <= TIMEOUT_MAX);
        timeout.ok_or(TimeoutError::TooLong(seconds))
    }
}
