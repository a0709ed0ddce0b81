//! Pools that a file describes, and the environment changes.
//!
//! ```sh
//! cargo run --release --example config
//! GRISTMILL_POOL_COMPUTE_WORKERS=1 cargo run --release --example config
//! GRISTMILL_CONFIG=my.toml cargo run --release --example config
//! ```

use std::error::Error;

use gristmill::config::{Bind, Pin};
use gristmill::locality::Plan;
use gristmill::{Config, par_reduce};

fn main() -> Result<(), Box<dyn Error>> {
    // What the program says counts least: less than the file, and that less than the environment.
    let mut builder = Config::builder().pool("compute", |pool| pool.pin(Pin::Node).bind(Bind::Close));
    if std::env::var_os("GRISTMILL_CONFIG").is_none() {
        builder = builder.file(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/gristmill.toml"));
    }
    let config = builder.load()?;
    let file = config.file().and_then(|file| file.file_name()).unwrap_or_default();
    println!("read {}", file.to_string_lossy());

    for pool in config.pools() {
        let (plan, _) = Plan::detect(&pool)?;
        println!("{}: {plan}", pool.name());
    }

    let compute = config.pool("compute")?.build()?;
    let sum = compute.install(|| par_reduce(0..1_000_000_u64, || 0, |sum, n| sum + n, |a, b| a + b));
    println!("{} workers of `{}` summed up {sum}", compute.workers(), compute.name());
    assert_eq!(sum, 499_999_500_000);

    // A slip is told, with the nearest key that there is.
    let error = Config::builder().text("[pool.compute]\npinn = \"core\"").load().unwrap_err();
    println!("{error}");
    Ok(())
}
