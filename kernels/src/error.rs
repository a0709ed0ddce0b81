//! What can go wrong before or while a kernel runs.

use std::path::PathBuf;
use std::{error, fmt, io};

/// Why there is no kernel to run, or no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No kernel has this name.
    Unknown {
        /// The name asked for.
        name: String,
        /// The known name that is closest to it, if one is close.
        nearest: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// The size is outside what the kernel takes.
    Size {
        /// The kernel's name.
        kernel: &'static str,
        /// The size asked for.
        size: usize,
        /// The smallest size it takes.
        least: usize,
        /// The largest size it takes.
        most: usize,
        /// What the size counts.
        unit: &'static str,
    },
    /// A file or a folder could not be read or written.
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unknown { name, nearest, known } => {
                write!(f, "no kernel is called {name:?}")?;
                if let Some(nearest) = nearest {
                    write!(f, "; did you mean {nearest:?}?")?;
                }
                write!(f, " (known: {})", known.join(", "))
            }
            Error::Size { kernel, size, least, most, unit } => {
                write!(f, "{kernel} cannot run at size {size}: it takes {least} to {most} ({unit})")
            }
            Error::File { path, cause } => write!(f, "{}: {cause}", path.display()),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::File { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
