//! The name that the kernel shows for a thread.

use crate::sys::thread;

/// The most bytes of a name that the kernel keeps: 15.
///
/// # Examples
///
/// ```
/// assert_eq!(gristmill::thread::NAME_MAX, 15);
/// ```
#[doc(alias("_thread._NAME_MAXLEN"))]
pub const NAME_MAX: usize = thread::NAME_MAX;

/// Names the calling thread for the kernel, whose tools (`ps -L`, `top -H`, debuggers) show it: the bytes before the
/// first NUL, [`NAME_MAX`] at most, also when that cuts a character. What the system has against it is ignored.
///
/// On the main thread this is also the name of the process.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{get_name, set_name};
///
/// std::thread::spawn(|| {
///     set_name("miller and sons, est. 1731");
///     assert_eq!(get_name(), "miller and sons");
/// }).join().unwrap();
/// ```
#[doc(alias("_thread.set_name", "pthread_setname_np"))]
pub fn set_name(name: &str) {
    let _ = thread::set_name(name.as_bytes());
}

/// The kernel's name of the calling thread. A character that was cut in two reads as U+FFFD.
///
/// # Examples
///
/// ```
/// let builder = std::thread::Builder::new().name("miller".into());
/// let name = builder.spawn(gristmill::thread::get_name)?.join().unwrap();
/// assert_eq!(name, "miller");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias("_thread._get_name", "pthread_getname_np"))]
#[must_use]
pub fn get_name() -> String {
    String::from_utf8_lossy(&thread::name().unwrap_or_default()).into_owned()
}
