//! The one door to atomics and threads: `std`'s, or loom's under `--cfg loom`.
//!
//! loom takes `SeqCst` on an access for `AcqRel`, so where two threads each write one word and then read the
//! other's, what orders them is always a fence.

#[cfg(all(test, loom))]
pub(crate) mod models;

#[cfg(not(loom))]
mod imp {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic;
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};
    pub(crate) use std::thread::{Builder, JoinHandle, yield_now};

    pub(crate) fn is_finished(handle: &JoinHandle<()>) -> bool {
        handle.is_finished()
    }

    /// `std`'s cell with loom's methods.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        /// Shows `look` the place, for reading only.
        #[inline(always)]
        pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0.get())
        }

        /// Shows `change` the place, which nobody else may look at meanwhile.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic;
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::{Builder, JoinHandle, yield_now};

    pub(crate) fn is_finished(_: &JoinHandle<()>) -> bool {
        false
    }

    /// A value that is made on first use, maybe twice.
    pub(crate) struct OnceLock<T>(atomic::AtomicPtr<T>, std::sync::Mutex<Vec<Box<T>>>);

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            OnceLock(atomic::AtomicPtr::default(), std::sync::Mutex::default())
        }

        #[allow(unsafe_code, reason = "boxes stay where they are until the lock goes")]
        pub(crate) fn get(&self) -> Option<&T> {
            // SAFETY: null, or a box that we keep.
            unsafe { self.0.load(atomic::Ordering::Acquire).as_ref() }
        }

        pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            self.get().unwrap_or_else(|| {
                let made = Box::new(make());
                let (null, new) = (std::ptr::null_mut(), std::ptr::from_ref(&*made).cast_mut());
                self.1.lock().unwrap().push(made);
                let _ =
                    self.0.compare_exchange(null, new, atomic::Ordering::AcqRel, atomic::Ordering::Acquire);
                self.get().unwrap()
            })
        }
    }
}

pub(crate) use imp::{
    Builder, JoinHandle, Mutex, MutexGuard, OnceLock, UnsafeCell, atomic, is_finished, spin_loop, yield_now,
};

/// A full fence just after a read-modify-write of the calling thread, which on x86 is one already.
#[inline(always)]
pub(crate) fn fence_after_update() {
    use atomic::Ordering::SeqCst;
    if cfg!(all(any(target_arch = "x86", target_arch = "x86_64"), not(loom))) {
        std::sync::atomic::compiler_fence(SeqCst);
    } else {
        atomic::fence(SeqCst);
    }
}

/// The hot side of a store-load race whose rare side calls `sys::membarrier::heavy`: keeps the accesses before and
/// after it in order for the compiler.
#[inline(always)]
pub(crate) fn light_fence() {
    use atomic::Ordering::SeqCst;
    if cfg!(loom) { atomic::fence(SeqCst) } else { std::sync::atomic::compiler_fence(SeqCst) }
}

/// A thread-local, read through `with`: loom's threads share one thread of the system.
macro_rules! local {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        #[cfg(not(loom))]
        thread_local! { $(#[$attr])* static $name: $type = const { $init }; }
        #[cfg(loom)]
        loom::thread_local! { $(#[$attr])* static $name: $type = $init; }
    };
}
pub(crate) use local;

/// A function that is `const`, except under loom, whose atomics are made at run time.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block) => {
        #[cfg(not(loom))]
        $(#[$attr])* $vis const fn $name($($arg: $type),*) -> $result $body
        #[cfg(loom)]
        $(#[$attr])* $vis fn $name($($arg: $type),*) -> $result $body
    };
}
pub(crate) use const_fn;

/// Locks `mutex`, also when a thread panicked while it held it: what these mutexes guard is changed in
/// single steps that cannot be seen half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Keeps what it holds on cache lines of its own. Processors fetch lines in pairs, so it takes two.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
