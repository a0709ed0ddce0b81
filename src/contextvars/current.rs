//! The context that the calling thread is in, and a few values found there lately.
//!
//! A thread is in its *base* context, which begins empty and ends with it, or in one that it has entered by `run`. Each
//! `run` has a *frame* on the stack; the innermost is the current one.
//!
//! # Reading without counting
//!
//! A value is read where it lies, and no reference count is touched. That is sound because a value in the current
//! context stays alive until this thread itself takes it out: nobody else may change the context meanwhile. To make it
//! hold while a caller looks at the value, that look is *pinned*: a `Pin` on the stack names the value, and who takes
//! that value out of the context leaves a count of it in the pin. Frames and pins are strictly nested, since both
//! belong to calls of closures.
//!
//! Which value a variable has is looked up in the map once, and kept in a *line* with the version of the map. Versions
//! are never given out twice, so a line whose version is the current one holds a value that is in the current map.
//!
//! No `Clone`, `Drop` or `PartialEq` of a value runs while anything here is half done; each may use variables.

#![allow(unsafe_code, reason = "values and frames as untyped pointers, alive as the module says")]

use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ptr::null;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bindings::{Bindings, EnterError, Versioned};
use super::value::Value;
use crate::prim::local;

/// How many values a thread remembers where to find. A power of two.
const LINES: usize = 16;

/// A variable's value in the map of one version; null if it had none.
struct Line {
    variable: Cell<u64>,
    version: Cell<u64>,
    value: Cell<*const ()>,
}

impl Line {
    /// Says rightly that nothing is set in the map of version 0.
    const fn new() -> Self {
        Line { variable: Cell::new(0), version: Cell::new(0), value: Cell::new(null()) }
    }
}

/// A `run` that is going on.
struct Frame {
    bindings: *const Bindings,
    outer: *const Frame,
    /// Of the map outside.
    version: u64,
}

/// A look at a value that is going on.
struct Pin {
    value: *const (),
    /// The value, if it has left the context meanwhile.
    kept: Cell<Option<Value>>,
    outer: *const Pin,
}

/// A thread's state. Nothing in it is dropped by the thread-local itself, so it can be used to the thread's very end.
struct Current {
    /// Of the current context's map.
    version: Cell<u64>,
    lines: [Line; LINES],
    pins: Cell<*const Pin>,
    /// Null in the base context.
    frame: Cell<*const Frame>,
    base: UnsafeCell<ManuallyDrop<Versioned>>,
    base_id: Cell<u64>,
    /// Will the base context be emptied at the thread's end?
    is_swept: Cell<bool>,
    /// Numbers that this thread may give out.
    fresh: Cell<(u64, u64)>,
}

local! {
    static CURRENT: Current = Current::new();
}

impl Current {
    const fn new() -> Self {
        Current {
            version: Cell::new(0),
            lines: [const { Line::new() }; LINES],
            pins: Cell::new(null()),
            frame: Cell::new(null()),
            base: UnsafeCell::new(ManuallyDrop::new(Versioned::EMPTY)),
            base_id: Cell::new(0),
            is_swept: Cell::new(false),
            fresh: Cell::new((0, 0)),
        }
    }

    /// A number that nobody else gets: for versions and contexts. Never 0.
    fn fresh(&self) -> u64 {
        const BLOCK: u64 = 1 << 16;
        static NEXT: AtomicU64 = AtomicU64::new(BLOCK);
        let (next, end) = self.fresh.get();
        if next != end {
            self.fresh.set((next + 1, end));
            return next;
        }
        let block = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
        self.fresh.set((block + 1, block + BLOCK));
        block
    }

    fn bindings(&self) -> Option<&Bindings> {
        // SAFETY: a frame lives, and is in `frame`, exactly as long as its `run` is the innermost one.
        let frame = unsafe { self.frame.get().as_ref() }?;
        // SAFETY: the `run` borrows its bindings.
        Some(unsafe { &*frame.bindings })
    }

    /// Lets `f` at the base context. `f` runs nobody else's code.
    #[inline]
    fn with_base<R>(&self, f: impl FnOnce(&mut Versioned) -> R) -> R {
        // SAFETY: this thread alone comes here, and while `f` runs, nobody does: it runs nobody else's code.
        f(unsafe { &mut *self.base.get() })
    }

    /// Shows the current map to `look`, which runs nobody else's code.
    #[inline]
    fn read<R>(&self, look: impl FnOnce(&Versioned) -> R) -> R {
        match self.bindings() {
            Some(bindings) => bindings.read(look),
            None => self.with_base(|base| look(base)),
        }
    }

    #[cold]
    fn find(&self, variable: u64, line: &Line) -> *const () {
        let found = self.read(|current| current.map.get(variable).map_or(null(), |value| value.0.address()));
        line.variable.set(variable);
        line.version.set(self.version.get());
        line.value.set(found);
        found
    }

    /// Binds `variable` to `value`, or to nothing, and returns what it was bound to.
    fn replace(&self, variable: u64, value: Option<Value>) -> Option<Value> {
        let version = self.fresh();
        let change = |current: &mut Versioned| {
            current.version = version;
            match value {
                Some(value) => current.map.insert(variable, value),
                None => current.map.remove(variable),
            }
        };
        let old = match self.bindings() {
            Some(bindings) => bindings.change(change),
            None => {
                if !self.is_swept.replace(true) {
                    end::sweep();
                }
                self.with_base(change)
            }
        };
        self.version.set(version);
        if let Some(old) = &old {
            self.keep_if_pinned(old);
        }
        old
    }

    /// Leaves a count of `value`, which has just left the context, with whoever looks at it.
    fn keep_if_pinned(&self, value: &Value) {
        let mut pins = self.pins.get();
        let mut keeper = None;
        // SAFETY: a pin lives, and is in the list, exactly as long as the look it is for.
        while let Some(pin) = unsafe { pins.as_ref() } {
            if std::ptr::eq(pin.value, value.0.address()) {
                keeper = Some(pin); // the outermost looks longest
            }
            pins = pin.outer;
        }
        // What it replaces is a count of the same value, if anything: one that came back and leaves again.
        if let Some(pin) = keeper {
            drop(pin.kept.replace(Some(value.clone())));
        }
    }

    /// Empties the base context. What is dropped may set variables anew; then it is emptied again.
    #[cfg(not(loom))]
    fn sweep(&self) {
        self.is_swept.set(false);
        let base = self.with_base(|base| std::mem::replace(base, Versioned::EMPTY));
        if self.frame.get().is_null() {
            self.version.set(0);
        }
        crate::unwind::drop_quietly(base);
    }
}

#[cfg(not(loom))]
mod end {
    use std::thread::LocalKey;

    struct Sweep;

    impl Drop for Sweep {
        fn drop(&mut self) {
            super::CURRENT.with(super::Current::sweep);
        }
    }

    thread_local! {
        static FIRST: Sweep = const { Sweep };
        static SECOND: Sweep = const { Sweep };
        static THIRD: Sweep = const { Sweep };
        static FOURTH: Sweep = const { Sweep };
    }

    /// Sees to it that the base context is emptied when the thread ends.
    ///
    /// A thread-local is dropped once. One that sets variables as it is dropped, after the first of these was, finds the
    /// next. Whoever goes on setting after the last has set them for ever.
    pub(super) fn sweep() {
        let sweeps: [&'static LocalKey<Sweep>; 4] = [&FIRST, &SECOND, &THIRD, &FOURTH];
        sweeps.iter().any(|sweep| sweep.try_with(|_| ()).is_ok());
    }
}

/// The threads of a model do not empty theirs.
#[cfg(loom)]
mod end {
    pub(super) fn sweep() {}
}

/// Shows `look` the value that the variable with this number has in the current context.
///
/// # Safety
///
/// Values bound to the variable are `T`s.
#[inline]
pub(super) unsafe fn with_value<T, R>(variable: u64, look: impl FnOnce(Option<&T>) -> R) -> R {
    CURRENT.with(|current| {
        let line = &current.lines[variable as usize % LINES];
        let is_there = line.variable.get() == variable && line.version.get() == current.version.get();
        let value = if is_there { line.value.get() } else { current.find(variable, line) };
        if value.is_null() {
            return look(None);
        }
        let pin = Pin { value, kept: Cell::new(None), outer: current.pins.get() };
        current.pins.set(&pin);
        let _unpin = Unpin { current, outer: pin.outer };
        // SAFETY: a `T`, as the caller promises. It is in the current context, and should it be taken out before `look`
        // returns, the pin keeps it; see the module.
        look(Some(unsafe { &*value.cast::<T>() }))
    })
}

/// Takes a pin off the list. It is dropped before the pin, and so before what the pin kept.
struct Unpin<'a> {
    current: &'a Current,
    outer: *const Pin,
}

impl Drop for Unpin<'_> {
    #[inline]
    fn drop(&mut self) {
        self.current.pins.set(self.outer);
    }
}

/// Binds a variable to `value`, or to nothing; returns what it was bound to before.
pub(super) fn replace(variable: u64, value: Option<Value>) -> Option<Value> {
    CURRENT.with(|current| current.replace(variable, value))
}

/// The number of the context that the thread is in.
pub(super) fn id() -> u64 {
    CURRENT.with(|current| match current.bindings() {
        Some(bindings) => bindings.id(|| current.fresh()),
        None => {
            if current.base_id.get() == 0 {
                current.base_id.set(current.fresh());
            }
            current.base_id.get()
        }
    })
}

/// A copy of the current map.
#[inline]
pub(super) fn snapshot() -> Versioned {
    CURRENT.with(|current| current.read(Versioned::clone))
}

/// Runs `f` in the context with these bindings.
pub(super) fn run<R>(bindings: &Bindings, f: impl FnOnce() -> R) -> Result<R, EnterError> {
    struct Leave<'a> {
        current: &'a Current,
        frame: &'a Frame,
        bindings: &'a Bindings,
    }
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            self.current.frame.set(self.frame.outer);
            self.current.version.set(self.frame.version);
            self.bindings.leave();
        }
    }
    bindings.enter()?;
    CURRENT.with(|current| {
        let frame = Frame { bindings, outer: current.frame.get(), version: current.version.get() };
        let _leave = Leave { current, frame: &frame, bindings };
        current.version.set(bindings.read(|entered| entered.version));
        current.frame.set(&frame);
        Ok(f())
    })
}

/// Is the calling thread in the context with these bindings, if maybe not innermost?
pub(super) fn is_inside(bindings: &Bindings) -> bool {
    CURRENT.with(|current| {
        let mut frames = current.frame.get();
        // SAFETY: outer frames live as long as inner ones, and the innermost as long as it is in `frame`.
        while let Some(frame) = unsafe { frames.as_ref() } {
            if std::ptr::eq(frame.bindings, bindings) {
                return true;
            }
            frames = frame.outer;
        }
        false
    })
}
