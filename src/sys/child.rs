//! Forked children in tests: memory that they share with this process, and an early end.

#![allow(unsafe_code, reason = "forks, and maps memory that a child shares")]

/// A value that this process shares with the children that it forks. It is never unmapped.
pub(crate) fn mapped<T>(value: T) -> &'static T {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, in nobody's way.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<T>(), access, kind, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    let place = memory.cast::<T>();
    // SAFETY: large enough, page-aligned, and ours.
    unsafe { place.write(value) };
    // SAFETY: there is a value, which stays.
    unsafe { &*place }
}

/// Runs `f` in a forked child, which ends then, with whatever it holds. Waits for that.
pub(crate) fn die_after(f: impl FnOnce()) {
    // SAFETY: the child uses what a fork leaves intact (the C library repairs its own allocator) and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let done = crate::unwind::halt(f).is_ok();
        // SAFETY: ends the child without running its parent's exit handlers.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    let mut status = -1;
    // SAFETY: our own child; `status` has room.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
}
