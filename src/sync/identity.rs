//! Who holds a lock: the names that owners write into its word, and whether who wrote one is dead.
//!
//! An owner's name takes 58 bits of a [`State`]; zero is nobody. There are three kinds.
//!
//! - [`Here`] tells the threads of one process apart. It is a counter, so a name is never used again, and the child
//!   of a `fork` keeps that of the thread that forked.
//! - [`Thread`] tells the threads of all processes apart: the kernel's thread id, and a mark made of the time the
//!   thread started at and of its PID namespace. Ids are used again; the mark says that it is somebody else.
//! - [`Process`] is the same for a process as a whole.
//!
//! Names are kept in thread-locals (a process's in a static), which a forked child forgets.
//!
//! A fork copies guards, too. In memory that parent and child share, the child's copy stands for a hold that is the
//! parent's, and the child may by then have one of its own: the lock's word does not tell the two apart, as it says who
//! holds the lock, and not by which guard. So a guard of a mortal owner keeps the name that it locked under (its
//! *holder*); where the caller has another name, it is a copy, and stands for nothing. Copied guards of [`Here`] are good:
//! the child has its own copy of the lock as well.

use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::prim::local;
use crate::sync::state::State;
use crate::sys::fork;
use crate::sys::life::{self, Kind, Life};

/// How owners of some kind of lock are named.
pub(crate) trait Identity: Send + Sync + 'static {
    /// Can the others find out that an owner has died?
    const MORTAL: bool;

    /// What a guard keeps of the name that it locked under.
    type Holder: Copy + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static;

    /// The same, of a caller that has locked as `me`.
    fn holder(me: State) -> Self::Holder;

    /// The caller's name, if it is `holder`'s; `None` if the guard was copied by a fork.
    fn still(holder: Self::Holder) -> Option<State>;

    /// The name of the calling thread, as the owner in a word.
    #[inline(always)]
    fn me() -> State {
        let name = Self::known();
        if name == State::NO_OWNER { Self::named() } else { name }
    }

    /// The same, if it has been asked for before; else what is equal to no owner.
    fn known() -> State;

    /// The same, when it is asked for for the first time.
    fn named() -> State;

    /// Has whoever wrote this name ended? Never true of one that lives.
    fn is_dead(owner: State) -> bool;
}

/// Threads of one process.
pub(crate) struct Here;

/// Threads of any process on the machine.
pub(crate) struct Thread;

/// Processes on the machine.
pub(crate) struct Process;

impl Identity for Here {
    const MORTAL: bool = false;

    type Holder = ();

    #[inline(always)]
    fn holder(_: State) {}

    #[inline(always)]
    fn still((): ()) -> Option<State> {
        Some(Self::known())
    }

    #[inline(always)]
    fn known() -> State {
        HERE.with(Cell::get)
    }

    #[cold]
    #[inline(never)]
    fn named() -> State {
        static NAMED: AtomicU64 = AtomicU64::new(0);
        /// The kernel compares the lower half of a word only, so no name has zero there: it would look like no owner.
        const LOW: u64 = (1 << 26) - 1;
        let number = NAMED.fetch_add(1, Ordering::Relaxed);
        // 58 bits: a thread a nanosecond for nine years.
        let name = State::owner_named((number % LOW + 1) as u32, (number / LOW) as u32);
        HERE.with(|here| here.set(name));
        name
    }

    fn is_dead(_: State) -> bool {
        false
    }
}

impl Identity for Thread {
    const MORTAL: bool = true;

    type Holder = State;

    #[inline(always)]
    fn holder(me: State) -> State {
        me
    }

    #[inline(always)]
    fn still(holder: State) -> Option<State> {
        (holder == Self::known()).then_some(holder)
    }

    #[inline(always)]
    fn known() -> State {
        THREAD.with(Cell::get)
    }

    #[cold]
    #[inline(never)]
    fn named() -> State {
        forget_in_children();
        let name = name_of(life::current(Kind::Thread));
        THREAD.with(|thread| thread.set(name));
        name
    }

    fn is_dead(owner: State) -> bool {
        life::is_over(life_of(owner), Kind::Thread)
    }
}

impl Identity for Process {
    const MORTAL: bool = true;

    type Holder = State;

    #[inline(always)]
    fn holder(me: State) -> State {
        me
    }

    #[inline(always)]
    fn still(holder: State) -> Option<State> {
        (holder == Self::known()).then_some(holder)
    }

    #[inline(always)]
    fn known() -> State {
        process()
    }

    #[cold]
    #[inline(never)]
    fn named() -> State {
        forget_in_children();
        let name = name_of(life::current(Kind::Process));
        set_process(name);
        name
    }

    fn is_dead(owner: State) -> bool {
        life::is_over(life_of(owner), Kind::Process)
    }
}

local! { static HERE: Cell<State> = Cell::new(State::NO_OWNER); }
local! { static THREAD: Cell<State> = Cell::new(State::NO_OWNER); }

#[cfg(not(loom))]
static PROCESS: AtomicU64 = AtomicU64::new(State::NO_OWNER.bits());
// In models each thread is a process of its own.
#[cfg(loom)]
local! { static PROCESS: Cell<State> = Cell::new(State::NO_OWNER); }

#[cfg(not(loom))]
#[inline(always)]
fn process() -> State {
    State::from_bits(PROCESS.load(Ordering::Relaxed))
}
#[cfg(loom)]
fn process() -> State {
    PROCESS.with(Cell::get)
}

#[cfg(not(loom))]
fn set_process(name: State) {
    PROCESS.store(name.bits(), Ordering::Relaxed);
}
#[cfg(loom)]
fn set_process(name: State) {
    PROCESS.with(|process| process.set(name));
}

fn name_of(life: Life) -> State {
    State::owner_named(life.id, life.mark)
}

fn life_of(owner: State) -> Life {
    let (id, mark) = owner.name();
    Life { id, mark }
}

/// A forked child is another process, and its one thread another thread.
fn forget_in_children() {
    extern "C" fn forget() {
        THREAD.with(|thread| thread.set(State::NO_OWNER));
        set_process(State::NO_OWNER);
    }
    // Not a `Once`: a child that is forked while another thread is in it would wait for that thread. To have it forgotten
    // more than once does no harm.
    static ASKED: AtomicBool = AtomicBool::new(false);
    if !ASKED.load(Ordering::Relaxed) {
        fork::in_each_child(forget);
        ASKED.store(true, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Here, Identity, Process, Thread};

    fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|s| s.spawn(f).join().unwrap())
    }

    #[test]
    fn threads_have_names_of_their_own() {
        assert!(Here::me() == Here::me() && Thread::me() == Thread::me());
        assert_ne!(Here::me(), elsewhere(Here::me));
        assert_ne!(Thread::me(), elsewhere(Thread::me));
        assert!(Here::me().is_locked() && Thread::me().is_locked() && Process::me().is_locked());
    }

    #[test]
    fn a_process_has_one() {
        assert_eq!(Process::me(), elsewhere(Process::me));
    }

    #[test]
    fn a_thread_dies_before_its_process() {
        let (here, thread, process) = elsewhere(|| (Here::me(), Thread::me(), Process::me()));
        // The kernel may take a moment after the thread was joined.
        while !Thread::is_dead(thread) {
            std::thread::yield_now();
        }
        assert!(!Here::is_dead(here) && !Process::is_dead(process) && !Thread::is_dead(Thread::me()));
    }
}
