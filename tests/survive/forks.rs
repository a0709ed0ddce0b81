//! A forked child has none of the mill's threads: it is told so at once.

#![allow(unsafe_code, reason = "forks")]

use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gristmill::{CancelToken, Mill, join, scope};

use crate::suite::{child, closed_mill, mill, watch::watch};

/// Forks; the forked child says what `f` panicked with, or `none`, and ends. Returns what it said.
fn in_fork(f: impl FnOnce()) -> String {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the child below uses what a fork leaves intact (the C library repairs its own allocator).
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        std::panic::set_hook(Box::new(|_| ()));
        let said = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
            Ok(()) => "none".to_owned(),
            Err(payload) => match payload.downcast::<String>() {
                Ok(message) => *message,
                Err(payload) => payload.downcast::<&str>().map_or("?".to_owned(), |s| s.to_string()),
            },
        };
        // SAFETY: the bytes are alive; the child ends without running the parent's exit handlers.
        unsafe {
            libc::write(ends[1], said.as_ptr().cast(), said.len());
            libc::_exit(0);
        }
    }
    assert!(pid > 0);
    // SAFETY: both ends are ours, and each is owned once.
    let (out, inn) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    drop(inn);
    let mut said = String::new();
    std::fs::File::from(out).read_to_string(&mut said).unwrap();
    // SAFETY: waits for our own child; no status is wanted.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
    said
}

/// Runs `test` in a child of its own: other tests' threads may hold locks when it forks.
fn alone(name: &str, test: impl FnOnce()) {
    if child::is_child() {
        return test();
    }
    let output = child::run(name);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{stderr}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn from_outside_the_mill() {
    let _watched = watch("from_outside_the_mill");
    alone("forks::from_outside_the_mill", || {
        let mills = [mill(2), closed_mill(2)];
        assert_eq!(Mill::global().install(|| join(|| 1, || 2)), (1, 2));
        for mill in &mills {
            for said in [
                in_fork(|| mill.install(|| ())),
                in_fork(|| mill.try_install(|| ()).unwrap()),
                in_fork(|| mill.spawn(|| ()).unwrap()),
                in_fork(|| drop(mill.broadcast(|_| ()))),
                in_fork(|| assert_eq!(join(|| 1, || 2), (1, 2))),
                in_fork(|| scope(|s| s.spawn(|_| ()))),
                in_fork(|| gristmill::spawn(|| ())),
            ] {
                assert!(said.contains("forked"), "{said}");
            }
            assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2), "the parent goes on");
        }
    });
}

#[test]
fn from_inside_a_job() {
    let _watched = watch("from_inside_a_job");
    alone("forks::from_inside_a_job", || {
        assert_eq!(join(|| 1, || 2), (1, 2));
        for mill in [mill(2), closed_mill(2)] {
            for said in mill.install(|| {
                [
                    in_fork(|| mill.install(|| ())),
                    in_fork(|| assert_eq!(join(|| 1, || 2), (1, 2))),
                    in_fork(|| mill.spawn(|| ()).unwrap()),
                    in_fork(|| gristmill::spawn(|| ())),
                ]
            }) {
                assert!(said.contains("forked"), "{said}");
            }
            assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2), "the parent goes on");
        }
    });
}

/// The child returns into a join, or a scope, that began before the fork.
#[test]
fn in_the_middle_of_a_join() {
    let _watched = watch("in_the_middle_of_a_join");
    alone("forks::in_the_middle_of_a_join", || {
        let mill = closed_mill(2);
        let said = mill.install(|| {
            let mut said = Vec::new();
            let parent = std::process::id();
            for case in 0..3 {
                let fork = || {
                    let mut ends = [0; 2];
                    // SAFETY: `ends` has room for two descriptors.
                    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
                    // SAFETY: as in `in_fork`.
                    (unsafe { libc::fork() }, ends)
                };
                let mut forked = (0, [0; 2]);
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match case {
                    0 => assert_eq!(join(|| forked = fork(), || 2).1, 2),
                    1 => scope(|_| forked = fork()),
                    _ => scope(|s| {
                        forked = fork();
                        s.spawn(|_| ());
                    }),
                }));
                let (pid, ends) = forked;
                if std::process::id() != parent {
                    let text = match caught {
                        Ok(()) => "none".to_owned(),
                        Err(payload) => payload.downcast::<String>().map_or_else(
                            |p| p.downcast::<&str>().map_or("?".into(), |s| s.to_string()),
                            |s| *s,
                        ),
                    };
                    // SAFETY: as in `in_fork`.
                    unsafe {
                        libc::write(ends[1], text.as_ptr().cast(), text.len());
                        libc::_exit(0);
                    }
                }
                // SAFETY: as in `in_fork`.
                let (out, inn) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
                drop(inn);
                let mut text = String::new();
                std::fs::File::from(out).read_to_string(&mut text).unwrap();
                // SAFETY: as in `in_fork`.
                assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
                said.push(text);
            }
            said
        });
        assert!(said.iter().all(|said| said.contains("forked")), "{said:?}");
        assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2), "the parent goes on");
    });
}

/// Other threads set deadlines, cancel and build mills all the time: whatever lock they hold, the child is not held up.
#[test]
fn a_child_does_not_inherit_a_held_lock() {
    let _watched = watch("a_child_does_not_inherit_a_held_lock");
    alone("forks::a_child_does_not_inherit_a_held_lock", || {
        let (over, far) = (AtomicBool::new(false), Duration::from_secs(1_000));
        std::thread::scope(|threads| {
            for kind in 0..3 {
                let over = &over;
                threads.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        match kind {
                            0 => drop(CancelToken::new().with_deadline(Instant::now() + far)),
                            1 => CancelToken::new().cancel(),
                            // Fails, once there is one; it looks under the lock.
                            _ => drop(Mill::builder().workers(1).build_global()),
                        }
                    }
                });
            }
            for _ in 0..200 {
                let said = in_fork(|| {
                    let token = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(1));
                    crate::suite::until(|| token.is_cancelled());
                    let global = std::panic::catch_unwind(|| Mill::global().install(|| 1));
                    assert!(global.is_ok_and(|one| one == 1) || Mill::global().workers() > 0);
                    assert_eq!(mill(1).install(|| 1), 1);
                });
                assert_eq!(said, "none");
            }
            over.store(true, Ordering::Relaxed);
        });
    });
}

/// A child may build mills of its own, also when it was forked in a job with others waiting behind it.
#[test]
fn a_child_builds_its_own_mill() {
    let _watched = watch("a_child_builds_its_own_mill");
    alone("forks::a_child_builds_its_own_mill", || {
        let outer = closed_mill(1);
        let soon = || std::time::Instant::now() + std::time::Duration::from_millis(5);
        let before = gristmill::CancelToken::new().with_deadline(soon());
        let works = || {
            let token = gristmill::CancelToken::new().with_deadline(soon());
            crate::suite::until(|| token.is_cancelled());
            for mill in [mill(2), closed_mill(2)] {
                assert_eq!(mill.install(|| join(|| 1, || 2)), (1, 2));
                // Long enough that a caller who only waits goes to sleep.
                mill.install(|| std::thread::sleep(std::time::Duration::from_millis(20)));
            }
        };
        assert_eq!(in_fork(works), "none");
        let said = outer.install(|| {
            for _ in 0..10 {
                gristmill::spawn(|| ());
            }
            in_fork(works)
        });
        assert_eq!(said, "none");
        crate::suite::until(|| before.is_cancelled());
    });
}

/// Primitives made in the child, and those of the parent that nobody used when it forked, work there.
#[test]
fn with_locks_and_waits() {
    use gristmill::sync::{Barrier, Condition, Event, Mutex, Semaphore};

    fn meet(
        mutex: &Mutex<u32>,
        semaphore: &Semaphore,
        event: &Event,
        barrier: &Barrier,
        condition: &Condition,
    ) {
        std::thread::scope(|s| {
            s.spawn(|| {
                semaphore.acquire();
                event.set();
                barrier.wait().unwrap();
                condition.acquire();
                *mutex.lock() += 1;
                condition.notify_all().unwrap();
                condition.release().unwrap();
            });
            condition.acquire();
            let before = *mutex.lock();
            semaphore.release();
            event.wait();
            event.clear();
            barrier.wait().unwrap();
            condition.wait_for(|| (*mutex.lock() > before).then_some(())).unwrap();
            condition.release().unwrap();
        });
    }

    let _watched = watch("with_locks_and_waits");
    alone("forks::with_locks_and_waits", || {
        let parents = (Mutex::new(0), Semaphore::new(0), Event::new(), Barrier::new(2), Condition::new());
        let use_parents = || meet(&parents.0, &parents.1, &parents.2, &parents.3, &parents.4);
        use_parents();
        let said = in_fork(|| {
            use_parents();
            meet(&Mutex::new(0), &Semaphore::new(0), &Event::new(), &Barrier::new(2), &Condition::new());
        });
        assert_eq!(said, "none");
        use_parents();
    });
}
