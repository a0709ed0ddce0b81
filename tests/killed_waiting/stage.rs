//! Memory that this process and its children share, and the children.

use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

const FILE: &str = "GRISTMILL_KILLED_FILE";
const ROLE: &str = "GRISTMILL_KILLED_ROLE";

/// How many processes each test kills.
pub(crate) fn kills() -> u32 {
    std::env::var("GRISTMILL_KILLS").map_or(8, |kills| kills.parse().expect("GRISTMILL_KILLS is a number"))
}

/// How long the others may take to go on. They take 50 ms at most if the machine has time for them, which it may not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `done` holds; says for how long.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
    since.elapsed()
}

/// What lies at the beginning of the file.
#[repr(C)]
struct Scene<T> {
    /// How often each child has begun, or gone round.
    rounds: [AtomicU32; MOST],
    props: T,
}

/// How many children there may be.
pub(crate) const MOST: usize = 4;

/// A file in memory that holds a `T`, mapped as shared.
pub(crate) struct Stage<T> {
    scene: *const Scene<T>,
    path: String,
    test: &'static str,
    children: Vec<Option<Child>>,
    /// Kept open so that children can open it by its path.
    _file: std::fs::File,
    holds: PhantomData<T>,
}

fn map<T>(file: &std::fs::File) -> *mut Scene<T> {
    let length = size_of::<Scene<T>>();
    // SAFETY: a new mapping of a file that is as long.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(address, libc::MAP_FAILED, "{}", io::Error::last_os_error());
    address.cast()
}

impl<T: Sync> Stage<T> {
    /// Plays its role for ever if this is a child. Else sets the stage up, for the test of this name.
    pub(crate) fn set(test: &'static str, props: T, play: impl Fn(&T, &str, &AtomicU32)) -> Stage<T> {
        if let (Ok(path), Ok(role)) = (std::env::var(FILE), std::env::var(ROLE)) {
            let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
            // SAFETY: the parent has written it there and keeps it until this process is gone.
            let scene = unsafe { &*map::<T>(&file) };
            let (number, role) = role.split_once(' ').unwrap();
            let rounds = &scene.rounds[number.parse::<usize>().unwrap()];
            rounds.fetch_add(1, SeqCst);
            loop {
                play(&scene.props, role, rounds);
                rounds.fetch_add(1, SeqCst);
            }
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len(size_of::<Scene<T>>() as u64).unwrap();
        let scene = map::<T>(&file);
        // SAFETY: it is as large, and page-aligned, and nobody else has it yet.
        unsafe { scene.write(Scene { rounds: Default::default(), props }) };
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let children = (0..MOST).map(|_| None).collect();
        Stage { scene, path, test, children, _file: file, holds: PhantomData }
    }

    fn scene(&self) -> &Scene<T> {
        // SAFETY: mapped and written by `set`, and never unmapped.
        unsafe { &*self.scene }
    }

    /// Has child `number` play `role`; it has begun when this returns.
    pub(crate) fn send(&mut self, number: usize, role: &str) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", self.test, "--test-threads=1"])
            .env(FILE, &self.path)
            .env(ROLE, format!("{number} {role}"))
            .stdout(Stdio::null());
        let parent = std::process::id();
        let orphan = move || {
            // SAFETY: a system call, and nothing else, as is allowed between fork and exec.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            // SAFETY: as above.
            let now = unsafe { libc::getppid() };
            if now == parent as i32 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
        };
        // SAFETY: `orphan` makes two system calls.
        unsafe { command.pre_exec(orphan) };
        let before = self.rounds(number);
        self.children[number] = Some(command.spawn().unwrap());
        until("a child begins", || self.rounds(number) != before);
    }

    /// How often child `number` has begun, or gone round.
    pub(crate) fn rounds(&self, number: usize) -> u32 {
        self.scene().rounds[number].load(SeqCst)
    }

    /// Kills child `number`, after some time that is different each time.
    pub(crate) fn kill(&mut self, number: usize, dice: &mut Dice) {
        dice.pause();
        let mut child = self.children[number].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl<T: Sync> Deref for Stage<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.scene().props
    }
}

impl<T> Drop for Stage<T> {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Steele, Lea and Flood's splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    /// From `GRISTMILL_KILLS_SEED`, or from the clock; printed, to repeat it.
    pub(crate) fn new() -> Dice {
        let clock = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed =
            std::env::var("GRISTMILL_KILLS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock);
        eprintln!("GRISTMILL_KILLS_SEED={seed}");
        Dice(seed)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    /// Up to half a millisecond, mostly much less.
    fn pause(&mut self) {
        let length = 1 << self.below(20);
        for _ in 0..self.below(length) {
            std::hint::spin_loop();
        }
    }
}
