//! Whole pages of memory from the kernel, all zero, and back.
//!
//! Source: `mmap(2)`, `madvise(2)`, `sysconf(3)`.

#![allow(unsafe_code, reason = "maps memory and gives it back")]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the kernel backs at a time when it is asked for huge pages, in bytes, on the machines that we know.
pub(crate) const HUGE: usize = 2 << 20;

/// The size of a page, in bytes.
pub(crate) fn size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: asks for a number.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Memory of its own, unmapped when it is dropped.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it owns its memory, and lets nobody touch it by itself.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// At least `len` bytes that begin at a multiple of `align`, a power of two. `len` is not 0.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, also for sizes that no address space has.
    pub(crate) fn map(len: usize, align: usize) -> io::Result<Self> {
        debug_assert!(len > 0 && align.is_power_of_two());
        let align = align.max(size());
        let too_much = || io::Error::from(io::ErrorKind::OutOfMemory);
        let len = len.checked_next_multiple_of(size()).ok_or_else(too_much)?;
        // So much that an aligned piece is in it wherever it begins.
        let asked = len.checked_add(align - size()).ok_or_else(too_much)?;
        // SAFETY: a new mapping, where the kernel likes it.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                asked,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        let start = if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast::<u8>()) };
        let Some(start) = start else { return Err(io::Error::last_os_error()) };
        let before = start.align_offset(align);
        // SAFETY: `before` is less than `align - size()`, which was asked for beyond `len`.
        let aligned = unsafe { start.add(before) };
        // SAFETY: at `len` at most what was asked for ends.
        let end = unsafe { aligned.add(len) };
        for (rest, len) in [(start, before), (end, asked - before - len)] {
            if len > 0 {
                // SAFETY: a part of our mapping that nobody has heard of.
                unsafe { libc::munmap(rest.as_ptr().cast(), len) };
            }
        }
        Ok(Self { start: aligned, len })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: ours, that long, all zero to begin with, and borrowed from whoever owns it.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Asks for huge pages. That is a hint: the kernel gives them when it has some, and ignores us where it was set so.
    ///
    /// # Errors
    ///
    /// `EINVAL` where the kernel was built without.
    pub(crate) fn prefer_huge(&self) -> io::Result<()> {
        self.advise(libc::MADV_HUGEPAGE)
    }

    /// Keeps the kernel from giving huge pages where it gives them unasked.
    ///
    /// # Errors
    ///
    /// As [`prefer_huge`](Self::prefer_huge).
    pub(crate) fn prefer_small(&self) -> io::Result<()> {
        self.advise(libc::MADV_NOHUGEPAGE)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: advice on our own mapping; it changes nothing that is in it.
        let result = unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, advice) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: our mapping, and whoever had pointers into it has gone.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn pages_are_zero_and_aligned() {
        for (len, align) in [(1, 1), (size(), size()), (size() + 1, 4 * size()), (3 * HUGE - 5, HUGE)] {
            let mut pages = Pages::map(len, align).unwrap();
            assert_eq!(pages.start().as_ptr() as usize % align.max(size()), 0);
            assert_eq!(pages.len(), len.next_multiple_of(size()));
            assert!(pages.bytes_mut().iter().all(|&byte| byte == 0));
            pages.bytes_mut().fill(7);
        }
    }

    #[test]
    fn what_no_machine_has_is_an_error() {
        for len in [usize::MAX, isize::MAX as usize, 1 << 60] {
            assert_eq!(Pages::map(len, 1).unwrap_err().kind(), io::ErrorKind::OutOfMemory, "{len}");
        }
    }
}
