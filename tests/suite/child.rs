//! Tests that end their process, or fork it, run in a child: this binary again, with one test.

use std::process::{Command, Output};

const MARK: &str = "GRISTMILL_TEST_CHILD";

/// Is this the child?
pub(crate) fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the test with this full name in a child and returns what came of it.
pub(crate) fn run(test: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}
