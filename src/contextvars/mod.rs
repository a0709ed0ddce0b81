//! Variables whose values belong to a line of work, whatever thread it runs on. Python's `contextvars`.
//!
//! A [`ContextVar`] is a `static` that code anywhere can read. What it is set to stands in a [`Context`]; each thread
//! begins in one of its own, and [`Context::run`] runs a closure in another. [`copy_context`] copies the current one at
//! the price of a reference count. That is how values are carried to other threads ([`inherit`]) and through async code
//! ([`instrument()`]), and there each goes its own way.
//!
//! ```
//! use gristmill::contextvars::{ContextVar, copy_context, inherit};
//!
//! static REQUEST: ContextVar<u64> = ContextVar::new("request");
//!
//! fn log(line: &str) -> String {
//!     format!("[{}] {line}", REQUEST.with(|id| id.map_or("-".to_owned(), u64::to_string)))
//! }
//!
//! assert_eq!(log("starting"), "[-] starting");
//! let context = copy_context();
//! context.run(|| {
//!     REQUEST.set(17);
//!     assert_eq!(log("here"), "[17] here");
//!     let there = std::thread::spawn(inherit(|| log("there")));
//!     assert_eq!(there.join().unwrap(), "[17] there");
//! })?;
//! assert_eq!(log("done"), "[-] done");
//! # Ok::<(), gristmill::contextvars::EnterError>(())
//! ```
//!
//! # What it costs
//!
//! Reading touches only the thread's own memory: a variable's place is remembered for as long as the context does not
//! change, and no reference count is touched. Setting allocates the value and copies the few nodes of the map that
//! others still see. Copying a context costs one reference count, with one variable as with thousands.
//!
//! # Differences from Python
//!
//! Values are typed, [`set`](ContextVar::set) in the wrong context and the like are errors that the types cannot rule
//! out, and the rest does not compile. Threads see each other's contexts only by what they are handed, never changed
//! under their hands: while a thread is in a context, no other can enter it ([`EnterError`]).

mod bindings;
mod context;
mod current;
mod instrument;
mod map;
#[cfg(all(test, loom))]
mod models;
mod policy;
mod scoped;
#[cfg(all(test, not(loom)))]
mod tests;
mod token;
mod value;
mod var;

pub(crate) use context::{Captured, capture};

pub use bindings::EnterError;
pub use context::{Context, Iter, copy_context, inherit};
pub use instrument::{Instrumented, WithContext, instrument};
pub use policy::{set_thread_inherit_context, thread_inherit_context};
pub use scoped::Scoped;
pub use token::{ResetError, Token};
pub use value::{Value, Variable};
pub use var::{ContextVar, LookupError};
