//! Who tells of a panic that ends a thread of ours: one of two, never both.
//!
//! Rust tells of a panic where it happens, by the process's panic hook, before anybody knows whether it will be
//! caught. Python tells of it where a thread ends, by a hook of the thread's own. As long as nobody has set such a hook
//! the panic hook is left to do its work, and the default hook has nothing to add. Once somebody has, a panic hook that
//! was put before the process's keeps quiet on threads of ours, and notes for their hook where the panic happened.
//!
//! So at the end of a thread there is a note, and nobody was told; or there is none, and somebody was: the panic hook,
//! which is in its own right again, or whoever replaced ours since; or the panic was resumed, and told of where it
//! began.

use std::any::{Any, TypeId};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::fork;
use crate::unwind::Payload;

/// Is somebody's own hook set? One for each kind of thread.
pub(crate) type IsSet = AtomicBool;

thread_local! {
    /// The panic hook keeps quiet here while this is set.
    static HUSHED_BY: Cell<Option<&'static IsSet>> = const { Cell::new(None) };
    static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
}

/// The last panic that nobody was told of.
struct Note {
    kind: TypeId,
    message: Option<String>,
    location: Option<PanicLocation>,
    backtrace: Backtrace,
}

/// Where a panic happened.
///
/// # Examples
///
/// See [`UncaughtPanic`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanicLocation {
    file: String,
    line: u32,
    column: u32,
}

impl PanicLocation {
    /// The source file.
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column, from 1.
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl fmt::Display for PanicLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A panic that nobody caught in its thread.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use gristmill::thread::{UncaughtPanic, set_unraisable_hook, start_new_thread};
///
/// let (send, receive) = mpsc::channel();
/// let describe = |panic: &UncaughtPanic| format!("{} ({})", panic.message(), panic.location().unwrap().file());
/// set_unraisable_hook(Some(std::sync::Arc::new(move |args| send.send(describe(args.panic())).unwrap())));
/// start_new_thread(|| panic!("out of flour"))?;
/// assert!(receive.recv()?.starts_with("out of flour ("));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UncaughtPanic<'a> {
    payload: &'a (dyn Any + Send),
    note: Option<Note>,
}

impl<'a> UncaughtPanic<'a> {
    /// The panic that ended the calling thread, with what was noted about it.
    pub(crate) fn new(payload: &'a Payload) -> Self {
        let payload: &'a (dyn Any + Send) = &**payload;
        // A note of an earlier panic, which was caught, does not belong to one that was resumed.
        let fits =
            |note: &Note| note.kind == payload.type_id() && note.message.as_deref() == message(payload);
        UncaughtPanic { payload, note: take_note().filter(fits) }
    }

    /// What it carries.
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn payload(&self) -> &'a (dyn Any + Send) {
        self.payload
    }

    /// What it says, if it carries a text, as those of `panic!` do.
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn message(&self) -> &'a str {
        message(self.payload).unwrap_or("a panic with a payload that is not a text")
    }

    /// Where it happened. Known if no other panic hook was in charge then; see [`is_reported`](Self::is_reported).
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn location(&self) -> Option<&PanicLocation> {
        self.note.as_ref()?.location.as_ref()
    }

    /// The calls that led there, if `RUST_BACKTRACE` asks for them and no other panic hook was in charge.
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn backtrace(&self) -> Option<&Backtrace> {
        let backtrace = &self.note.as_ref()?.backtrace;
        (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace)
    }

    /// Has the process's panic hook told of it already?
    ///
    /// # Examples
    ///
    /// See [`UncaughtPanic`].
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.note.is_none()
    }

    /// Tells of it on the standard error stream, unless the panic hook has.
    pub(crate) fn report(&self, thread: &dyn fmt::Display) {
        if self.is_reported() {
            return;
        }
        let place: &dyn fmt::Display = match self.location() {
            Some(location) => location,
            None => &"an unknown place",
        };
        tell(format_args!("thread '{thread}' panicked at {place}:\n{}", self.message()));
        if let Some(backtrace) = self.backtrace() {
            tell(format_args!("{backtrace}"));
        }
    }
}

impl fmt::Debug for UncaughtPanic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UncaughtPanic")
            .field("message", &self.message())
            .field("location", &self.location())
            .field("is_reported", &self.is_reported())
            .finish()
    }
}

fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    match payload.downcast_ref::<&'static str>() {
        Some(text) => Some(text),
        None => payload.downcast_ref::<String>().map(String::as_str),
    }
}

/// Writes a line to the standard error stream. If nobody can be told there, nobody is: `eprintln!` would panic, and what
/// comes after the panic that is told of must not be lost to another.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn take_note() -> Option<Note> {
    NOTE.try_with(|note| note.take()).ok().flatten()
}

/// On the calling thread the panic hook keeps quiet while `is_set` is; until told otherwise.
pub(crate) fn hush(is_set: Option<&'static IsSet>) -> Option<&'static IsSet> {
    HUSHED_BY.replace(is_set)
}

/// Runs somebody's hook, whose own panics the panic hook tells of.
pub(crate) fn aloud(hook: impl FnOnce()) -> Result<(), Payload> {
    let before = hush(None);
    let result = crate::unwind::halt(hook);
    hush(before);
    result
}

/// Puts our panic hook before the process's, once. Not on a thread that panics, which may not.
pub(crate) fn install() {
    // No lock: the panic hook itself may come here. Who does not wait for its end has that tell of what happens until then.
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if std::thread::panicking() || INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    // The standard library has its hook behind a lock. A child that is forked while we have that could never panic.
    fork::apart(|| {
        let process = take_hook();
        set_hook(Box::new(move |info| {
            if HUSHED_BY.get().is_some_and(|is_set| is_set.load(Ordering::Relaxed)) {
                take_down(info);
            } else {
                process(info);
            }
        }));
    });
}

fn take_down(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let location = info.location().map(|location| PanicLocation {
        file: location.file().to_owned(),
        line: location.line(),
        column: location.column(),
    });
    let text = payload.downcast_ref::<&'static str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).map(str::to_owned);
    let note = Note { kind: payload.type_id(), message, location, backtrace: Backtrace::capture() };
    let _ = NOTE.try_with(|slot| {
        // A panic while the note is being written or read is not to be had.
        if let Ok(mut slot) = slot.try_borrow_mut() {
            *slot = Some(note);
        }
    });
}
