//! Rounds of a simulation that meet at a barrier, started by one event and stopped by another.
//!
//! A rod is heated at one end. In each round every thread works out its part of the next temperatures from all of the
//! last ones; nobody may begin a round before all have ended the one before.
//!
//! ```sh
//! cargo run --release --example barrier_event
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use gristmill::sync::{Barrier, BrokenBarrier, Event, RwLock};

const CELLS: usize = 60;
const THREADS: usize = 3;

fn next(rod: &[f64], cell: usize) -> f64 {
    match cell {
        0 => 100.0,
        cell if cell + 1 == rod.len() => 0.0,
        cell => (rod[cell - 1] + rod[cell + 1]) / 2.0,
    }
}

fn main() {
    let rod = Arc::new(RwLock::new(vec![0.0; CELLS]));
    let parts: Arc<[RwLock<Vec<f64>>]> = (0..THREADS).map(|_| RwLock::new(Vec::new())).collect();
    let rounds = Arc::new(AtomicUsize::new(0));
    let (start, stop) = (Event::new(), Arc::new(Event::new()));

    // The last to arrive puts the parts together, before the others go on; and says when it is enough.
    let put_together = {
        let (rod, parts, rounds, stop) = (rod.clone(), parts.clone(), rounds.clone(), stop.clone());
        move || {
            let mut rod = rod.write();
            let new: Vec<f64> = parts.iter().flat_map(|part| std::mem::take(&mut *part.write())).collect();
            let change = rod.iter().zip(&new).map(|(old, new)| (old - new).abs()).fold(0.0, f64::max);
            *rod = new;
            rounds.fetch_add(1, Relaxed);
            if change < 1e-3 {
                stop.set();
            }
        }
    };
    let barrier =
        Barrier::builder(THREADS as u32).timeout(Duration::from_secs(10)).action(put_together).build();

    std::thread::scope(|s| {
        for (me, part) in parts.iter().enumerate() {
            let (rod, barrier, start, stop) = (&rod, &barrier, &start, &stop);
            s.spawn(move || -> Result<(), BrokenBarrier> {
                start.wait();
                // All see the same: the event is set before anybody goes.
                while !stop.is_set() {
                    let cells = me * CELLS / THREADS..(me + 1) * CELLS / THREADS;
                    let new = cells.map(|cell| next(&rod.read(), cell)).collect();
                    *part.write() = new;
                    barrier.wait()?;
                }
                Ok(())
            });
        }
        println!("{THREADS} threads are ready");
        start.set();
        assert!(stop.wait_timeout(Duration::from_secs(30)), "it takes no second");
    });

    let rod = rod.read();
    println!(
        "after {} rounds: {:.1} .. {:.1} .. {:.1}",
        rounds.load(Relaxed),
        rod[0],
        rod[CELLS / 2],
        rod[CELLS - 1]
    );
    assert!(rod.windows(2).all(|pair| pair[0] > pair[1]));

    // One that does not come is found by its deadline, and all know.
    let pair = Barrier::new(2);
    std::thread::scope(|s| {
        let patient = s.spawn(|| pair.wait());
        while pair.n_waiting() == 0 {
            std::thread::yield_now();
        }
        pair.abort();
        println!("the other one: {}", patient.join().unwrap().unwrap_err());
    });
}
