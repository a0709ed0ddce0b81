//! Where the calling thread's stack ends.

#![allow(unsafe_code, reason = "asks the C library about the calling thread")]

use std::mem::MaybeUninit;

/// The lowest address of the calling thread's stack, its guard left out; `None` where the C library cannot tell.
///
/// Source: `pthread_getattr_np(3)`. On the main thread this reads `/proc/self/maps`: ask once per thread.
pub(crate) fn lowest_address() -> Option<usize> {
    let mut attr = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `attr` is writable and large enough; the call initialises it when it returns 0.
    let error = unsafe { libc::pthread_getattr_np(libc::pthread_self(), attr.as_mut_ptr()) };
    if error != 0 {
        return None;
    }
    let mut base = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: `attr` was initialised above, the two results are writable.
    let error = unsafe { libc::pthread_attr_getstack(attr.as_ptr(), &mut base, &mut size) };
    // SAFETY: `attr` was initialised above and is not used again.
    unsafe { libc::pthread_attr_destroy(attr.as_mut_ptr()) };
    (error == 0).then_some(base as usize)
}

/// An address in the caller's frame: how deep the stack is now.
#[inline(always)]
pub(crate) fn here() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&marker)) as usize
}

#[cfg(test)]
mod tests {
    #[test]
    fn we_stand_above_the_lowest_address() {
        let (lowest, here) =
            std::thread::spawn(|| (super::lowest_address().unwrap(), super::here())).join().unwrap();
        // A reused stack may be larger than what this thread would have got.
        assert!(lowest < here && here - lowest <= 1 << 30, "{lowest:#x} {here:#x}");
        assert_eq!(lowest % 4096, 0);
    }
}
