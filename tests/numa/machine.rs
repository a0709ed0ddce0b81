//! What the first process of a machine has to do.

use std::ffi::CStr;
use std::io::Write;

/// The file systems that others find mounted.
pub(crate) fn mount() {
    let all =
        [(c"proc", c"/proc"), (c"sysfs", c"/sys"), (c"devtmpfs", c"/dev"), (c"cgroup2", c"/sys/fs/cgroup")];
    for (what, place) in all {
        let path = place.to_str().unwrap();
        std::fs::create_dir_all(path).unwrap();
        let (what, place): (&CStr, &CStr) = (what, place);
        // SAFETY: strings that end, and no data.
        let done = unsafe { libc::mount(what.as_ptr(), place.as_ptr(), what.as_ptr(), 0, std::ptr::null()) };
        if done != 0 {
            println!("numa: {path}: {}", std::io::Error::last_os_error());
        }
    }
}

/// The machine goes off, or begins anew, as whoever runs it has it.
pub(crate) fn end() {
    std::io::stdout().flush().unwrap();
    // SAFETY: this machine is ours, and has no disks.
    unsafe { libc::reboot(libc::RB_AUTOBOOT) };
}

/// Takes a CPU away, or gives it back.
pub(crate) fn set_online(cpu: usize, online: bool) -> std::io::Result<()> {
    std::fs::write(format!("/sys/devices/system/cpu/cpu{cpu}/online"), if online { "1" } else { "0" })
}
