//! What is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use crate::config::origin::Origin;

/// One thing that is wrong: where, and what would be right.
///
/// # Examples
///
/// ```
/// use gristmill::config::Config;
///
/// let error = Config::builder().text("[pool.compute]\npinn = \"core\"").load().unwrap_err();
/// assert_eq!(
///     error.faults()[0].to_string(),
///     "text:2:1: unknown key `pinn` in [pool.compute]; did you mean `pin`? (one of none, node, place, core, thread)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where it is.
    pub origin: Origin,
    /// The key that it is about, such as `pool.compute.pin`; empty if it is about none.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Why there is no configuration.
///
/// # Examples
///
/// ```
/// use gristmill::config::Config;
///
/// let error = Config::builder().file("no/such/gristmill.toml").load().unwrap_err();
/// assert!(error.to_string().starts_with("no/such/gristmill.toml: cannot be read"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    #[non_exhaustive]
    Unreadable {
        /// Its path, as it was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something is wrong in it, or in the environment. The message has a line for each fault.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
    /// There is no pool of this name.
    #[error("{}", .0.message)]
    NoPool(Fault),
}

impl ConfigError {
    /// What is wrong, one by one; empty for a file that cannot be read.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Faults(faults) => faults,
            Self::NoPool(fault) => std::slice::from_ref(fault),
            Self::Unreadable { .. } => &[],
        }
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}
