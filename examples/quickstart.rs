//! Fork and join, and loops: the shortest way to more than one core.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = gristmill::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn main() {
    // Fork and join, at every branch.
    let answer = fib(25);
    println!("fib(25) = {answer}, on {} workers", gristmill::Mill::global().workers());
    assert_eq!(answer, 75_025);

    // Loops, over ranges and slices. Nobody chooses how finely they are cut.
    let roots = gristmill::par_map(0..1_000_000_u32, |n| f64::from(n).sqrt());
    let whole =
        gristmill::par_reduce(&roots, || 0, |n, root| n + u32::from(root.fract() == 0.0), |a, b| a + b);
    println!("{whole} of the numbers below {} are squares", roots.len());
    assert_eq!(whole, 1_000);

    let mut totals = gristmill::par_scan(0..1_000_u64, || 0, |sum, n| sum + n, |a, b| a + b);
    println!("0 + 1 + ... + 999 = {}", totals[999]);
    gristmill::par_for(&mut totals, |total| *total *= 2);
    assert_eq!(totals[999], 999_000);
}
