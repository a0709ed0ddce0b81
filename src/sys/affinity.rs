//! Where the calling thread may run: its affinity mask, read and set.
//!
//! A mask that the kernel takes only in part (a cgroup cpuset stands in the way, a CPU went offline) is an
//! error here, never silence: whoever pins wants to know. Everything but `allowed_to_main` speaks of the calling thread alone.
//!
//! rustix's mask has 1,024 bits, which is what nearly every machine needs. The kernel refuses a read with so
//! few when it was started with more CPUs; then, and for setting a CPU beyond, the wide calls below are used.

#![allow(unsafe_code)]

use std::ffi::c_ulong;
use std::io;

use rustix::thread::CpuSet as Mask;

/// The widest mask that is tried, in bits: 128 times the most that Linux can be built for today.
const WIDEST: usize = 1 << 20;

/// The OS ids of the CPUs that the calling thread may run on, ascending.
///
/// # Errors
///
/// What `sched_getaffinity` answers, as under a seccomp filter that denies it.
pub(crate) fn allowed() -> io::Result<Vec<usize>> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(mask) => Ok((0..Mask::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).collect()),
        Err(rustix::io::Errno::INVAL) => allowed_wide(Mask::MAX_CPU * 2),
        Err(error) => Err(error.into()),
    }
}

/// The same of the process's main thread, on a machine with no more CPUs than fit the narrow mask.
///
/// # Errors
///
/// As for [`allowed`].
pub(crate) fn allowed_to_main() -> io::Result<Vec<usize>> {
    // A process's number is that of its main thread.
    let mask = rustix::thread::sched_getaffinity(Some(rustix::process::getpid()))?;
    Ok((0..Mask::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).collect())
}

/// Lets the calling thread run on exactly these CPUs.
///
/// # Errors
///
/// `InvalidInput` when `cpus` is empty; what `sched_setaffinity` answers; `Unsupported` when the kernel took
/// only some of the CPUs, and then those are in force.
pub(crate) fn set_allowed(cpus: &[usize]) -> io::Result<()> {
    let Some(&last) = cpus.iter().max() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty set of CPUs to run on"));
    };
    if last < Mask::MAX_CPU {
        let mut mask = Mask::new();
        for &cpu in cpus {
            mask.set(cpu);
        }
        rustix::thread::sched_setaffinity(None, &mask)?;
    } else {
        set_allowed_wide(cpus, last)?;
    }
    confirm(cpus)
}

/// Nails the calling thread to one CPU.
///
/// # Errors
///
/// What the kernel answers: `InvalidInput` (EINVAL) for a CPU that is offline, absent or outside the cgroup's
/// cpuset. `Unsupported` when the kernel said yes and did something else.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= Mask::MAX_CPU {
        return set_allowed(&[cpu]);
    }
    if !core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        return Err(io::Error::last_os_error());
    }
    confirm(&[cpu])
}

/// The OS id of the CPU that the calling thread runs on at this moment; it may have moved when you look at
/// it.
pub(crate) fn current_cpu() -> usize {
    rustix::thread::sched_getcpu()
}

/// Asks the kernel back after a mask was set.
fn confirm(asked: &[usize]) -> io::Result<()> {
    let now = allowed()?;
    let mut wanted = asked.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    if now == wanted {
        return Ok(());
    }
    wanted.retain(|cpu| now.binary_search(cpu).is_err());
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("the kernel did not let this thread run on CPU {wanted:?}; it may run on {now:?}"),
    ))
}

const WORD: usize = c_ulong::BITS as usize;

/// `allowed` with a mask of `bits` and more, doubled until the kernel's fits.
fn allowed_wide(mut bits: usize) -> io::Result<Vec<usize>> {
    loop {
        let mut words: Vec<c_ulong> = vec![0; bits.div_ceil(WORD)];
        // SAFETY: the kernel writes at most the given number of bytes, all of them inside `words`; a mask is
        // an array of longs, so the alignment is right.
        let done =
            unsafe { libc::sched_getaffinity(0, size_of_val(words.as_slice()), words.as_mut_ptr().cast()) };
        if done == 0 {
            let set = |cpu: &usize| words[cpu / WORD] >> (cpu % WORD) & 1 == 1;
            return Ok((0..words.len() * WORD).filter(set).collect());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) || bits >= WIDEST {
            return Err(error);
        }
        bits *= 2;
    }
}

/// `set_allowed` with a mask that is wide enough for `last`, the highest of `cpus`.
fn set_allowed_wide(cpus: &[usize], last: usize) -> io::Result<()> {
    if last >= WIDEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no machine has a CPU {last}")));
    }
    let mut words: Vec<c_ulong> = vec![0; last / WORD + 1];
    for &cpu in cpus {
        words[cpu / WORD] |= 1 << (cpu % WORD);
    }
    // SAFETY: the kernel reads the given number of bytes, all of them inside `words`; a mask is an array of
    // longs, so the alignment is right.
    let done = unsafe { libc::sched_setaffinity(0, size_of_val(words.as_slice()), words.as_ptr().cast()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Absent on any machine short of the 1,024 that fit the narrow mask, and on any that Linux can be built
    /// for.
    const ABSENT: [usize; 2] = [1023, 9000];

    /// Masks belong to threads, and the test harness may use its threads again.
    fn on_a_thread(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            scope.spawn(test);
        });
    }

    #[test]
    fn narrow_and_wide_masks_say_the_same() {
        let narrow = allowed().unwrap();
        assert!(!narrow.is_empty());
        assert_eq!(narrow, allowed_wide(64).unwrap());
        assert_eq!(narrow, allowed_wide(1 << 16).unwrap());
    }

    #[test]
    fn a_pinned_thread_runs_where_it_was_pinned() {
        on_a_thread(|| {
            for cpu in allowed().unwrap() {
                pin(cpu).unwrap();
                assert_eq!(allowed().unwrap(), [cpu]);
                assert_eq!(current_cpu(), cpu);
            }
        });
    }

    #[test]
    fn a_set_can_be_left_and_taken_again() {
        on_a_thread(|| {
            let all = allowed().unwrap();
            pin(all[0]).unwrap();
            set_allowed(&all).unwrap();
            assert_eq!(allowed().unwrap(), all);
            set_allowed_wide(&all, *all.last().unwrap()).unwrap();
            assert_eq!(allowed().unwrap(), all);
        });
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error_and_changes_nothing() {
        on_a_thread(|| {
            let all = allowed().unwrap();
            for error in [
                pin(ABSENT[0]).unwrap_err(),
                pin(ABSENT[1]).unwrap_err(),
                pin(usize::MAX).unwrap_err(),
                set_allowed(&ABSENT[..1]).unwrap_err(),
                set_allowed(&ABSENT).unwrap_err(),
                set_allowed(&[]).unwrap_err(),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            }
            assert_eq!(allowed().unwrap(), all);
        });
    }

    #[test]
    fn a_set_that_is_taken_in_part_is_an_error() {
        on_a_thread(|| {
            let all = allowed().unwrap();
            for absent in ABSENT {
                let error = set_allowed(&[all[0], absent]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::Unsupported);
                assert!(error.to_string().contains(&absent.to_string()), "{error}");
                assert_eq!(allowed().unwrap(), [all[0]]);
            }
        });
    }
}
