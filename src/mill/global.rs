//! The default mill, and what runs in it for want of another.

use crate::mill::builder::MillBuilder;
use crate::mill::error::BuildError;
use crate::mill::mills::mills;
use crate::mill::pool::Mill;
use crate::mill::seat;
use crate::prim::atomic::Ordering;

impl MillBuilder {
    /// Starts the [default mill](Mill::global) with these settings.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and [`BuildError::GlobalExists`].
    pub fn build_global(self) -> Result<&'static Mill, BuildError> {
        let mills = mills();
        let _one_at_a_time = mills.global_build.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if mills.global().is_some() {
            return Err(BuildError::GlobalExists);
        }
        let mill: &Mill = Box::leak(Box::new(self.build()?));
        mills.global.store(std::ptr::from_ref(mill).cast_mut(), Ordering::Release);
        Ok(mill)
    }
}

impl Mill {
    /// The default mill, started on first use with [`topology::default_threads`] workers; see
    /// [`MillBuilder::build_global`] to set it up otherwise. It is never shut down.
    ///
    /// # Panics
    ///
    /// If the system refuses to start its threads.
    #[must_use]
    pub fn global() -> &'static Mill {
        if let Some(mill) = mills().global() {
            return mill;
        }
        match Self::builder().build_global() {
            Ok(mill) => mill,
            Err(BuildError::GlobalExists) => Self::global(),
            Err(error) => panic!("the default mill cannot start: {error}"),
        }
    }
}

/// Runs `f` in the mill whose job the caller is, or else in the default one.
pub(crate) fn in_current<R, F>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    if seat::current().is_some() { f() } else { in_global(f) }
}

/// As [`in_current`], but a thread from outside never runs `f` itself.
pub(crate) fn in_current_by_worker<R, F>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    if seat::current().is_some() { f() } else { Mill::global().install_by_worker(f) }
}

/// Runs `f` in the default mill.
pub(crate) fn in_global<R, F>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    Mill::global().install(f)
}
