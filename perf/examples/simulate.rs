//! `cargo run --release -p perf --example simulate [SEED] [LEAVES]`: see [`perf::simulate`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|text| text.parse()).collect();
    let (seed, leaves) = match numbers.as_deref() {
        Ok([]) => (1, 256),
        Ok([seed]) => (*seed, 256),
        Ok([seed, leaves @ 1..=100_000]) => (*seed, *leaves as usize),
        _ => {
            eprintln!("usage: simulate [SEED] [LEAVES], a number and the leaves for each core (1 to 100000)");
            return ExitCode::from(2);
        }
    };
    match perf::simulate::report(seed, leaves, &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
