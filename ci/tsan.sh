#!/usr/bin/env bash
# Data races, by ThreadSanitizer, with a standard library that was built with it: else every lock in there is a false
# report. What it reports falsely all the same is named in ci/tsan.supp. GRISTMILL_LONG=1 adds what takes minutes.
source "$(dirname "$0")/steps.sh"
cargo +nightly --version >/dev/null 2>&1 || skipped "there is no nightly toolchain"
source_of_std || skipped "the nightly toolchain has no source of the standard library, and it cannot be had"
sanitized target/tsan
# `sanitizer` gives crossbeam's deques the edges that ThreadSanitizer does not see in their fences.
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=thread --cfg sanitizer"
# A mill that lives as long as the process keeps the handles of its threads: they are no leak.
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.supp die_after_fork=0 report_thread_leaks=0 atexit_sleep_ms=0 ${TSAN_OPTIONS:-}"
test=(cargo +nightly test -Zbuild-std -p gristmill --target "$(host)")
# Stacks that overflow, and children that are forked among a mill's threads, are beyond it; and it makes small stacks larger.
skips=(--skip depth:: --skip small_stack)
# What is compared and moved in a sort is the same on one thread.
[ -n "${GRISTMILL_LONG:-}" ] || skips+=(--skip sort:: --skip kernels:: --skip counts::)
run "${test[@]}" --test stress -- --nocapture
run "${test[@]}" --lib --test queues --test futures --test threads -- "${skips[@]}"
run "${test[@]}" --test survive -- "${skips[@]}" --skip forks::
