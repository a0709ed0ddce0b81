//! A scope: any number of jobs over borrowed data, all over before it returns. No `Arc`, no clones.
//!
//! ```sh
//! cargo run --release --example scope
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

/// Marks the multiples of each of `primes` in one window of numbers that begins at `start`.
fn strike(window: &mut [bool], start: usize, primes: &[usize]) {
    for &prime in primes {
        let first = start.next_multiple_of(prime).max(prime * prime);
        for number in (first..start + window.len()).step_by(prime) {
            window[number - start] = true;
        }
    }
}

fn main() {
    const LIMIT: usize = 1_000_000;
    const WINDOW: usize = 1 << 16;

    let primes: Vec<usize> = (2..=1_000).filter(|&n| (2..n).all(|d| n % d != 0)).collect();
    let mut struck = vec![false; LIMIT];
    struck[..2].fill(true);

    let (primes, windows) = (&primes, AtomicUsize::new(0));
    gristmill::scope(|s| {
        for (number, window) in struck.chunks_mut(WINDOW).enumerate() {
            let windows = &windows;
            s.spawn(move |_| {
                strike(window, number * WINDOW, primes);
                windows.fetch_add(1, Ordering::Relaxed);
            });
        }
    });

    let count = struck.iter().filter(|&&struck| !struck).count();
    println!("{count} primes below {LIMIT}, found in {} windows", windows.into_inner());
    assert_eq!(count, 78_498);
}
