//! Where a value comes from.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
///
/// # Examples
///
/// ```
/// use gristmill::config::Config;
///
/// let config = Config::builder().text("[pool.a]\nworkers = 3").load()?;
/// let a = config.pool("a")?;
/// let workers = a.settings().find(|setting| setting.key == "workers").unwrap();
/// assert_eq!(workers.origin.to_string(), "text:2:11");
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody has said anything.
    #[default]
    Default,
    /// The program.
    Code,
    /// A file, and where in it the value stands, counted from 1. Columns count characters.
    #[non_exhaustive]
    File {
        /// Its path, as it was given.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A variable of the environment that is meant for this pool.
    Variable(String),
    /// A variable that speaks of all pools, or of other programs, and counts where nobody else has said anything.
    Fallback(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Code => f.write_str("code"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Fallback(name) => write!(f, "{name} (nothing else is said)"),
        }
    }
}
