//! Cancelling: a search that stops everywhere once somebody has found something, and one with a deadline.
//!
//! ```sh
//! cargo run --release --example cancel
//! ```

use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gristmill::{CancelToken, Cancelled, checkpoint, join};

/// Scrambles the bits of a number (the finalizer of splitmix64).
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Looks for a number that is scrambled to one with at least `zeros` zero bits at its end.
fn search(numbers: Range<u64>, zeros: u32, found: &OnceLock<u64>, stop: &CancelToken) {
    if numbers.end - numbers.start > 1_000 {
        let middle = numbers.start.midpoint(numbers.end);
        join(
            || search(numbers.start..middle, zeros, found, stop),
            || search(middle..numbers.end, zeros, found, stop),
        );
        return;
    }
    for number in numbers {
        if scramble(number).trailing_zeros() >= zeros {
            let _ = found.set(number); // whoever comes first
            stop.cancel();
        }
        checkpoint(); // unwinds to `run` below once the work is cancelled
    }
}

fn main() {
    let (found, token) = (OnceLock::new(), CancelToken::new());
    let result = token.run(|| search(1..1 << 40, 18, &found, &token));
    let number = *found.get().expect("a cancelled search has found something");
    println!("{number} is scrambled to {:#018x}; the rest of the search: {result:?}", scramble(number));
    assert_eq!(result, Err(Cancelled));
    assert!(scramble(number).trailing_zeros() >= 18);

    // No number has so many bits: only the deadline ends this search.
    let (begun, limit) = (Instant::now(), Duration::from_millis(100));
    let token = CancelToken::new().with_deadline(begun + limit);
    let result = token.run(|| search(1..1 << 40, 65, &OnceLock::new(), &token));
    println!("given {limit:?}, stopped after {:.0?}: {result:?}", begun.elapsed());
    assert_eq!(result, Err(Cancelled));
}
