//! One thread's bed: it sleeps here until somebody hands it the token.
//!
//! A parker is one futex word with three values. The token is not counted: unparking twice before the
//! sleeper looks is the same as once. Parkers are never freed; a thread takes one when it first needs one
//! and gives it back when it ends, so that a late [`Parker::unpark`] by somebody who has just released the
//! sleeper finds valid memory. What it then costs is a wake-up for no reason, which every wait allows for.
//!
//! # Memory ordering
//!
//! Whatever happened before `unpark` is seen by the thread whose `park` returns by that token.

#[cfg(loom)]
pub(crate) use modelled::Parker;
#[cfg(not(loom))]
pub(crate) use real::Parker;

/// A handle that wakes one thread. It may outlive the thread, but then wakes somebody else for no reason.
pub(crate) type Unparker = &'static Parker;

#[cfg(not(loom))]
mod lease {
    use std::cell::Cell;

    use super::{Parker, Unparker};

    static FREE: std::sync::Mutex<Vec<Unparker>> = std::sync::Mutex::new(Vec::new());

    /// Shows `look` the parkers that nobody uses. `None` if somebody else looks just then, and goes on doing so: in a
    /// child that was forked while another thread looked, that is for ever, so nobody waits here.
    fn free_list<R>(look: impl FnOnce(&mut Vec<Unparker>) -> R) -> Option<R> {
        for _ in 0..100 {
            match FREE.try_lock() {
                Ok(mut free) => return Some(look(&mut free)),
                Err(std::sync::TryLockError::Poisoned(free)) => return Some(look(&mut free.into_inner())),
                Err(std::sync::TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }

    struct Lease(Unparker);

    impl Drop for Lease {
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| current.set(None));
            // Else it leaks: a cache line.
            free_list(|free| free.push(self.0));
        }
    }

    thread_local! {
        static CURRENT: Cell<Option<Unparker>> = const { Cell::new(None) };
        static LEASE: Cell<Option<Lease>> = const { Cell::new(None) };
    }

    impl Parker {
        /// The calling thread's parker.
        pub(crate) fn current() -> Unparker {
            CURRENT.with(|current| {
                current.get().unwrap_or_else(|| {
                    let left = free_list(Vec::pop).flatten();
                    let parker = left.unwrap_or_else(|| Box::leak(Box::new(Parker::new())));
                    current.set(Some(parker));
                    // In a thread that is already being torn down nobody gives the parker back: it leaks.
                    let _ = LEASE.try_with(|lease| lease.set(Some(Lease(parker))));
                    parker
                })
            })
        }
    }
}

#[cfg(not(loom))]
mod real {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use crate::sys::futex;

    const EMPTY: u32 = 0;
    const TOKEN: u32 = 1;
    const ASLEEP: u32 = 2;

    /// One thread's bed; see the module.
    #[derive(Debug)]
    #[repr(align(64))]
    pub(crate) struct Parker(AtomicU32);

    impl Parker {
        pub(super) const fn new() -> Self {
            Parker(AtomicU32::new(EMPTY))
        }

        /// Sleeps until the token is there, and takes it. May also return for no reason.
        /// Only the owner may call this.
        pub(crate) fn park(&self) {
            self.sleep(None);
        }

        /// As [`park`](Self::park), for `timeout` at most.
        pub(crate) fn park_timeout(&self, timeout: Duration) {
            self.sleep(Instant::now().checked_add(timeout));
        }

        fn sleep(&self, until: Option<Instant>) {
            // ORDERING(park-token): Acquire; pairs with the swap in `unpark`.
            if self.0.compare_exchange(EMPTY, ASLEEP, Ordering::Acquire, Ordering::Acquire).is_err() {
                self.0.swap(EMPTY, Ordering::Acquire);
                return;
            }
            loop {
                let spent = !futex::wait(&self.0, ASLEEP, until, false);
                if self.0.load(Ordering::Relaxed) != ASLEEP || spent {
                    // ORDERING(park-token): Acquire; pairs with the swap in `unpark`.
                    self.0.swap(EMPTY, Ordering::Acquire);
                    return;
                }
            }
        }

        /// Leaves the token; wakes the owner if it sleeps. Enters the kernel for nobody.
        pub(crate) fn unpark(&self) {
            // ORDERING(park-token): Release; pairs with the owner's Acquire in `sleep`.
            if self.0.swap(TOKEN, Ordering::Release) == ASLEEP {
                futex::wake(&self.0, 1, false);
            }
        }
    }
}

#[cfg(loom)]
mod modelled {
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    loom::thread_local! {
        // Leaked: parkers are never freed.
        static CURRENT: &'static Parker = Box::leak(Box::new(Parker::new()));
    }

    /// The same promise without a futex, for loom.
    #[derive(Debug)]
    pub(crate) struct Parker {
        token: Mutex<bool>,
        arrived: Condvar,
    }

    impl Parker {
        fn new() -> Self {
            Parker { token: Mutex::new(false), arrived: Condvar::new() }
        }

        pub(crate) fn current() -> &'static Parker {
            CURRENT.with(|parker| *parker)
        }

        pub(crate) fn park(&self) {
            let mut token = self.token.lock().unwrap();
            while !*token {
                token = self.arrived.wait(token).unwrap();
            }
            *token = false;
        }

        /// The time is up at once.
        pub(crate) fn park_timeout(&self, _: Duration) {
            *self.token.lock().unwrap() = false;
            loom::thread::yield_now();
        }

        pub(crate) fn unpark(&self) {
            *self.token.lock().unwrap() = true;
            self.arrived.notify_one();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::Parker;

    #[test]
    fn a_token_left_early_is_found_and_taken_once() {
        let parker = Parker::current();
        parker.unpark();
        parker.unpark();
        parker.park();
        parker.park_timeout(Duration::from_millis(1));
    }

    #[test]
    fn two_threads_pass_a_turn_to_and_fro() {
        let turn = AtomicU32::new(0);
        let rounds = 2_000;
        let main = Parker::current();
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::scope(|s| {
            s.spawn(|| {
                let me = Parker::current();
                send.send(me).unwrap();
                for round in 0..rounds {
                    while turn.load(Ordering::Relaxed) != 2 * round + 1 {
                        me.park();
                    }
                    turn.store(2 * round + 2, Ordering::Relaxed);
                    main.unpark();
                }
            });
            let other = receive.recv().unwrap();
            assert!(!std::ptr::eq(main, other));
            for round in 0..rounds {
                turn.store(2 * round + 1, Ordering::Relaxed);
                other.unpark();
                while turn.load(Ordering::Relaxed) != 2 * round + 2 {
                    main.park();
                }
            }
        });
        assert_eq!(turn.into_inner(), 2 * rounds);
    }
}
