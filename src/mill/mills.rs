//! All mills of this process: which is the default one, and which a cancelled token must reach.

#![allow(unsafe_code, reason = "follows pointers to what is never freed")]

use std::sync::atomic::AtomicPtr;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::mill::hall::Hall;
use crate::mill::pool::Mill;
use crate::mill::seat;
use crate::prim::atomic::Ordering;

/// What all mills of this process share.
#[derive(Default)]
pub(super) struct Mills {
    /// The default mill; null until there is one. Never freed.
    pub(super) global: AtomicPtr<Mill>,
    pub(super) global_build: Mutex<()>,
    halls: Mutex<Vec<Weak<Hall>>>,
}

/// Null until somebody asks. A forked child makes its own: another thread of its parent may have held one of these locks.
static MILLS: AtomicPtr<Mills> = AtomicPtr::new(std::ptr::null_mut());

/// The default mill of the process that this one was forked from, if that had one.
static INHERITED: AtomicPtr<Mill> = AtomicPtr::new(std::ptr::null_mut());

pub(super) fn mills() -> &'static Mills {
    let mut mills = MILLS.load(Ordering::Acquire);
    if mills.is_null() {
        mills = Box::into_raw(Box::default());
        // SAFETY: just made, and nobody else has seen it.
        unsafe { &*mills }.global.store(INHERITED.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Err(first) =
            MILLS.compare_exchange(std::ptr::null_mut(), mills, Ordering::AcqRel, Ordering::Acquire)
        {
            // SAFETY: as above.
            drop(unsafe { Box::from_raw(mills) });
            mills = first;
        }
    }
    // SAFETY: not null, and never freed.
    unsafe { &*mills }
}

impl Mills {
    pub(super) fn global(&self) -> Option<&'static Mill> {
        // SAFETY: null, or a mill that is never freed.
        unsafe { self.global.load(Ordering::Acquire).as_ref() }
    }

    fn halls(&self) -> MutexGuard<'_, Vec<Weak<Hall>>> {
        self.halls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// In a forked child: forgets the parent's mills, and the locks that its threads may have held. Its default mill it keeps,
/// to say that it has no threads here.
pub(super) fn forget() {
    // SAFETY: null, or never freed.
    if let Some(mills) = unsafe { MILLS.swap(std::ptr::null_mut(), Ordering::AcqRel).as_ref() } {
        INHERITED.store(mills.global.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    seat::forget();
}

pub(super) fn register(hall: &Arc<Hall>) {
    let mut halls = mills().halls();
    halls.retain(|hall| hall.strong_count() > 0);
    halls.push(Arc::downgrade(hall));
}

/// Makes every worker of every mill look at its cancel token on its next push.
pub(super) fn poke_all() {
    let halls: Vec<_> = mills().halls().clone();
    for hall in halls.iter().filter_map(Weak::upgrade) {
        hall.roster.read(|crowd| crowd.seats.iter().for_each(|seat| seat.deque.mark_hungry()));
    }
}
