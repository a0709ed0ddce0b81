#!/usr/bin/env bash
# Memory that is used after it was freed, or leaks, by AddressSanitizer and LeakSanitizer.
source "$(dirname "$0")/steps.sh"
cargo +nightly --version >/dev/null 2>&1 || skipped "there is no nightly toolchain"
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address" CARGO_TARGET_DIR=target/asan
export GRISTMILL_STRESS_SECONDS="${GRISTMILL_STRESS_SECONDS:-10}" PROPTEST_CASES="${PROPTEST_CASES:-16}"
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
test=(cargo +nightly test -p gristmill --target "$(host)")
run "${test[@]}" --lib mill::
run "${test[@]}" --test stress -- --nocapture
# It has a message of its own for stacks that overflow, and frames so large that those of many levels do not fit.
run "${test[@]}" --test survive -- --skip depth:: --skip kernels:: --skip counts::
