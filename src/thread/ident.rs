//! Which thread is this?

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::{fork, thread};

/// A thread's number within this process: never zero, and never used twice.
///
/// Python's `get_ident` answers with a number that another thread may get later; this one does not come back. Smaller
/// means asked for, or started, earlier.
///
/// # Examples
///
/// ```
/// use gristmill::thread::get_ident;
///
/// let here = get_ident();
/// assert_eq!(here, get_ident());
/// assert_ne!(here, std::thread::spawn(get_ident).join().unwrap());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(NonZeroU64);

impl Ident {
    /// The number.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(gristmill::thread::get_ident().get().get() > 0);
    /// ```
    #[must_use]
    pub fn get(self) -> NonZeroU64 {
        self.0
    }

    pub(crate) fn new(number: u64) -> Option<Ident> {
        NonZeroU64::new(number).map(Ident)
    }

    /// One that nobody has had yet.
    pub(crate) fn next() -> Ident {
        // Before anybody has a number that a child would have to know of.
        fork::watch(after_fork);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ident(NonZeroU64::new(number).unwrap_or(NonZeroU64::MAX))
    }

    /// The calling thread is the one with this number from now on.
    pub(crate) fn take_on(self) {
        CURRENT.set(self.0.get());
    }

    /// That of the thread which `main` runs on, or in a forked child that of the thread that forked.
    pub(crate) fn of_main() -> Ident {
        Ident::new(MAIN.load(Ordering::Relaxed)).unwrap_or(FIRST)
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ident({})", self.0)
    }
}

/// The main thread's, whether it has asked or not.
const FIRST: Ident = Ident(NonZeroU64::MIN);

static NEXT: AtomicU64 = AtomicU64::new(2);
static MAIN: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// The calling thread's number.
///
/// Also on threads that somebody else started. A forked child's thread keeps the number it had.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{get_ident, start_new_thread};
///
/// let (send, receive) = std::sync::mpsc::channel();
/// let told = start_new_thread(move || send.send(get_ident()).unwrap())?;
/// assert_eq!(receive.recv()?, told);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("_thread.get_ident", "threading.get_ident"))]
#[inline]
#[must_use]
pub fn get_ident() -> Ident {
    Ident::new(CURRENT.get()).unwrap_or_else(first_asked)
}

#[cold]
fn first_asked() -> Ident {
    fork::watch(after_fork);
    let ident = if fork::generation() == 0 && is_main_thread() { FIRST } else { Ident::next() };
    ident.take_on();
    ident
}

/// In a forked child: the thread that forked is its main thread.
fn after_fork() {
    MAIN.store(get_ident().get().get(), Ordering::Relaxed);
}

/// The kernel's number of the calling thread (`gettid`), which `ps`, `top` and `/proc` show. Unique in the system
/// while the thread lives; another thread may have it later.
///
/// # Examples
///
/// ```
/// let tid = gristmill::thread::get_native_id();
/// assert!(std::path::Path::new(&format!("/proc/self/task/{tid}")).exists());
/// ```
#[doc(alias("_thread.get_native_id", "threading.get_native_id", "gettid"))]
#[must_use]
pub fn get_native_id() -> u32 {
    thread::native_id()
}

/// Is this the thread that `main` runs on? In a forked child it is the thread that forked.
///
/// # Examples
///
/// ```
/// assert!(!std::thread::spawn(gristmill::thread::is_main_thread).join().unwrap());
/// ```
#[doc(alias("_thread._get_main_thread_ident"))]
#[must_use]
pub fn is_main_thread() -> bool {
    thread::native_id() == thread::process_id()
}
