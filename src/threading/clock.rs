//! One thread that wakes up for all timers, while there are any.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::affinity;
use crate::sys::fork::Fresh;

/// Something that is to happen.
pub(crate) trait Ring: Send + Sync {
    /// Its time has come. On the clock's own thread, so it is quick.
    fn ring(self: Arc<Self>);
    /// It will not happen any more. Dropping it then runs nobody's code.
    fn is_over(&self) -> bool;
}

struct Alarm {
    at: Instant,
    number: u64,
    what: Arc<dyn Ring>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[derive(Default)]
struct Alarms {
    heap: BinaryHeap<Reverse<Alarm>>,
    next_number: u64,
    /// About how many in the heap are over.
    over: usize,
    is_running: bool,
    /// Counts the threads there have been. One that finds another's number here ends.
    shift: u64,
    /// Of the thread.
    nice: i32,
}

#[derive(Default)]
struct Clock {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

/// A forked child has none of its parent's timers, and a clock of its own.
static CLOCK: Fresh<Clock> = Fresh::new();

/// How long the thread stays when there is nothing to wait for.
const LINGER: Duration = Duration::from_secs(1);

/// This many that are over may lie about in any case.
const FEW: usize = 64;

/// Has `what` happen at `at`. The caller is so `nice`.
pub(crate) fn set(at: Instant, what: Arc<dyn Ring>, nice: i32) -> io::Result<()> {
    let clock = CLOCK.get();
    let mut alarms = clock.lock();
    // Whoever starts threads hands its niceness on, and they may raise it, but not lower it without a privilege. So the
    // clock is never nicer than one who sets it: else there is a new one.
    if !alarms.is_running || nice < alarms.nice {
        let shift = alarms.shift + 1;
        let thread = std::thread::Builder::new().name("gm-timer".into());
        match thread.spawn(move || clock.run(shift)) {
            Ok(_) => {
                (alarms.is_running, alarms.shift, alarms.nice) = (true, shift, nice);
                // The one before, which sleeps there or is about to look, ends.
                clock.changed.notify_all();
            }
            // A clock that is too nice is one.
            Err(_) if alarms.is_running => {}
            Err(error) => return Err(error),
        }
    }
    let number = alarms.next_number;
    alarms.next_number += 1;
    let is_first = alarms.heap.peek().is_none_or(|Reverse(first)| at < first.at);
    alarms.heap.push(Reverse(Alarm { at, number, what }));
    if is_first {
        clock.changed.notify_one();
    }
    Ok(())
}

/// Something that was set will not happen.
pub(crate) fn forget() {
    let mut alarms = CLOCK.get().lock();
    alarms.over += 1;
    if alarms.over > FEW.max(alarms.heap.len() / 2) {
        alarms.over = 0;
        alarms.heap.retain(|Reverse(alarm)| !alarm.what.is_over());
    }
}

impl Clock {
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, shift: u64) {
        // Whoever happened to be the first to set it may be tied to one CPU, which is busy.
        if let Ok(cpus) = affinity::allowed_to_main() {
            let _ = affinity::set_allowed(&cpus);
        }
        let mut alarms = self.lock();
        let mut is_idle = false;
        loop {
            if alarms.shift != shift {
                return;
            }
            let left = match alarms.heap.peek() {
                Some(Reverse(first)) => first.at.saturating_duration_since(Instant::now()),
                None if is_idle => {
                    alarms.is_running = false;
                    return;
                }
                None => LINGER,
            };
            is_idle = alarms.heap.is_empty();
            if left.is_zero() {
                let due = alarms.heap.pop();
                drop(alarms);
                if let Some(Reverse(alarm)) = due {
                    alarm.what.ring();
                }
                alarms = self.lock();
            } else {
                let waited = self.changed.wait_timeout(alarms, left).unwrap_or_else(PoisonError::into_inner);
                alarms = waited.0;
                // Woken, or too early: look at the time again before giving up.
                is_idle = is_idle && waited.1.timed_out();
            }
        }
    }
}
