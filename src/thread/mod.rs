//! Threads without ceremony: start one, know which one you are, wait for one.
//!
//! This is the layer below [`threading`](crate::threading), whose threads have names, heirs of settings, and are
//! listed; use that one unless you want none of it. Python calls this level `_thread`; its simple lock
//! (`allocate_lock`, `LockType`) is [`sync::Lock`](crate::sync::Lock).
//!
//! ```
//! use gristmill::thread;
//!
//! let handle = thread::start_joinable_thread(|| println!("I am {}", thread::get_ident()))?;
//! handle.join()?;
//! assert!(handle.is_done());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Caveats
//!
//! - When `main` returns, the process ends, and with it every thread, wherever it is and without running its
//!   destructors. [`threading::Runtime`](crate::threading::Runtime) waits for those that should be waited for.
//! - [`exit`] ends the calling thread by unwinding it. A destructor that blocks keeps it alive.
//! - A panic ends its thread, and no other; [`set_unraisable_hook`] tells of it.
//! - Signals are delivered to whatever thread the kernel picks. [`interrupt_main`] is for the main thread and is
//!   not a signal.
//! - A thread may `fork`. The child has that thread only, which is its main thread from then on. It can start
//!   threads; those of the parent count as ended in it. When the thread's function returns there, the child ends
//!   with status 0.

pub(crate) mod done;
pub(crate) mod end;
mod error;
pub(crate) mod handle;
pub(crate) mod hold;
mod ident;
mod interrupt;
pub(crate) mod launch;
pub(crate) mod life;
mod name;
mod raw;
pub(crate) mod report;
pub(crate) mod stack;
mod timeout;

#[cfg(all(test, loom))]
mod models;

pub use end::exit;
pub use error::{JoinError, ShuttingDown, StartError};
pub use handle::ThreadHandle;
pub use ident::{Ident, get_ident, get_native_id, is_main_thread};
pub use interrupt::{
    InvalidSignal, NSIG, interrupt_main, take_interrupt, wait_interrupt, wait_interrupt_timeout,
};
pub use launch::count;
pub use name::{NAME_MAX, get_name, set_name};
pub use raw::{
    UnraisableArgs, UnraisableHook, default_unraisable_hook, set_unraisable_hook, start_joinable_thread,
    start_new_thread, unraisable_hook,
};
pub use report::{PanicLocation, UncaughtPanic};
pub use stack::{MIN_STACK_SIZE, StackSizeError, set_stack_size, stack_size};
pub use timeout::{TIMEOUT_MAX, TimeoutError, timeout_from_secs};
