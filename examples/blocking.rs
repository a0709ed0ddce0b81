//! Jobs that block: while they do, others work in their place.
//!
//! ```sh
//! cargo run --release --example blocking
//! ```

use std::thread::sleep;
use std::time::{Duration, Instant};

use gristmill::Mill;

/// Stands for a request to some server.
fn fetch(page: usize) -> usize {
    sleep(Duration::from_millis(20));
    page * page
}

fn main() -> Result<(), gristmill::BuildError> {
    let mill = Mill::builder().workers(2).name("fetch").build()?;
    let mut sizes = [0; 32];
    let begun = Instant::now();
    mill.install(|| {
        gristmill::scope(|s| {
            for (page, size) in sizes.iter_mut().enumerate() {
                // Without `blocking` two would sleep at a time, 16 times over: 320 ms.
                s.spawn(move |_| *size = gristmill::blocking(|| fetch(page)));
            }
        });
    });
    let total: usize = sizes.iter().sum();
    println!("32 pages of 20 ms each on {} workers: {:.0?}", mill.workers(), begun.elapsed());
    println!("their sizes add up to {total}");
    assert_eq!(total, 10_416);
    Ok(())
}
