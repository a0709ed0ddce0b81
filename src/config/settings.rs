//! The keys of a pool: the one table that files, variables, builders and the schema follow.

use crate::config::origin::Origin;
use crate::config::place_list::PlaceList;
use crate::config::value::{
    Bind, Bytes, Given, Memory, Micros, Misfit, Name, Pin, PinFailure, Spares, Value, Waiting, Workers,
};

/// A value, and where it comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

impl<T> Setting<T> {
    pub(super) fn is_default(&self) -> bool {
        self.origin == Origin::Default
    }

    pub(super) fn set(&mut self, value: T, origin: Origin) {
        *self = Self { value, origin };
    }
}

/// What is known of a key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) expects: &'static str,
    pub(super) schema: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $key:ident: $kind:ty = $default:expr),+ $(,)?) => {
        /// A value for each key.
        #[derive(Clone, Debug)]
        pub(super) struct Settings { $($(#[doc = $about])+ pub(super) $key: Setting<$kind>),+ }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($key: Setting { value: $default, origin: Origin::Default }),+ }
            }
        }

        /// All keys, in the order in which they are shown.
        pub(super) const KEYS: &[Key] = &[$(Key {
            name: stringify!($key),
            about: concat!($($about),+),
            expects: <$kind as Value>::EXPECTS,
            schema: <$kind as Value>::SCHEMA,
        }),+];

        impl Settings {
            /// Sets a key; `None` if there is no such key.
            pub(super) fn take(&mut self, key: &str, given: &Given, origin: Origin) -> Option<Result<(), Misfit>> {
                match key {
                    $(stringify!($key) => {
                        Some(<$kind as Value>::read(given).map(|value| self.$key.set(value, origin)))
                    })+
                    _ => None,
                }
            }

            /// Key, value and origin of each.
            pub(super) fn shown(&self) -> Vec<(&'static str, String, &Origin)> {
                vec![$((stringify!($key), self.$key.value.show(), &self.$key.origin)),+]
            }
        }
    };
}

settings! {
    /// How many workers the pool has. Words count what the pool may use, and heed the CPU quota.
    workers: Workers = Workers::default(),
    /// How narrowly each worker is held to its place. If only `places` or `bind` is given: to its place.
    pin: Pin = Pin::default(),
    /// The places that workers are given. By default those that `pin` names, else cores.
    places: Option<PlaceList> = None,
    /// Which of the places they are given.
    bind: Bind = Bind::default(),
    /// The NUMA nodes whose CPUs the pool may use, by the kernel's numbers. By default all.
    nodes: Vec<usize> = Vec::new(),
    /// May two workers sit on one core? If not, only the first hardware thread of each is used.
    smt: bool = true,
    /// May other pools that are pinned be given the same places?
    share: bool = false,
    /// What to do when the kernel does not let a worker sit at its place.
    pin_failure: PinFailure = PinFailure::default(),
    /// Look every second whether the affinity mask or the CPU quota has changed, and follow it.
    follow: bool = false,
    /// On which nodes the memory that workers touch first is to lie.
    memory: Memory = Memory::default(),
    /// The NUMA nodes for `memory = \"interleave\"` or `\"bind\"`. By default those of `nodes`.
    memory_nodes: Vec<usize> = Vec::new(),
    /// Ask for huge pages where the pool allocates for its user: in `Mill::node_vec`.
    huge_pages: bool = false,
    /// The stack of each thread.
    stack_size: Bytes = Bytes::default(),
    /// How long a worker that finds nothing looks on before it sleeps, if that has paid lately.
    spin: Micros = Micros::default(),
    /// What a waiting worker may run.
    waiting: Waiting = Waiting::default(),
    /// How many threads may stand in for workers that block.
    max_spares: Spares = Spares::default(),
    /// What threads are called: gm-NAME-NUMBER, of which the kernel keeps 15 bytes.
    name: Name = Name::default(),
}
