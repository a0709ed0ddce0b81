//! What a clock's readings may be.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

/// A reading of a [`Clock`](super::Clock): a moment, or a number in any unit.
///
/// Implemented for [`Instant`], [`SystemTime`], [`Duration`] (since whatever the clock counts from) and integers, and for
/// nothing else: a scheduler compares times while it holds its lock, and runs nobody else's code there.
///
/// # Examples
///
/// ```
/// use gristmill::sched::Time;
///
/// assert_eq!(7_u64.after(3), 10);
/// assert_eq!((10_u64.since(7), 7_u64.since(10)), (3, 0));
/// assert_eq!(u64::MAX.after(1), u64::MAX);
/// ```
pub trait Time: Copy + Ord + Debug + Send + Sync + 'static + sealed::Sealed {
    /// The distance between two readings.
    type Delay: Copy + Ord + Debug + Send + Sync + 'static;

    /// No distance.
    const ZERO: Self::Delay;

    /// The time that lies `delay` after this one, or else the last one there is: a delay that is too long means for
    /// ever. A negative delay leads into the past.
    fn after(self, delay: Self::Delay) -> Self;

    /// How long after `earlier` this is; zero if it is not.
    fn since(self, earlier: Self) -> Self::Delay;
}

mod sealed {
    pub trait Sealed {}
}

/// Further off than anybody waits, and within what the system's clocks can say.
const FOR_EVER: Duration = Duration::from_secs(1 << 33);

macro_rules! moment {
    ($type:ty) => {
        impl sealed::Sealed for $type {}

        impl Time for $type {
            type Delay = Duration;
            const ZERO: Duration = Duration::ZERO;

            fn after(self, delay: Duration) -> Self {
                self.checked_add(delay).or_else(|| self.checked_add(FOR_EVER)).unwrap_or(self)
            }

            fn since(self, earlier: Self) -> Duration {
                Self::since_or_zero(self, earlier)
            }
        }
    };
}

/// `Instant` and `SystemTime` name this differently.
trait SinceOrZero: Sized {
    fn since_or_zero(later: Self, earlier: Self) -> Duration;
}

impl SinceOrZero for Instant {
    fn since_or_zero(later: Self, earlier: Self) -> Duration {
        later.saturating_duration_since(earlier)
    }
}

impl SinceOrZero for SystemTime {
    fn since_or_zero(later: Self, earlier: Self) -> Duration {
        later.duration_since(earlier).unwrap_or_default()
    }
}

moment!(Instant);
moment!(SystemTime);

impl sealed::Sealed for Duration {}

impl Time for Duration {
    type Delay = Duration;
    const ZERO: Duration = Duration::ZERO;

    fn after(self, delay: Duration) -> Self {
        self.saturating_add(delay)
    }

    fn since(self, earlier: Self) -> Duration {
        self.saturating_sub(earlier)
    }
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl sealed::Sealed for $type {}

        impl Time for $type {
            type Delay = $type;
            const ZERO: $type = 0;

            fn after(self, delay: $type) -> Self {
                self.saturating_add(delay)
            }

            fn since(self, earlier: Self) -> $type {
                self.saturating_sub(earlier).max(0)
            }
        }
    )*};
}

number!(u32 u64 u128 usize i32 i64 i128 isize);

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::Time;

    #[test]
    fn nothing_overflows() {
        let now = Instant::now();
        assert!(now.after(Duration::MAX) > now.after(Duration::from_secs(1_000_000_000)));
        assert!(SystemTime::now().after(Duration::MAX) > SystemTime::now());
        assert_eq!(Duration::MAX.after(Duration::MAX), Duration::MAX);
        assert_eq!(Duration::from_secs(1).since(Duration::from_secs(2)), Duration::ZERO);
        assert_eq!(now.since(now.after(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!((i64::MAX.after(1), i64::MIN.after(-1), 5_i64.after(-7)), (i64::MAX, i64::MIN, -2));
        assert_eq!((i64::MAX.since(i64::MIN), i64::MIN.since(i64::MAX), 3_i32.since(-4)), (i64::MAX, 0, 7));
    }
}
