//! A kernel, or a filter of system calls, without `membarrier`: nothing private can be seized then.

#![allow(unsafe_code, reason = "installs a filter of system calls")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::{Mill, join, par_for, scope, yield_now};

use crate::suite::{child, closed_mill, mill, tick, until, watch::watch};

/// From now on no thread of this process can call `membarrier`. False if that cannot be had here.
fn forbid_membarrier() -> bool {
    let code = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_membarrier as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program is alive and as long as it says; the kernel copies it.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_TSYNC,
                &raw const program,
            ) == 0
    }
}

/// Runs `test` in a process of its own.
fn alone(name: &str, test: impl FnOnce()) {
    if child::is_child() {
        return test();
    }
    let output = child::run(name);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{stderr}", String::from_utf8_lossy(&output.stdout));
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn nest(depth: usize, leaf: &(dyn Fn() + Sync), half: &(dyn Fn() + Sync)) {
    if depth == 0 {
        return leaf();
    }
    join(|| nest(depth - 1, leaf, half), half);
}

fn a_bit_of_everything(mill: &Mill) {
    assert_eq!(mill.install(|| fib(20)), 6_765);
    for halves in [1, 3, 50] {
        let started = AtomicUsize::new(0);
        let leaf = || {
            while started.load(Ordering::SeqCst) < halves {
                yield_now();
            }
        };
        // One worker takes its halves back after the leaf.
        let leaf: &(dyn Fn() + Sync) = if mill.workers() == 1 { &|| () } else { &leaf };
        mill.install(|| nest(halves, leaf, &|| tick(&started)));
        assert_eq!(started.into_inner(), halves);
    }
    let (total, items) = (Mutex::new(0), AtomicUsize::new(0));
    mill.install(|| {
        scope(|s| {
            for _ in 0..200 {
                s.spawn(|_| {
                    let mut total = total.lock().unwrap();
                    *total += fib(8);
                    par_for(0..10, |_| tick(&items));
                });
            }
        });
    });
    assert_eq!((total.into_inner().unwrap(), items.into_inner()), (200 * 21, 2_000));
}

#[test]
fn a_mill_works_without_membarrier() {
    let _watched = watch("a_mill_works_without_membarrier");
    alone("kernels::a_mill_works_without_membarrier", || {
        if !forbid_membarrier() {
            return eprintln!("no filter can be installed here");
        }
        for workers in [1, 2, 4] {
            for mill in [mill(workers), closed_mill(workers)] {
                (0..20).for_each(|_| a_bit_of_everything(&mill));
                mill.shutdown();
            }
        }
    });
}

/// What is private stays so; nobody spins beside it.
#[test]
fn a_mill_goes_on_when_membarrier_is_taken_away() {
    let _watched = watch("a_mill_goes_on_when_membarrier_is_taken_away");
    alone("kernels::a_mill_goes_on_when_membarrier_is_taken_away", || {
        let mills = [closed_mill(2), closed_mill(3)];
        mills.iter().for_each(a_bit_of_everything);
        if !forbid_membarrier() {
            return eprintln!("no filter can be installed here");
        }
        for mill in &mills {
            let started = AtomicUsize::new(0);
            let leaf = || {
                until(|| started.load(Ordering::SeqCst) > 0);
                let (mut failed, mut same) = (0, 0);
                while same < 2_000 {
                    let now = mill.stats().total().failed_steals;
                    same = if now == failed { same + 1 } else { 0 };
                    failed = now;
                    std::thread::yield_now();
                }
            };
            mill.install(|| nest(3, &leaf, &|| tick(&started)));
            a_bit_of_everything(mill);
        }
    });
}
