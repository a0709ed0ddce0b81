//! What a key can be set to: the types, and how each is read from a file or a variable.

use std::fmt;

use crate::config::place_list::{ParsePlacesError, PlaceList};

/// A value as it stands in a file or in the environment, before a key has made sense of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// A string in a file.
    Text(String),
    /// The text of a variable, which may mean anything.
    Raw(String),
    Number(i128),
    Bool(bool),
    Numbers(Vec<i128>),
    /// A type that no key takes.
    Other(&'static str),
}

impl Given {
    fn word(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Raw(text) => Some(text.trim()),
            _ => None,
        }
    }

    fn number(&self) -> Option<i128> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Raw(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn whole(&self, least: usize, most: usize) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|number| (least..=most).contains(number))
    }
}

/// As it would stand in a file.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Raw(text) if text.trim().is_empty() => f.write_str("empty"),
            Self::Raw(text) => write!(f, "{text}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Numbers(numbers) => write!(f, "{numbers:?}"),
            Self::Other(kind) => write!(f, "{kind}"),
        }
    }
}

/// Why a value does not fit its key.
#[derive(Debug, PartialEq)]
pub(super) enum Misfit {
    /// It is not what the key expects; that says enough.
    Unexpected,
    /// What is wrong with it, and at which byte of the text.
    Within(ParsePlacesError),
}

/// A type that a key has.
pub(super) trait Value: Sized {
    /// What may stand there, for messages: `expected ...`.
    const EXPECTS: &'static str;
    /// What may stand there, as JSON schema.
    const SCHEMA: &'static str;

    fn read(given: &Given) -> Result<Self, Misfit>;

    /// As it would stand in a file.
    fn show(&self) -> String;
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident {
        $(#[$first_about:meta])* $first:ident = $first_word:literal
        $(, $(#[$about:meta])* $variant:ident = $word:literal)* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
        #[non_exhaustive]
        pub enum $name { $(#[$first_about])* $first $(, $(#[$about])* $variant)* }

        impl $name {
            const WORDS: &'static [(&'static str, Self)] = &[($first_word, Self::$first) $(, ($word, Self::$variant))*];
        }

        /// As it stands in a configuration.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { Self::$first => $first_word $(, Self::$variant => $word)* })
            }
        }

        impl Value for $name {
            const EXPECTS: &'static str = concat!("one of ", $first_word $(, ", ", $word)*);
            const SCHEMA: &'static str = concat!("{\"enum\": [\"", $first_word $(, "\", \"", $word)*, "\"]}");

            fn read(given: &Given) -> Result<Self, Misfit> {
                let word = given.word().ok_or(Misfit::Unexpected)?;
                let found = Self::WORDS.iter().find(|(known, _)| *known == word);
                found.map(|(_, value)| *value).ok_or(Misfit::Unexpected)
            }

            fn show(&self) -> String {
                format!("\"{self}\"")
            }
        }
    };
}

words! {
    /// How narrowly each worker is held to its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::config::{Config, Pin};
    ///
    /// let config = Config::builder().text("[pool.a]\npin = \"core\"").load()?;
    /// assert_eq!(config.pool("a")?.pin(), Pin::Core);
    /// # Ok::<(), gristmill::config::ConfigError>(())
    /// ```
    Pin {
        /// A worker runs on any CPU of the pool.
        #[default]
        None = "none",
        /// On those of its place's NUMA node.
        Node = "node",
        /// On those of its place.
        Place = "place",
        /// On those of one core of its place.
        Core = "core",
        /// On one hardware thread of its place.
        Thread = "thread",
    }
}

words! {
    /// Which of the places workers are given.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::config::Bind::default().to_string(), "spread");
    /// ```
    #[doc(alias = "OMP_PROC_BIND")]
    Bind {
        /// Neighbouring ones, in the order of the machine or of the list.
        Close = "close",
        /// Such as lie far apart: packages, nodes and caches fill in step.
        #[default]
        Spread = "spread",
        /// All the first one.
        Primary = "primary",
    }
}

words! {
    /// On which nodes the memory that workers touch first is to lie.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::config::Memory::Interleave.to_string(), "interleave");
    /// ```
    Memory {
        /// On that of the worker, as the system does by itself.
        #[default]
        Local = "local",
        /// Page by page on each of `memory_nodes` in turn.
        Interleave = "interleave",
        /// On `memory_nodes` only.
        Bind = "bind",
    }
}

words! {
    /// What a waiting worker may run.
    ///
    /// # Examples
    ///
    /// ```
    /// let mill = gristmill::Mill::builder().workers(1).waiting(gristmill::Waiting::Greedy).build()?;
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    Waiting {
        /// Only descendants of the job it waits for; else it sleeps, and a spare thread takes its slot. A lock
        /// held across a `join` cannot deadlock, and a short job cannot get stuck behind a long one that its
        /// waiter happened to pick up. (Only when all [spare threads](crate::MillBuilder::max_spares) are asleep in
        /// waits, or the system starts no more, and nobody else is left, does one of them take what there is.)
        #[default]
        Subtree = "subtree",
        /// Any job of the mill, as rayon does. Fewer threads, somewhat higher use of the cores with many small
        /// waits, and all the hazards named above.
        Greedy = "greedy",
    }
}

words! {
    /// What becomes of a worker that the kernel does not let sit at its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{Mill, config::PinFailure};
    ///
    /// let mill = Mill::builder().workers(1).pin_failure(PinFailure::Warn).build()?;
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    PinFailure {
        /// The mill is not built.
        #[default]
        Error = "error",
        /// The worker runs where it ran before, and a line on standard error says so.
        Warn = "warn",
    }
}

/// The most workers a pool can have: as many as a mill.
const MAX_WORKERS: usize = 8_192;

/// How many workers a pool has.
///
/// # Examples
///
/// ```
/// use gristmill::config::Workers;
///
/// assert_eq!(Workers::from(6), Workers::Count(6));
/// assert_eq!(Workers::Cores.to_string(), "cores");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Workers {
    /// One for each hardware thread of the pool, but no more than the CPU quota, rounded up, has use for.
    #[default]
    Threads,
    /// One for each core of the pool, with the same limit.
    Cores,
    /// As many as the CPU quota feeds all the time: rounded down, but at least one. Without a quota as `Threads`.
    Quota,
    /// So many, whatever the quota is.
    Count(usize),
}

impl From<usize> for Workers {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

/// As it stands in a configuration.
impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads => f.write_str("threads"),
            Self::Cores => f.write_str("cores"),
            Self::Quota => f.write_str("quota"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl Value for Workers {
    const EXPECTS: &'static str = "a whole number from 1 to 8192, or one of threads, cores, quota";
    const SCHEMA: &'static str = r#"{"anyOf": [{"type": "integer", "minimum": 1, "maximum": 8192}, {"enum": ["threads", "cores", "quota"]}]}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        if given.number().is_some() {
            return given.whole(1, MAX_WORKERS).map(Self::Count).ok_or(Misfit::Unexpected);
        }
        match given.word() {
            Some("threads") => Ok(Self::Threads),
            Some("cores") => Ok(Self::Cores),
            Some("quota") => Ok(Self::Quota),
            _ => Err(Misfit::Unexpected),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            word => format!("\"{word}\""),
        }
    }
}

impl Value for PlaceList {
    const EXPECTS: &'static str = "threads, cores, ll_caches, numa or sockets, with a count as in `cores(4)` if need be, or a list such as `{0:4}:8:4`";
    const SCHEMA: &'static str = r#"{"type": "string", "examples": ["cores", "sockets(2)", "{0:4}:8:4"]}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        let text = match given {
            Given::Text(text) | Given::Raw(text) => text,
            _ => return Err(Misfit::Unexpected),
        };
        text.parse().map_err(Misfit::Within)
    }

    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

/// Numbers of NUMA nodes, as the kernel has them; none means all.
impl Value for Vec<usize> {
    const EXPECTS: &'static str = "a list of NUMA nodes, such as [0, 1] or \"0-1\"";
    const SCHEMA: &'static str = r#"{"anyOf": [{"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 1023}, "minItems": 1}, {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"}]}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        const MAX: usize = 1023;
        let node = |text: &str| text.trim().parse().ok().filter(|node| *node <= MAX);
        let range = |item: &str| match item.split_once('-') {
            Some((first, last)) => Some(node(first)?..=node(last)?),
            None => node(item).map(|node| node..=node),
        };
        let mut nodes: Vec<usize> = match given {
            Given::Numbers(numbers) => numbers
                .iter()
                .map(|number| usize::try_from(*number).ok().filter(|node| *node <= MAX))
                .collect::<Option<_>>()
                .ok_or(Misfit::Unexpected)?,
            _ => {
                let text = given.word().ok_or(Misfit::Unexpected)?;
                let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
                let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
                ranges.ok_or(Misfit::Unexpected)?.into_iter().flatten().collect()
            }
        };
        nodes.sort_unstable();
        nodes.dedup();
        if nodes.is_empty() { Err(Misfit::Unexpected) } else { Ok(nodes) }
    }

    fn show(&self) -> String {
        if self.is_empty() { "all".to_owned() } else { format!("{self:?}") }
    }
}

impl Value for bool {
    const EXPECTS: &'static str = "true or false";
    const SCHEMA: &'static str = r#"{"type": "boolean"}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        match given {
            Given::Bool(yes) => Ok(*yes),
            Given::Raw(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" => Ok(false),
                _ => Err(Misfit::Unexpected),
            },
            _ => Err(Misfit::Unexpected),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A number of bytes; none means the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Bytes(pub(super) Option<usize>);

impl Value for Bytes {
    const EXPECTS: &'static str = "a number of bytes from 65536 to 2^40, or a text such as \"2 MiB\"";
    const SCHEMA: &'static str = r#"{"anyOf": [{"type": "integer", "minimum": 65536, "maximum": 1099511627776}, {"type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)?$"}]}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        let bytes = match given.number() {
            Some(number) => usize::try_from(number).ok(),
            None => given.word().and_then(|text| {
                let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
                let shift = match unit.trim() {
                    "" | "B" => 0,
                    "KiB" => 10,
                    "MiB" => 20,
                    "GiB" => 30,
                    _ => return None,
                };
                digits.parse::<usize>().ok()?.checked_mul(1 << shift)
            }),
        };
        let bytes = bytes.filter(|bytes| (1 << 16..=1 << 40).contains(bytes));
        bytes.map(|bytes| Self(Some(bytes))).ok_or(Misfit::Unexpected)
    }

    fn show(&self) -> String {
        match self.0 {
            Some(bytes) => bytes.to_string(),
            None => "2 MiB, or RUST_MIN_STACK".to_owned(),
        }
    }
}

/// A number of microseconds up to a second; none means the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Micros(pub(super) Option<u32>);

impl Value for Micros {
    const EXPECTS: &'static str = "a whole number of microseconds from 0 to 1000000";
    const SCHEMA: &'static str = r#"{"type": "integer", "minimum": 0, "maximum": 1000000}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        given.whole(0, 1_000_000).map(|micros| Self(Some(micros as u32))).ok_or(Misfit::Unexpected)
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| "about 50".to_owned(), |micros| micros.to_string())
    }
}

/// A number of spare threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spares(pub(super) usize);

impl Default for Spares {
    fn default() -> Self {
        Self(256)
    }
}

impl Value for Spares {
    const EXPECTS: &'static str = "a whole number from 0 to 8192";
    const SCHEMA: &'static str = r#"{"type": "integer", "minimum": 0, "maximum": 8192}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        given.whole(0, MAX_WORKERS).map(Self).ok_or(Misfit::Unexpected)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A name for threads; none means that of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Name(pub(super) Option<String>);

impl Value for Name {
    const EXPECTS: &'static str = "a text of 1 to 64 bytes without control characters";
    const SCHEMA: &'static str = r#"{"type": "string", "minLength": 1, "maxLength": 64}"#;

    fn read(given: &Given) -> Result<Self, Misfit> {
        let fits = |text: &&str| (1..=64).contains(&text.len()) && !text.contains(|c: char| c.is_control());
        given.word().filter(fits).map(|text| Self(Some(text.to_owned()))).ok_or(Misfit::Unexpected)
    }

    fn show(&self) -> String {
        self.0.as_ref().map_or_else(|| "that of the pool".to_owned(), |name| format!("{name:?}"))
    }
}

/// A list of places; none means what `pin` implies.
impl Value for Option<PlaceList> {
    const EXPECTS: &'static str = PlaceList::EXPECTS;
    const SCHEMA: &'static str = PlaceList::SCHEMA;

    fn read(given: &Given) -> Result<Self, Misfit> {
        PlaceList::read(given).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "as `pin` implies".to_owned(), Value::show)
    }
}
