//! Compute kernels, one file each, that any [`Engine`] can grind.
//!
//! Every kernel offers an input maker, a serial answer, and a body that is generic over the engine,
//! so that every engine grinds the same grain in the same order. [`ENTRIES`] lists them, and [`Case`]
//! runs any of them by name:
//!
//! ```
//! use kernels::{Case, ENTRIES, Serial, Shape};
//!
//! for entry in ENTRIES.iter().filter(|entry| entry.shape == Shape::Join) {
//!     let mut case = Case::make(entry.name, entry.least)?;
//!     case.prepare();
//!     case.run(&mut Serial); // only this is to be timed
//!     println!("{}: {}", entry.name, case.answer());
//! }
//! # Ok::<(), kernels::Error>(())
//! ```

mod answer;
mod catalog;
mod engine;
mod error;
mod kernel;
mod rng;
#[cfg(test)]
mod suite;

pub mod corpus;

pub mod bfs;
pub mod chase;
pub mod fft;
pub mod fib;
pub mod histogram;
pub mod mandelbrot;
pub mod map;
pub mod matmul;
pub mod mergesort;
pub mod nbody;
pub mod nqueens;
pub mod radix;
pub mod scan;
pub mod skew;
pub mod sort;
pub mod spmv;
pub mod stencil;
pub mod sum;
pub mod tree;
pub mod triad;
pub mod wordcount;

pub use answer::Answer;
pub use catalog::{Case, ENTRIES, entry};
pub use engine::{Engine, Serial};
pub use error::Error;
pub use kernel::{Entry, Kernel, Shape};
