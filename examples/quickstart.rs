//! Fork and join: a recursion that splits at every branch, and costs next to nothing where nobody is idle.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```

/// The sum of `numbers`, halved until a piece is not worth splitting.
fn sum(numbers: &[u64]) -> u64 {
    if numbers.len() <= 4_096 {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = gristmill::join(|| sum(left), || sum(right));
    left + right
}

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = gristmill::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn main() {
    let numbers: Vec<u64> = (1..=1_000_000).collect();
    let total = sum(&numbers);
    println!("1 + 2 + ... + 1,000,000 = {total}");
    assert_eq!(total, 500_000_500_000);

    let answer = fib(25);
    println!("fib(25) = {answer}, on {} workers", gristmill::Mill::global().workers());
    assert_eq!(answer, 75_025);
}
