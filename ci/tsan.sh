#!/usr/bin/env bash
# Data races, by ThreadSanitizer. What it reports falsely is named in ci/tsan.supp.
source "$(dirname "$0")/steps.sh"
cargo +nightly --version >/dev/null 2>&1 || skipped "there is no nightly toolchain"
host="$(rustc -vV | awk '$1 == "host:" { print $2 }')"
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
export CARGO_TARGET_DIR=target/tsan
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.supp die_after_fork=0 ${TSAN_OPTIONS:-}"
export GRISTMILL_STRESS_SECONDS="${GRISTMILL_STRESS_SECONDS:-20}"
test=(cargo +nightly test -p gristmill --target "$host")
run "${test[@]}" --lib mill::
run "${test[@]}" --test stress -- --nocapture
# Stacks that overflow, and children that are forked among threads, are beyond it.
run "${test[@]}" --test survive -- --skip depth:: --skip forks::
