//! Pools described in a file, in the environment or in code: how many workers, where they sit, how they wait.
//!
//! ```toml
//! # gristmill.toml
//! [pool.compute]
//! workers = "cores"      # or a number, "threads", "quota"
//! pin     = "core"       # none, node, place, core, thread
//! bind    = "spread"     # close, spread, primary
//! nodes   = [0, 1]
//!
//! [pool.io]
//! workers = 4
//! ```
//!
//! ```no_run
//! let mill = gristmill::Config::load()?.pool("compute")?.build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Config::load`] reads the file that `GRISTMILL_CONFIG` names, or else `gristmill.toml` in the working folder, if there is
//! one. What the program says ([`ConfigBuilder::pool`]) counts less than the file, and the file less than the variables
//! `GRISTMILL_POOL_<NAME>_<KEY>`, such as `GRISTMILL_POOL_COMPUTE_WORKERS=6`. Each value keeps where it comes from
//! ([`Origin`]). Everything that is wrong is an error that says where it is and what would be right; a key that is not known
//! is told the nearest one.
//!
//! Where nobody else has said anything, these count: `GRISTMILL_NUM_THREADS`, `GRISTMILL_PLACES` and `GRISTMILL_BIND` for
//! every pool; and if there is one pool only, `OMP_NUM_THREADS`, `RAYON_NUM_THREADS`, `SLURM_CPUS_PER_TASK`, `OMP_PLACES`
//! and `OMP_PROC_BIND`, which are meant for others: what makes no sense in them is passed over ([`Config::notes`]).
//!
//! | key | what | default |
//! |---|---|---|
//! | `workers` | a number; or `threads`, `cores`: one for each that the pool may use, as far as the CPU quota goes; or `quota` | `threads` |
//! | `pin` | `none`, or each worker to the CPUs of its `node`, its `place`, one `core` or one `thread` of it | `none`; `place` if `places` or `bind` is given |
//! | `places` | `threads`, `cores`, `ll_caches`, `numa`, `sockets`, `cores(4)`; or a list as in `OMP_PLACES`: `{0:4}:8:4` | what `pin` names, else `cores` |
//! | `bind` | `spread` over the places, `close` together, or all at the `primary` one | `spread` |
//! | `nodes` | the NUMA nodes whose CPUs it may use: `[0, 1]`, `"0-1"` | all |
//! | `smt` | whether two workers may sit on one core | `true` |
//! | `share` | whether other pinned pools may be given the same places | `false` |
//! | `pin_failure` | `error`, or `warn` and go on | `error` |
//! | `follow` | look every second whether mask or quota has changed, and follow | `false` |
//! | `memory` | `local`, `interleave`, `bind` | `local` |
//! | `memory_nodes` | the nodes for the latter two | those of `nodes` |
//! | `huge_pages` | ask for them where the pool allocates: in [`Mill::node_vec`](crate::Mill::node_vec) | `false` |
//! | `stack_size` | bytes, or `"2 MiB"` | as `std::thread` |
//! | `spin` | microseconds that an idle worker looks on before it sleeps, at most | about 50 |
//! | `waiting` | `subtree`, `greedy` | `subtree` |
//! | `max_spares` | threads that may stand in for those that block | 256 |
//! | `name` | what threads are called | the pool's name |
//!
//! `gristmill config check FILE` says what is wrong with a file, and `gristmill.schema.json` beside the sources is its
//! JSON schema, for editors.

mod environment;
mod error;
mod file;
mod load;
mod nearest;
mod origin;
mod place_list;
mod pool;
mod pools;
mod schema;
mod settings;
mod value;

pub use error::{ConfigError, Fault};
pub use load::{Config, ConfigBuilder};
pub use origin::Origin;
pub use place_list::{ParsePlacesError, PlaceKind, PlaceList};
pub use pool::{PoolBuilder, PoolConfig, PoolSetting};
pub use schema::json_schema;
pub use value::{Bind, Memory, Pin, PinFailure, Waiting, Workers};

#[cfg(test)]
mod tests;
