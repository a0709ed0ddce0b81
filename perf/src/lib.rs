//! Runs the kernels on gristmill and on its peers, side by side.
//!
//! [`compare()`] is the whole of `gristmill compare`: it checks the [`Options`], opens every engine's pool
//! once, grinds the kernels in interleaved and shuffled rounds, checks every answer against the serial
//! one, and reports ratios within a round, which is the only thing that can be trusted on a machine
//! that is not quiet. [`measure::run`] is `gristmill measure`: what is not a kernel, measured in the same manner.
//! [`simulate`] compares the thieves' rules on machines that are not there.

mod compare;
pub mod engines;
mod error;
mod executors;
pub mod measure;
pub mod simulate;
mod trial;

pub use compare::{MAX_WORKERS, Measured, Options, Row, Size, Spread, Wrong, compare, measure, write_csv};
pub use error::CompareError;
pub use kernels;
pub use trial::{Scale, Trial};
