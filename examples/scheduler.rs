//! Things done at set times: in order by a scheduler, in a simulation's time, and by the hundred thousand on a mill.
//!
//! ```sh
//! cargo run --release --example scheduler
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gristmill::sched::{FnClock, Job, Scheduler, TimerWheel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    in_order();
    simulated();
    by_the_hundred_thousand()
}

/// On the system's clock; another thread brings an earlier event while it waits.
fn in_order() {
    let scheduler = Scheduler::new();
    let begun = Instant::now();
    let (say, said) = channel();
    let entry = |delay, priority, word: &'static str| {
        let say = say.clone();
        scheduler.enter(Duration::from_millis(delay), priority, move |_| {
            println!("{:>4.0?} {word}", begun.elapsed());
            say.send(word).unwrap();
        })
    };
    let due = begun + Duration::from_millis(20);
    for (priority, word) in [(2, "second"), (1, "first")] {
        let say = say.clone();
        scheduler.enterabs(due, priority, move |_| say.send(word).unwrap());
    }
    let never = entry(3_600_000, 0, "in an hour");
    std::thread::scope(|s| {
        s.spawn(|| scheduler.run());
        entry(1, 0, "earlier than what it waits for");
        assert_eq!(said.recv(), Ok("earlier than what it waits for"));
        assert_eq!((said.recv(), said.recv()), (Ok("first"), Ok("second")));
        scheduler.cancel(&never).expect("it has not run"); // the last one: the run returns
    });
    assert!(scheduler.empty());
}

/// A year in which waiting takes no time.
fn simulated() {
    let day = Arc::new(AtomicU64::new(0));
    let (reads, waits) = (Arc::clone(&day), Arc::clone(&day));
    let clock = FnClock::new(
        move || reads.load(Ordering::Relaxed),
        move |days| {
            waits.fetch_add(days, Ordering::Relaxed);
        },
    );
    let year = Scheduler::with_clock(clock);
    let crops = Arc::new(Mutex::new(Vec::new()));
    for (field, sown) in [("rye", 270), ("oats", 80), ("peas", 95)] {
        let crops = Arc::clone(&crops);
        year.enterabs(sown, 0, move |year| {
            year.enter(120, 0, move |_| crops.lock().unwrap().push(field));
        });
    }
    println!("{:?} days to the next event after New Year's Eve", year.run_until(364));
    assert_eq!(*crops.lock().unwrap(), ["oats", "peas"]);
    year.run();
    assert_eq!((crops.lock().unwrap().len(), day.load(Ordering::Relaxed)), (3, 390));
}

/// Timeouts, of which most are cancelled. What is left runs on the mill's workers.
fn by_the_hundred_thousand() -> Result<(), Box<dyn std::error::Error>> {
    const TIMERS: u64 = 100_000;
    let timers = TimerWheel::new(|job: Job| gristmill::spawn(job)).start()?;
    let (send, receive) = channel();
    let begun = Instant::now();
    let mut ids = Vec::new();
    for n in 0..TIMERS {
        let (send, due) = (send.clone(), begun + Duration::from_millis(500 + n % 50));
        ids.push(timers.enter_at(due, move || send.send(Instant::now() >= due).unwrap())?);
    }
    println!("{TIMERS} timers set in {:.0?}", begun.elapsed());
    let cancelled =
        ids.iter().filter(|id| **id != ids[0]).step_by(2).filter(|&&id| timers.cancel(id).is_ok());
    let cancelled = cancelled.count() as u64;
    drop(send);
    let ran: Vec<bool> = receive.iter().collect(); // ends when each job has run or is dropped
    println!("{cancelled} cancelled, {} run", ran.len());
    assert_eq!(ran.len() as u64 + cancelled, TIMERS);
    assert!(ran.iter().all(|&on_time| on_time), "never early");
    Ok(())
}
