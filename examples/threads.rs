//! Threads: started and joined, with names, with values of their own, and with a timer that watches over them.
//!
//! ```sh
//! cargo run --release --example threads
//! ```

use std::sync::Arc;
use std::time::Duration;

use gristmill::threading::{
    Local, Runtime, Thread, ThreadError, Timer, current_thread, enumerate, set_excepthook, spawn,
};

fn grind(sacks: u32, dust: &Local<u32>) {
    for sack in 0..sacks {
        dust.with_mut(|dust| *dust += sack);
    }
    println!("{}: {sacks} sacks, {} g of dust", current_thread().name(), dust.get().unwrap_or_default());
}

fn main() -> Result<(), ThreadError> {
    // Waits, at the end of `main`, for every thread that is no daemon.
    let _runtime = Runtime::new();

    // Start a few, then join them. What Python hands over as `args`, a closure captures.
    let dust = Arc::new(Local::new(|| 0));
    let millers: Vec<Thread> = (1..=3)
        .map(|number| {
            let dust = Arc::clone(&dust);
            Thread::builder().name(format!("miller {number}")).build(move || grind(number * 10, &dust))
        })
        .collect();
    for miller in &millers {
        miller.start()?;
    }
    println!("{} threads: {:?}", enumerate().len(), enumerate());
    for miller in &millers {
        miller.join()?;
    }
    assert!(millers.iter().all(|miller| !miller.is_alive()));
    assert_eq!(dust.get(), Some(0), "this thread's own");

    // A thread that gives a value back, and a timer that goes off unless it is in time.
    let late = Timer::after(Duration::from_secs(10), || println!("this takes long"))?;
    let flour = spawn(|| (1..=100).sum::<u32>())?;
    println!("{} kg of flour", flour.join().expect("nothing in it panics"));
    assert!(late.cancel());

    // A panic ends its thread, and nothing else. Whoever set the hook hears of it.
    set_excepthook(Some(Arc::new(|args| println!("heard: {args}"))));
    let careless = Thread::builder().name("careless").build(|| panic!("a finger in the gears"));
    careless.start()?;
    careless.join()?;

    // Nobody joins this one but the runtime.
    Thread::builder().name("last").build(|| println!("{} out", current_thread().name())).start()?;
    Ok(())
}
