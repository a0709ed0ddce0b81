//! What the kernel knows of the calling thread.

#![allow(unsafe_code, reason = "calls the C library")]

use std::ffi::CStr;
use std::io;
use std::time::Duration;

/// The kernel's number of the calling thread.
pub(crate) fn native_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// The kernel's number of the process, which is that of its main thread.
pub(crate) fn process_id() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get().unsigned_abs()
}

/// The most bytes that a name has, its terminator left out.
pub(crate) const NAME_MAX: usize = 15;

/// Names the calling thread: the bytes before the first NUL, [`NAME_MAX`] at most.
///
/// Source: `PR_SET_NAME` in `prctl(2)`.
pub(crate) fn set_name(name: &[u8]) -> io::Result<()> {
    let mut bytes = [0; NAME_MAX + 1];
    for (byte, new) in bytes.iter_mut().zip(name.iter().take(NAME_MAX).take_while(|&&byte| byte != 0)) {
        *byte = *new;
    }
    let name = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
    Ok(rustix::thread::set_name(name)?)
}

/// The calling thread's name.
pub(crate) fn name() -> io::Result<Vec<u8>> {
    Ok(rustix::thread::name()?.into_bytes())
}

/// How long the calling thread has run on a CPU.
///
/// Source: `CLOCK_THREAD_CPUTIME_ID` in `clock_gettime(2)`.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How willingly the calling thread makes way for others, from -20 (least) to 19; on Linux that is a thread's own.
///
/// Source: `getpriority(2)`, "C library/kernel differences" there.
pub(crate) fn nice() -> io::Result<i32> {
    Ok(rustix::process::getpriority_process(None)?)
}

/// Sets what [`nice`] says.
pub(crate) fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: a call with plain numbers.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
