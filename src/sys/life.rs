//! Whether some thread or process of this machine has ended.
//!
//! A kernel's id says who is meant only while that one lives: ids are used again. So a [`Life`] is an id and a *mark*
//! made of the time at which the thread or process started (in ticks of the kernel, modulo 2^20) and of the namespaces
//! in which the id and the time are told (12 bits of a hash of their inode numbers). Somebody else with the same id and
//! mark would have to start on the very tick that matches, modulo three hours.
//!
//! Who cannot be judged counts as alive: an id of another PID namespace or time namespace (all but one in 4,096 such
//! pairs are told apart: do not share locks between containers that do not share these), or one whose start cannot be read and that
//! is in use. A program that replaces itself by `execve` is the same thread to the kernel, and counts as alive too.
//!
//! Source: `kill(2)` with signal 0; `proc_pid_stat(5)`, fields 3, 20 and 22; `pid_namespaces(7)`; `time_namespaces(7)`.

/// One thread's, or one process's, time on earth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// The kernel's id; below 2^22, and not zero.
    pub(crate) id: u32,
    /// When and where; zero in the lower 20 bits if unknown.
    pub(crate) mark: u32,
}

/// Of what kind a [`Life`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It ends with the thread.
    Thread,
    /// It ends with the last thread of the process.
    Process,
}

pub(crate) use imp::{current, is_over};

#[cfg(not(loom))]
mod imp {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    use rustix::io::Errno;
    use rustix::process::{Pid, getpid, test_kill_process};
    use rustix::thread::gettid;

    use super::{Kind, Life};

    const START_BITS: u32 = 20;
    const START: u32 = (1 << START_BITS) - 1;

    /// The calling thread's life, or that of its process. Reads files: keep what it says.
    pub(crate) fn current(kind: Kind) -> Life {
        let (id, stat) = match kind {
            Kind::Thread => (gettid(), "/proc/thread-self/stat"),
            Kind::Process => (getpid(), "/proc/self/stat"),
        };
        let start = read(stat).map_or(0, |stat| stat.start);
        Life { id: id.as_raw_pid().unsigned_abs(), mark: namespace() << START_BITS | start }
    }

    /// Has it ended? A look costs a few microseconds.
    pub(crate) fn is_over(life: Life, kind: Kind) -> bool {
        let Some(id) = i32::try_from(life.id).ok().and_then(Pid::from_raw) else {
            return false;
        };
        if life.mark >> START_BITS != namespace() {
            return false;
        }
        // One that ended and that its parent has not yet taken note of still has its id.
        if test_kill_process(id) == Err(Errno::SRCH) {
            return true;
        }
        let Some(stat) = read(&format!("/proc/{}/stat", life.id)) else {
            return false;
        };
        let known = life.mark & START;
        let other = known != 0 && stat.start != 0 && stat.start != known;
        other || (stat.ended && (kind == Kind::Thread || stat.threads <= 1))
    }

    /// The namespaces that ids and start times are told in here, as far as a mark has room for them.
    fn namespace() -> u32 {
        let inode = |path| std::fs::metadata(path).map_or(0, |file| file.ino());
        mix(inode("/proc/self/ns/pid"), inode("/proc/self/ns/time"))
    }

    fn mix(pid: u64, time: u64) -> u32 {
        // Inode numbers follow each other; the factor (of Fibonacci hashing) spreads them over the upper bits.
        ((pid.rotate_left(32) ^ time).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (32 + START_BITS)) as u32
    }

    struct Stat {
        ended: bool,
        threads: u32,
        /// As in a mark.
        start: u32,
    }

    fn read(path: &str) -> Option<Stat> {
        let mut text = [0; 1024];
        let mut length = 0;
        let mut file = File::open(path).ok()?;
        while length < text.len() {
            match file.read(&mut text[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        parse(&text[..length])
    }

    /// The name of the program, which may hold anything, stands in brackets.
    fn parse(stat: &[u8]) -> Option<Stat> {
        let name_ends = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = std::str::from_utf8(&stat[name_ends + 1..]).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let threads = fields.nth(16)?.parse().ok()?;
        let start: u64 = fields.nth(1)?.parse().ok()?;
        // Zero is for what is not known.
        let start = (start % u64::from(START)) as u32 + 1;
        Some(Stat { ended: matches!(state, "Z" | "X" | "x"), threads, start })
    }

    #[cfg(test)]
    mod tests {
        use std::process::{Command, Stdio};

        use super::{Kind, Life, START_BITS, current, is_over, mix, parse};

        #[test]
        fn a_line_of_the_kernels_is_read() {
            let line = b"17 (a) R (b)) S 1 17 17 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 1234567 9 10 11\n";
            let stat = parse(line).unwrap();
            assert_eq!((stat.ended, stat.threads, stat.start), (false, 3, 1_234_567 % 0xf_ffff + 1));
            assert!(parse(b"17 (a) Z 1 17 17 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 7").unwrap().ended);
            for broken in
                [&b""[..], b"17 (a", b"17 (a) S 1 2", b"17 (a) S 1 17 17 0 -1 4 1 2 3 4 5 6 7 8 20 0 x 0 7"]
            {
                assert!(parse(broken).is_none());
            }
        }

        #[test]
        fn neighbouring_namespaces_are_told_apart() {
            let marks: std::collections::HashSet<_> = (0..16)
                .flat_map(|pid| (0..16).map(move |time| mix(0xf000_0000 + pid, 0xf000_0000 + time)))
                .collect();
            assert!(marks.len() > 240 && marks.iter().all(|mark| *mark < 1 << 12), "{}", marks.len());
        }

        #[test]
        fn who_asks_is_alive() {
            for kind in [Kind::Thread, Kind::Process] {
                let me = current(kind);
                assert_eq!(me, current(kind));
                assert!(!is_over(me, kind));
                assert!(me.id != 0 && me.id < 1 << 22, "{me:?}");
            }
        }

        #[test]
        fn a_thread_that_ended_is_over_and_its_process_is_not() {
            let (thread, process) =
                std::thread::spawn(|| (current(Kind::Thread), current(Kind::Process))).join().unwrap();
            // The kernel may take a moment after the thread was joined.
            while !is_over(thread, Kind::Thread) {
                std::thread::yield_now();
            }
            assert!(!is_over(process, Kind::Process));
        }

        #[test]
        fn another_with_the_same_id_is_not_the_same() {
            let me = current(Kind::Process);
            let before = Life { mark: me.mark ^ 1, ..me };
            assert!(is_over(before, Kind::Process));
            let unknown = Life { mark: me.mark >> START_BITS << START_BITS, ..me };
            assert!(!is_over(unknown, Kind::Process), "who cannot be told apart counts as alive");
            let elsewhere = Life { mark: me.mark ^ 1 << START_BITS, id: (1 << 22) - 1 };
            assert!(!is_over(elsewhere, Kind::Process), "an id of another namespace says nothing");
        }

        /// A child that was killed and that nobody has waited for keeps its id.
        #[test]
        fn a_zombie_is_over() {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let id = child.id();
            let start = super::read(&format!("/proc/{id}/stat")).unwrap().start;
            let life = Life { id, mark: super::namespace() << START_BITS | start };
            assert!(!is_over(life, Kind::Process));
            assert!(!is_over(life, Kind::Thread));
            child.kill().unwrap();
            while !is_over(life, Kind::Process) {
                std::thread::yield_now();
            }
            assert!(is_over(life, Kind::Thread));
            child.wait().unwrap();
            assert!(is_over(life, Kind::Process));
        }
    }
}

/// Models end the life of a thread by [`end`](imp::end).
#[cfg(loom)]
mod imp {
    use std::sync::atomic::Ordering;

    use loom::sync::Mutex;
    use loom::sync::atomic::AtomicU32;

    use super::{Kind, Life};

    loom::lazy_static! {
        static ref BORN: AtomicU32 = AtomicU32::new(0);
        static ref ENDED: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    }

    pub(crate) fn current(_: Kind) -> Life {
        Life { id: BORN.fetch_add(1, Ordering::Relaxed) + 1, mark: 0 }
    }

    pub(crate) fn is_over(life: Life, _: Kind) -> bool {
        ENDED.lock().unwrap().contains(&life.id)
    }

    #[cfg(test)]
    pub(crate) fn end(life: Life) {
        ENDED.lock().unwrap().push(life.id);
    }
}

#[cfg(all(test, loom))]
pub(crate) use imp::end;
