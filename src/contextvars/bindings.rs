//! What the variables are bound to in one context, and whether some thread is in it.
//!
//! Only the thread that is in a context changes its map, and only one thread is in it at a time: that is what
//! `entered` sees to. Others may look at any time; the lock is for them, is held for a few instructions, and never
//! while anybody else's code runs.

use super::map::Map;
use super::value::Value;
use crate::prim::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::prim::{Mutex, const_fn, lock};

/// Why a context could not be entered.
///
/// # Examples
///
/// ```
/// use gristmill::contextvars::{Context, EnterError};
///
/// let context = Context::new();
/// assert_eq!(context.run(|| context.run(|| ()))?, Err(EnterError::AlreadyEntered));
/// # Ok::<(), EnterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnterError {
    /// Some thread, maybe this one, is in the context.
    #[error(
        "cannot enter this context: it is already entered; enter a clone of it, or wait until it is left"
    )]
    AlreadyEntered,
}

/// A map and its version.
///
/// Versions are never given out twice, so what was found in a map holds for every map of the same version.
/// 0 is the version of a map that nothing was ever put into.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    pub(super) map: Map<Value>,
    pub(super) version: u64,
}

impl Versioned {
    pub(super) const EMPTY: Self = Versioned { map: Map::new(), version: 0 };
}

/// See the module.
#[derive(Debug)]
pub(super) struct Bindings {
    map: Mutex<Versioned>,
    entered: AtomicBool,
    /// Tells this context from all others; 0 until somebody asks.
    id: AtomicU64,
}

impl Bindings {
    const_fn! {
        pub(super) fn new(map: Versioned) -> Bindings {
            Bindings { map: Mutex::new(map), entered: AtomicBool::new(false), id: AtomicU64::new(0) }
        }
    }

    /// Lets the calling thread in, if nobody is.
    pub(super) fn enter(&self) -> Result<(), EnterError> {
        // ORDERING(entered): Acquire; pairs with the store in `leave`. Who comes next sees what the one before did.
        match self.entered.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(_) => Err(EnterError::AlreadyEntered),
        }
    }

    /// The calling thread, which has entered, goes out.
    pub(super) fn leave(&self) {
        // ORDERING(entered): Release; pairs with the exchange in `enter`.
        self.entered.store(false, Ordering::Release);
    }

    /// Shows the map to `look`, which runs nobody else's code.
    pub(super) fn read<R>(&self, look: impl FnOnce(&Versioned) -> R) -> R {
        look(&lock(&self.map))
    }

    /// Lets `change` at the map. Only for the thread that is in the context, and as for [`read`](Self::read).
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Versioned) -> R) -> R {
        change(&mut lock(&self.map))
    }

    /// The context's own number, which is `fresh()` if it has none yet. Only for the thread that is in it.
    pub(super) fn id(&self, fresh: impl FnOnce() -> u64) -> u64 {
        let id = self.id.load(Ordering::Relaxed);
        if id != 0 {
            return id;
        }
        let id = fresh();
        self.id.store(id, Ordering::Relaxed);
        id
    }
}
