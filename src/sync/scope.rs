//! Who shares a primitive: the threads of one process, or of several.
//!
//! Every primitive here is generic over its [`Scope`]. The code is the same; what differs is which kernel call it
//! sleeps by, and what happens when a process dies. None has a pointer inside, so one value may be mapped at a
//! different address in each process. All-zero memory is a primitive in its initial state, unless its page says
//! otherwise: a fresh segment needs no set-up.
//!
//! Sleeping and waking are here too ([`sleep`], [`wake`], [`wake_all`]), so that every wait hands a worker's slot over.

use std::time::Instant;

use crate::prim::atomic::AtomicU32;
use crate::sync::help;
use crate::sync::identity::{Here, Process, Thread};
use crate::sync::rwlock::counted::Counted;
use crate::sync::rwlock::protocol::Protocol;
use crate::sync::rwlock::seated::Seated;
use crate::sync::word::{Owned, Plain, Word};
use crate::sys::futex;

/// What a scope decides.
pub(crate) trait Reach {
    const SHARED: bool;
    /// The word of a lock with guards, which stay with their thread.
    type Guarded: Word;
    /// The word of a lock that any thread may release.
    type Loose: Word;
    /// The word of a lock that knows which thread has it.
    type Owned: Word;
    /// A lock for many readers or one writer.
    type ReadWrite: Protocol;
}

/// Who may use a primitive: [`Private`] or [`Shared`]. Sealed.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Private, Scope, Shared};
///
/// fn name<S: Scope>() -> &'static str {
///     std::any::type_name::<S>().rsplit("::").next().unwrap()
/// }
/// assert_eq!((name::<Private>(), name::<Shared>()), ("Private", "Shared"));
/// ```
#[allow(private_bounds, reason = "seals it: what a scope decides is nobody else's affair")]
pub trait Scope: Reach + Send + Sync + Sized + 'static {}

/// The threads of one process: the default, and a little faster where somebody sleeps.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Lock, Private};
///
/// static LOCK: Lock<Private> = Lock::new(); // the same as `Lock`
/// LOCK.acquire();
/// LOCK.release()?;
/// # Ok::<(), gristmill::sync::NotLocked>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Private {}

/// The threads of all processes that map the memory which the primitive lies in, each at any address.
///
/// Data that such a primitive guards is seen by all of them: it must hold no pointer, reference or handle that
/// means something in one process only.
///
/// # Examples
///
/// ```
/// use gristmill::sync::{Lock, Shared};
///
/// // As a part of a mapped structure; here it just lies on the stack.
/// let lock: Lock<Shared> = Lock::shared();
/// assert!(lock.try_acquire());
/// assert!(!lock.try_acquire());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shared {}

impl Reach for Private {
    const SHARED: bool = false;
    type Guarded = Plain<false>;
    type Loose = Plain<false>;
    type Owned = Owned<Here, false>;
    type ReadWrite = Counted;
}
impl Reach for Shared {
    const SHARED: bool = true;
    // A guard that leaked may have lent its value to other threads: they end with the process at the latest.
    type Guarded = Owned<Process, true>;
    type Loose = Owned<Process, true>;
    type Owned = Owned<Thread, true>;
    type ReadWrite = Seated;
}
impl Scope for Private {}
impl Scope for Shared {}

/// Sleeps while `*word == expected`, until `deadline` at most; false if the time was up. May return early for no
/// reason, with true. The slot of a mill's worker is somebody else's meanwhile: call this only once spinning is over.
pub(crate) fn sleep<S: Scope>(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> bool {
    help::asleep(|| futex::wait(word, expected, deadline, S::SHARED))
}

/// Wakes up to `n` of those who sleep on `word`; says how many.
pub(crate) fn wake<S: Scope>(word: &AtomicU32, n: u32) -> usize {
    futex::wake(word, n, S::SHARED)
}

/// Wakes all who sleep on `word`; says how many.
pub(crate) fn wake_all<S: Scope>(word: &AtomicU32) -> usize {
    futex::wake(word, futex::ALL, S::SHARED)
}
