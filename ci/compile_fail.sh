#!/usr/bin/env bash
# What must not compile fails for the reason it names. A stable rustdoc ignores the error codes of
# `compile_fail` unless it is told to behave as a nightly one; in a folder of its own, because that rebuilds.
source "$(dirname "$0")/steps.sh"
run env RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/compile_fail cargo test --doc -p gristmill compile_fail
