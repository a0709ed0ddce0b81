//! One pool's settings, to be read and to be made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::origin::Origin;
use crate::config::place_list::PlaceList;
use crate::config::pools::{Pool, Pools};
use crate::config::settings::Settings;
use crate::config::value::{Bind, Bytes, Memory, Micros, Name, Pin, PinFailure, Spares, Waiting, Workers};

/// How a pool is described: by [`Config::pool`](crate::Config::pool).
///
/// It knows the other pools of its configuration too, so that those that are pinned get places of their own.
///
/// # Examples
///
/// ```
/// use gristmill::config::{Bind, Config, Pin};
///
/// let config = Config::builder().text("[pool.a]\nbind = \"close\"").variables([("", ""); 0]).load()?;
/// let a = config.pool("a")?;
/// assert_eq!((a.bind(), a.pin(), a.smt()), (Bind::Close, Pin::Place, true));
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct PoolConfig {
    pub(super) all: Arc<Pools>,
    pub(super) at: usize,
}

/// A key of a pool: its value and where that comes from; see [`PoolConfig::settings`].
///
/// # Examples
///
/// ```
/// let config = gristmill::Config::builder().text("[pool.a]").variables([("", ""); 0]).load()?;
/// let spin = config.pool("a")?.settings().find(|setting| setting.key == "spin").unwrap();
/// assert_eq!((spin.value.as_str(), spin.origin.to_string().as_str()), ("about 50", "default"));
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSetting {
    /// The key.
    pub key: &'static str,
    /// Its value, as it would stand in a file.
    pub value: String,
    /// Where that comes from.
    pub origin: Origin,
}

impl fmt::Debug for PoolConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PoolConfig");
        shown.field("name", &self.name());
        self.settings().for_each(|setting| _ = shown.field(setting.key, &setting.value));
        shown.finish()
    }
}

impl PoolConfig {
    fn pool(&self) -> &Pool {
        &self.all.0[self.at]
    }

    fn of(&self) -> &Settings {
        &self.pool().settings
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pool().name
    }

    /// Every key with its value and where that comes from, in the order of the table in [`config`](crate::config).
    pub fn settings(&self) -> impl Iterator<Item = PoolSetting> {
        let shown = self.of().shown().into_iter();
        shown
            .map(|(key, value, origin)| PoolSetting { key, value, origin: origin.clone() })
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// All pools of the configuration, this one among them.
    pub(crate) fn all(&self) -> impl Iterator<Item = PoolConfig> + '_ {
        (0..self.all.0.len()).map(|at| Self { all: Arc::clone(&self.all), at })
    }

    /// Which of [`all`](Self::all) it is.
    pub(crate) fn number(&self) -> usize {
        self.at
    }

    /// How many workers.
    #[must_use]
    pub fn workers(&self) -> Workers {
        self.of().workers.value
    }

    /// How narrowly each is held to its place.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.of().pin.value
    }

    /// The places, if somebody named some.
    #[must_use]
    pub fn places(&self) -> Option<&PlaceList> {
        self.of().places.value.as_ref()
    }

    /// Which of the places are taken.
    #[must_use]
    pub fn bind(&self) -> Bind {
        self.of().bind.value
    }

    /// The NUMA nodes whose CPUs it may use, by the kernel's numbers; all if empty.
    #[must_use]
    pub fn nodes(&self) -> &[usize] {
        &self.of().nodes.value
    }

    /// Whether two workers may sit on one core.
    #[must_use]
    pub fn smt(&self) -> bool {
        self.of().smt.value
    }

    /// Whether other pinned pools may be given the same places.
    #[must_use]
    pub fn share(&self) -> bool {
        self.of().share.value
    }

    /// What to do when a worker cannot sit at its place.
    #[must_use]
    pub fn pin_failure(&self) -> PinFailure {
        self.of().pin_failure.value
    }

    /// Whether it follows the affinity mask and the quota while it runs.
    #[must_use]
    pub fn follow(&self) -> bool {
        self.of().follow.value
    }

    /// Where memory is to lie.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.of().memory.value
    }

    /// On which nodes, if it is interleaved or bound, by the kernel's numbers; if empty, those of [`nodes`](Self::nodes).
    #[must_use]
    pub fn memory_nodes(&self) -> &[usize] {
        &self.of().memory_nodes.value
    }

    /// Whether to ask for huge pages where the pool allocates for its user.
    #[must_use]
    pub fn huge_pages(&self) -> bool {
        self.of().huge_pages.value
    }

    /// The size of stacks in bytes, if it was given.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.of().stack_size.value.0
    }

    /// How long an idle worker looks on, if it was given.
    #[must_use]
    pub fn spin(&self) -> Option<Duration> {
        self.of().spin.value.0.map(|micros| Duration::from_micros(micros.into()))
    }

    /// What a waiting worker may run.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.of().waiting.value
    }

    /// How many threads may stand in for those that block.
    #[must_use]
    pub fn max_spares(&self) -> usize {
        self.of().max_spares.value.0
    }

    /// What threads are called; the pool's name if nothing else was given.
    #[must_use]
    pub fn thread_name(&self) -> &str {
        self.of().name.value.0.as_deref().unwrap_or_else(|| self.name())
    }
}

/// What a program says about a pool, where neither the file nor the environment does; see
/// [`ConfigBuilder::pool`](crate::config::ConfigBuilder::pool).
///
/// # Examples
///
/// ```
/// use gristmill::config::{Config, Pin};
///
/// let config = Config::builder().pool("grind", |pool| pool.workers(3).pin(Pin::Core).smt(false)).load()?;
/// assert!(!config.pool("grind")?.smt());
/// # Ok::<(), gristmill::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description counts only if it is returned"]
pub struct PoolBuilder(pub(super) Settings);

impl PoolBuilder {
    /// How many workers; a number that no pool can have shows when it is built.
    pub fn workers(mut self, workers: impl Into<Workers>) -> Self {
        self.0.workers.set(workers.into(), Origin::Code);
        self
    }

    /// How narrowly each is held to its place.
    pub fn pin(mut self, pin: Pin) -> Self {
        self.0.pin.set(pin, Origin::Code);
        self
    }

    /// The places.
    pub fn places(mut self, places: impl Into<PlaceList>) -> Self {
        self.0.places.set(Some(places.into()), Origin::Code);
        self
    }

    /// Which of the places are taken.
    pub fn bind(mut self, bind: Bind) -> Self {
        self.0.bind.set(bind, Origin::Code);
        self
    }

    /// The NUMA nodes whose CPUs it may use, by the kernel's numbers; none for all.
    pub fn nodes(mut self, nodes: impl IntoIterator<Item = usize>) -> Self {
        self.0.nodes.set(sorted(nodes), Origin::Code);
        self
    }

    /// Whether two workers may sit on one core.
    pub fn smt(mut self, may: bool) -> Self {
        self.0.smt.set(may, Origin::Code);
        self
    }

    /// Whether other pinned pools may be given the same places.
    pub fn share(mut self, may: bool) -> Self {
        self.0.share.set(may, Origin::Code);
        self
    }

    /// What to do when a worker cannot sit at its place.
    pub fn pin_failure(mut self, failure: PinFailure) -> Self {
        self.0.pin_failure.set(failure, Origin::Code);
        self
    }

    /// Whether it follows the affinity mask and the quota while it runs.
    pub fn follow(mut self, follows: bool) -> Self {
        self.0.follow.set(follows, Origin::Code);
        self
    }

    /// Where memory is to lie.
    pub fn memory(mut self, memory: Memory) -> Self {
        self.0.memory.set(memory, Origin::Code);
        self
    }

    /// On which nodes, by the kernel's numbers.
    pub fn memory_nodes(mut self, nodes: impl IntoIterator<Item = usize>) -> Self {
        self.0.memory_nodes.set(sorted(nodes), Origin::Code);
        self
    }

    /// Whether to ask for huge pages where the pool allocates for its user.
    pub fn huge_pages(mut self, ask: bool) -> Self {
        self.0.huge_pages.set(ask, Origin::Code);
        self
    }

    /// The size of stacks in bytes.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.0.stack_size.set(Bytes(Some(bytes)), Origin::Code);
        self
    }

    /// How long an idle worker looks on, at most a second.
    pub fn spin(mut self, time: Duration) -> Self {
        let micros = time.as_micros().min(1_000_000) as u32;
        self.0.spin.set(Micros(Some(micros)), Origin::Code);
        self
    }

    /// What a waiting worker may run.
    pub fn waiting(mut self, waiting: Waiting) -> Self {
        self.0.waiting.set(waiting, Origin::Code);
        self
    }

    /// How many threads may stand in for those that block.
    pub fn max_spares(mut self, spares: usize) -> Self {
        self.0.max_spares.set(Spares(spares), Origin::Code);
        self
    }

    /// What threads are called.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.0.name.set(Name(Some(name.into())), Origin::Code);
        self
    }
}

fn sorted(nodes: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut nodes: Vec<usize> = nodes.into_iter().collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}
