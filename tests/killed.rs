//! Processes that are killed while they hold, wait for or release a lock in shared memory: the others go on, and learn
//! of it.
//!
//! For each kind of lock two processes use it all the time, and a third is forked and killed, again and again
//! (`GRISTMILL_KILLS` times for each way to be killed; 8 if it is not set). What the lock guards are two numbers that
//! are equal whenever nobody is inside. How long the others stood still is printed, and a standstill that does not
//! end is a failure.

#![allow(unsafe_code, reason = "maps memory, forks and kills")]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use gristmill::sync::{
    Lock, LockError, Mutex, MutexGuard, RLock, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockWriteGuard,
    Shared,
};

/// The processes that go on.
const OTHERS: usize = 2;
/// No working run stands still for so long.
const STUCK: Duration = Duration::from_secs(30);

/// What all processes share. All zero to begin with.
#[repr(C)]
struct Arena<L> {
    lock: L,
    pair: [AtomicU64; 2],
    /// How often each process was inside.
    visits: [AtomicU64; OTHERS],
    /// How often somebody learnt that another had died inside.
    learnt: AtomicU64,
    /// The numbers differed, and nobody had died.
    torn: AtomicU32,
    /// What the process to be killed is doing.
    victim: AtomicU32,
    end: AtomicU32,
}

const WAITS: u32 = 1;
const IS_INSIDE: u32 = 2;

/// A lock; all-zero memory is an unlocked one.
trait Kind: Sized {
    const NAME: &str;
    /// Does the next to lock learn that who held it died?
    const TELLS: bool = true;

    /// Runs `inside` with the lock; `repair` before that, if the owner before had died.
    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce());

    /// The same for the process that is killed.
    fn with_as_victim(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        self.with(repair, inside);
    }
}

impl Kind for Mutex<(), Shared> {
    const NAME: &str = "Mutex";

    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        let _guard = match self.lock() {
            Ok(guard) => guard,
            Err(LockError::OwnerDied(guard)) => {
                repair();
                MutexGuard::mark_consistent(&guard);
                guard
            }
            Err(error) => panic!("{error}"),
        };
        inside();
    }
}

impl Kind for ReentrantMutex<(), Shared> {
    const NAME: &str = "ReentrantMutex";

    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        let outer = match self.lock() {
            Ok(guard) => guard,
            Err(LockError::OwnerDied(guard)) => {
                repair();
                ReentrantMutexGuard::mark_consistent(&guard);
                guard
            }
            Err(error) => panic!("{error}"),
        };
        let inner = self.lock().unwrap();
        drop(outer);
        inside();
        drop(inner);
    }
}

fn write(lock: &RwLock<(), Shared>, repair: impl FnOnce(), inside: impl FnOnce()) {
    let _guard = match lock.write() {
        Ok(guard) => guard,
        Err(LockError::OwnerDied(guard)) => {
            repair();
            RwLockWriteGuard::mark_consistent(&guard);
            guard
        }
        Err(error) => panic!("{error}"),
    };
    inside();
}

/// A writer is killed among readers and writers.
#[repr(transparent)]
struct Writer(RwLock<(), Shared>);

impl Kind for Writer {
    const NAME: &str = "RwLock, writer";

    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        // A reader may be the one that learns of it.
        let reader = match self.0.read() {
            Ok(reader) => Some(reader),
            Err(LockError::OwnerDied(guard)) => {
                repair();
                RwLockWriteGuard::mark_consistent(&guard);
                return inside();
            }
            Err(error) => panic!("{error}"),
        };
        drop(reader);
        write(&self.0, repair, inside);
    }

    fn with_as_victim(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        write(&self.0, repair, inside);
    }
}

/// A reader is killed among writers.
#[repr(transparent)]
struct Reader(RwLock<(), Shared>);

impl Kind for Reader {
    const NAME: &str = "RwLock, reader";
    const TELLS: bool = false;

    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        write(&self.0, repair, inside);
    }

    fn with_as_victim(&self, _: impl FnOnce(), inside: impl FnOnce()) {
        let guard = self.0.read().unwrap();
        inside();
        drop(guard);
    }
}

impl Kind for Lock<Shared> {
    const NAME: &str = "Lock";

    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        self.with(|| {
            if self.owner_died() {
                repair();
            }
            inside();
        });
    }
}

impl Kind for RLock<Shared> {
    const NAME: &str = "RLock";

    fn with(&self, repair: impl FnOnce(), inside: impl FnOnce()) {
        self.with(|| {
            if self.owner_died() {
                repair();
            }
            self.with(inside);
        });
    }
}

impl<L: Kind> Arena<L> {
    /// New memory that is never unmapped.
    fn new() -> &'static Self {
        // SAFETY: a new mapping, in nobody's way.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED);
        // SAFETY: large enough, page-aligned, alive from now on, and all zero, which is a value of each field.
        unsafe { &*memory.cast::<Self>() }
    }

    fn repair(&self) {
        self.pair[1].store(self.pair[0].load(SeqCst), SeqCst);
        self.learnt.fetch_add(1, SeqCst);
    }

    fn change(&self) {
        let before = self.pair[0].load(SeqCst);
        if self.pair[1].load(SeqCst) != before {
            self.torn.store(1, SeqCst);
        }
        self.pair[0].store(before + 1, SeqCst);
        std::hint::spin_loop();
        self.pair[1].store(before + 1, SeqCst);
    }

    fn look(&self) {
        if self.pair[0].load(SeqCst) != self.pair[1].load(SeqCst) {
            self.torn.store(1, SeqCst);
        }
    }

    fn go_on(&self, number: usize) {
        while self.end.load(SeqCst) == 0 {
            self.lock.with(|| self.repair(), || self.change());
            self.visits[number].fetch_add(1, SeqCst);
            // Not so fast that nobody else gets near.
            for _ in 0..100 {
                std::hint::spin_loop();
            }
        }
    }

    fn visits(&self) -> [u64; OTHERS] {
        std::array::from_fn(|number| self.visits[number].load(SeqCst))
    }
}

/// Runs `f` in a forked child, which ends with this process.
fn fork(f: impl FnOnce()) -> libc::pid_t {
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: sets a flag of the child's own.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_ok();
        // SAFETY: ends the child without running its parent's exit handlers.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    assert!(pid > 0);
    pid
}

fn wait_for(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: our own child; `status` has room.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status
}

/// How it is killed.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It stays inside until it is killed.
    Holding,
    /// It waits for this process, which is inside.
    Waiting,
    /// It comes and goes, as the others do.
    Anywhere,
}

fn until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < STUCK, "stuck: {what}");
        std::thread::yield_now();
    }
    start.elapsed()
}

fn busy(turns: u64) {
    for _ in 0..turns {
        std::hint::spin_loop();
    }
}

/// Forks one and kills it; how long the others stood still.
fn kill_one<L: Kind>(arena: &'static Arena<L>, way: Way, random: &mut u64) -> Duration {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let moment = (*random >> 33) % 20_000;
    let enter = |inside: &dyn Fn()| arena.lock.with_as_victim(|| arena.repair(), inside);
    let change = || if L::TELLS { arena.change() } else { arena.look() };
    arena.victim.store(0, SeqCst);
    let victim = || {
        fork(|| {
            arena.victim.store(WAITS, SeqCst);
            loop {
                enter(&|| {
                    arena.victim.store(IS_INSIDE, SeqCst);
                    if matches!(way, Way::Holding) {
                        loop {
                            std::hint::spin_loop();
                        }
                    }
                    change();
                });
            }
        })
    };
    // SAFETY: our own child, not yet waited for.
    let kill = |pid| assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    let learnt = arena.learnt.load(SeqCst);
    let mut pid = 0;
    match way {
        Way::Holding => {
            pid = victim();
            until("it does not get inside", || arena.victim.load(SeqCst) == IS_INSIDE);
            kill(pid);
        }
        Way::Waiting => {
            arena.lock.with(
                || arena.repair(),
                || {
                    pid = victim();
                    until("it does not start", || arena.victim.load(SeqCst) == WAITS);
                    busy(moment * 10);
                    kill(pid);
                },
            );
        }
        Way::Anywhere => {
            pid = victim();
            until("it does not start", || arena.victim.load(SeqCst) != 0);
            busy(moment);
            kill(pid);
        }
    }
    // Nobody has waited for it yet, so the kernel still knows its id.
    let before = arena.visits();
    let still =
        until("the others", || arena.visits().iter().zip(before).all(|(now, before)| now - before >= 2));
    assert_eq!(wait_for(pid), libc::SIGKILL);
    let learnt = arena.learnt.load(SeqCst) - learnt;
    match way {
        Way::Holding => assert_eq!(learnt, u64::from(L::TELLS), "they learn of it once"),
        Way::Waiting => assert_eq!(learnt, 0, "nobody died inside"),
        Way::Anywhere => assert!(learnt <= 1),
    }
    still
}

fn kills<L: Kind + 'static>(rounds: u64) {
    let arena = Arena::<L>::new();
    // So that children must forget what this process knows of itself.
    arena.lock.with(|| arena.repair(), || arena.change());
    let others: [_; OTHERS] = std::array::from_fn(|number| fork(|| arena.go_on(number)));
    let mut random = u64::from(std::process::id());
    for way in [Way::Holding, Way::Waiting, Way::Anywhere] {
        let start = arena.learnt.load(SeqCst);
        let mut still: Vec<_> = (0..rounds).map(|_| kill_one(arena, way, &mut random)).collect();
        still.sort_unstable();
        let learnt = arena.learnt.load(SeqCst) - start;
        let (half, longest) = (still.get(still.len() / 2), still.last());
        let [half, longest] = [half, longest].map(|still| still.copied().unwrap_or_default());
        println!(
            "  {way:?}: {rounds} killed, {learnt} learnt of; they stood still {half:.1?} (median), {longest:.1?} (longest)"
        );
    }
    arena.end.store(1, SeqCst);
    for other in others {
        assert_eq!(wait_for(other), 0);
    }
    assert_eq!(arena.torn.load(SeqCst), 0, "two were inside at the same time");
    assert_eq!(arena.pair[0].load(SeqCst), arena.pair[1].load(SeqCst));
}

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let rounds = std::env::var("GRISTMILL_KILLS")
        .map_or(8, |rounds| rounds.parse().expect("GRISTMILL_KILLS is a number"));
    let (mut passed, mut failed) = (0, 0);
    let mut run = |name: &str, test: fn(u64)| {
        println!("{name}");
        // Processes that go on after a failure end with this one.
        if std::panic::catch_unwind(|| test(rounds)).is_ok() {
            passed += 1;
        } else {
            failed += 1;
        }
    };
    run(Mutex::NAME, kills::<Mutex<(), Shared>>);
    run(ReentrantMutex::NAME, kills::<ReentrantMutex<(), Shared>>);
    run(Writer::NAME, kills::<Writer>);
    run(Reader::NAME, kills::<Reader>);
    run(<Lock<Shared> as Kind>::NAME, kills::<Lock<Shared>>);
    run(<RLock<Shared> as Kind>::NAME, kills::<RLock<Shared>>);
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
