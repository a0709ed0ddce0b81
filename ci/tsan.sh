#!/usr/bin/env bash
# Data races, by ThreadSanitizer, with a standard library that was built with it: else every lock in there is a false
# report. What it reports falsely all the same is named in ci/tsan.supp.
source "$(dirname "$0")/steps.sh"
cargo +nightly --version >/dev/null 2>&1 || skipped "there is no nightly toolchain"
source_of_std || skipped "the nightly toolchain has no source of the standard library, and it cannot be had"
# `sanitizer` gives crossbeam's deques the edges that ThreadSanitizer does not see in their fences.
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=thread --cfg sanitizer" CARGO_TARGET_DIR=target/tsan
# A mill that lives as long as the process keeps the handles of its threads: they are no leak.
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.supp die_after_fork=0 report_thread_leaks=0 ${TSAN_OPTIONS:-}"
export GRISTMILL_STRESS_SECONDS="${GRISTMILL_STRESS_SECONDS:-10}" PROPTEST_CASES="${PROPTEST_CASES:-16}"
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
test=(cargo +nightly test -Zbuild-std -p gristmill --target "$(host)")
# What is compared and moved in a sort is the same on one thread.
run "${test[@]}" --lib mill:: -- --skip sort::
run "${test[@]}" --test stress -- --nocapture
# Stacks that overflow, and children that are forked among threads, are beyond it.
run "${test[@]}" --test survive -- --skip depth:: --skip forks:: --skip kernels:: --skip counts::
