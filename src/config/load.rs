//! Putting a configuration together: code, file, environment.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fmt, fs, io};

use crate::config::environment;
use crate::config::error::{ConfigError, Fault};
use crate::config::file;
use crate::config::nearest::nearest;
use crate::config::origin::Origin;
use crate::config::pool::{PoolBuilder, PoolConfig};
use crate::config::pools::{Pools, name_fault};
use crate::config::value::Pin;

/// Where a file is looked for, if no variable names one.
const FILE: &str = "gristmill.toml";
/// The variable that names one.
const VARIABLE: &str = "GRISTMILL_CONFIG";

/// The pools that are described, and where each of their values comes from.
///
/// # Examples
///
/// ```
/// use gristmill::config::{Config, Workers};
///
/// let config = Config::builder()
///     .text("[pool.compute]\nworkers = 4")
///     .variables([("GRISTMILL_POOL_COMPUTE_WORKERS", "6")])
///     .load()?;
/// let compute = config.pool("compute")?;
/// assert_eq!(compute.workers(), Workers::Count(6));
///
/// let error = config.pool("computer").unwrap_err();
/// assert_eq!(error.to_string(), "there is no pool `computer`; did you mean `compute`? (compute)");
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pools: Arc<Pools>,
    notes: Vec<String>,
    file: Option<PathBuf>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.pools.0.iter().map(|pool| pool.name.as_str()).collect();
        f.debug_struct("Config").field("file", &self.file).field("pools", &names).finish_non_exhaustive()
    }
}

impl Config {
    /// What the file and the environment say: the file that `GRISTMILL_CONFIG` names, or else `gristmill.toml` in the
    /// working folder, if there is one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unreadable`] for a file that is named or there, and cannot be read; [`ConfigError::Faults`] with
    /// all that is wrong.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// let mill = gristmill::Config::load()?.pool("compute")?.build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load() -> Result<Self, ConfigError> {
        Self::builder().load()
    }

    /// A configuration that is put together otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::config::{Config, Pin, Workers};
    ///
    /// let config = Config::builder()
    ///     .pool("compute", |pool| pool.workers(Workers::Cores).pin(Pin::Core))
    ///     .load()?;
    /// assert_eq!(config.pools().count(), 1);
    /// # Ok::<(), gristmill::config::ConfigError>(())
    /// ```
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The pool of this name.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPool`] if nobody has described one; the message names those that there are.
    pub fn pool(&self, name: &str) -> Result<PoolConfig, ConfigError> {
        if let Some(at) = self.pools.0.iter().position(|pool| pool.name == name) {
            return Ok(PoolConfig { all: Arc::clone(&self.pools), at });
        }
        let names: Vec<&str> = self.pools.0.iter().map(|pool| pool.name.as_str()).collect();
        let message = match (nearest(name, names.iter().copied()), names.is_empty(), &self.file) {
            (Some(near), ..) => {
                format!("there is no pool `{name}`; did you mean `{near}`? ({})", names.join(", "))
            }
            (None, false, _) => format!("there is no pool `{name}`, only {}", names.join(", ")),
            (None, true, Some(file)) => {
                format!(
                    "there is no pool `{name}`: {} describes none; add a table [pool.{name}]",
                    file.display()
                )
            }
            (None, true, None) => format!(
                "there is no pool `{name}`: there is no {FILE} in the working folder and {VARIABLE} names no file; write one with a table [pool.{name}]"
            ),
        };
        Err(ConfigError::NoPool(Fault { origin: Origin::Default, key: format!("pool.{name}"), message }))
    }

    /// All pools, in the order in which they are described.
    pub fn pools(&self) -> impl Iterator<Item = PoolConfig> + '_ {
        (0..self.pools.0.len()).map(|at| PoolConfig { all: Arc::clone(&self.pools), at })
    }

    /// The file that was read, if there was one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What was passed over in variables that are meant for other programs, a line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Where a file is to come from.
#[derive(Clone, Debug, Default)]
enum Wanted {
    /// From where [`Config::load`] looks.
    #[default]
    Found,
    Named(PathBuf),
    Text(String),
}

/// How a [`Config`] is put together; made by [`Config::builder`].
///
/// # Examples
///
/// ```
/// use gristmill::config::{Config, Pin};
///
/// let config = Config::builder()
///     .pool("grind", |pool| pool.workers(3))
///     .text("[pool.grind]\npin = \"core\"")
///     .variables([("", ""); 0])
///     .load()?;
/// assert_eq!(config.pool("grind")?.pin(), Pin::Core);
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `load`"]
pub struct ConfigBuilder {
    pools: Pools,
    faults: Vec<Fault>,
    wanted: Wanted,
    variables: Option<Vec<(String, String)>>,
}

impl ConfigBuilder {
    /// Describes a pool; the file and the environment may say otherwise.
    pub fn pool(mut self, name: &str, describe: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Self {
        match name_fault(name).or_else(|| self.pools.clash(name)) {
            Some(message) => {
                self.faults.push(Fault { origin: Origin::Code, key: format!("pool.{name}"), message });
            }
            None => {
                let pool = self.pools.entry(name);
                pool.settings = describe(PoolBuilder(pool.settings.clone())).0;
            }
        }
        self
    }

    /// Reads this file, which must be there, whatever `GRISTMILL_CONFIG` says.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.wanted = Wanted::Named(path.into());
        self
    }

    /// Takes this text for the file; messages call it `text`.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.wanted = Wanted::Text(text.into());
        self
    }

    /// Takes these variables for the environment.
    pub fn variables<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.variables =
            Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Reads what there is to read.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load(self) -> Result<Config, ConfigError> {
        let Self { mut pools, mut faults, wanted, variables } = self;
        let variables = variables.unwrap_or_else(|| {
            let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
            env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
        });
        let named = variables
            .iter()
            .find(|(name, value)| name == VARIABLE && !value.is_empty())
            .map(|(_, value)| value);
        let (path, must) = match (wanted, named) {
            (Wanted::Text(text), _) => {
                file::read(Path::new("text"), &text, &mut pools, &mut faults);
                (None, false)
            }
            (Wanted::Named(path), _) => (Some(path), true),
            (Wanted::Found, Some(path)) => (Some(PathBuf::from(path)), true),
            (Wanted::Found, None) => (Some(PathBuf::from(FILE)), false),
        };
        let mut read = None;
        if let Some(path) = path {
            match read_whole(&path) {
                Ok(bytes) => {
                    match std::str::from_utf8(&bytes) {
                        Ok(text) => file::read(&path, text, &mut pools, &mut faults),
                        Err(error) => faults.push(not_text(&path, &bytes[..error.valid_up_to()])),
                    }
                    read = Some(path);
                }
                Err(error) if !must && error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ConfigError::Unreadable { path, source }),
            }
        }
        environment::read(&variables, &mut pools, &mut faults);
        let mut notes = Vec::new();
        environment::fall_back(&variables, &mut pools, &mut faults, &mut notes);
        if !faults.is_empty() {
            return Err(ConfigError::Faults(faults));
        }
        for pool in &mut pools.0 {
            let settings = &mut pool.settings;
            // Whoever says where workers are to sit means them to sit there.
            let placed = !settings.places.is_default() || !settings.bind.is_default();
            if settings.pin.is_default() && placed {
                settings.pin.value = Pin::Place;
            }
        }
        Ok(Config { pools: Arc::new(pools), notes, file: read })
    }
}

/// No configuration is so long; what is may not even have an end.
const LONGEST: u64 = 1 << 20;

fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let what = "it is larger than 1 MiB, which no configuration is";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

fn not_text(path: &Path, valid: &[u8]) -> Fault {
    let valid = String::from_utf8_lossy(valid);
    let last = valid.rsplit('\n').next().unwrap_or_default();
    let origin = Origin::File {
        path: path.to_owned(),
        line: valid.matches('\n').count() + 1,
        column: last.chars().count() + 1,
    };
    let key = last.split_once('=').map_or("", |(key, _)| key.trim()).to_owned();
    Fault { origin, key, message: "this is not UTF-8: expected a text file".to_owned() }
}
