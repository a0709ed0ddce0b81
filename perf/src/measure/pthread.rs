//! The C library's own primitives, as peers.

#![allow(unsafe_code, reason = "calls the C library")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

/// `sem_t`, for the threads of one process.
pub(super) struct Semaphore(Box<UnsafeCell<libc::sem_t>>);

impl Semaphore {
    pub(super) fn new(value: u32) -> Self {
        let mut semaphore = MaybeUninit::uninit();
        // SAFETY: writable and large enough.
        assert_eq!(unsafe { libc::sem_init(semaphore.as_mut_ptr(), 0, value) }, 0);
        // SAFETY: initialised above; nobody waits on it, so it may move.
        Semaphore(Box::new(UnsafeCell::new(unsafe { semaphore.assume_init() })))
    }

    pub(super) fn wait(&self) {
        // SAFETY: initialised, and alive.
        unsafe { libc::sem_wait(self.0.get()) };
    }

    pub(super) fn post(&self) {
        // SAFETY: as above.
        unsafe { libc::sem_post(self.0.get()) };
    }
}

/// A robust mutex that several processes may share.
pub(super) struct RobustMutex(Box<UnsafeCell<libc::pthread_mutex_t>>);

impl RobustMutex {
    pub(super) fn new() -> Self {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: writable and large enough.
        unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) };
        // SAFETY: initialised above.
        unsafe { libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) };
        // SAFETY: as above.
        unsafe { libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) };
        let mutex = Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
        // SAFETY: nobody uses the mutex yet, and it stays where it is; the attributes are initialised.
        assert_eq!(unsafe { libc::pthread_mutex_init(mutex.get(), attributes.as_ptr()) }, 0);
        RobustMutex(mutex)
    }

    pub(super) fn lock(&self) {
        // SAFETY: initialised, and alive.
        unsafe { libc::pthread_mutex_lock(self.0.get()) };
    }

    pub(super) fn unlock(&self) {
        // SAFETY: as above; the caller has it.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}
