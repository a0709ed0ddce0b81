#!/usr/bin/env bash
# Memory that is used after it was freed, or leaks, by AddressSanitizer and LeakSanitizer. GRISTMILL_LONG=1 adds what
# takes minutes.
source "$(dirname "$0")/steps.sh"
cargo +nightly --version >/dev/null 2>&1 || skipped "there is no nightly toolchain"
sanitized target/asan
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
test=(cargo +nightly test -p gristmill --target "$(host)")
# It has a message of its own for stacks that overflow, and frames so large that those of many levels do not fit.
skips=(--skip depth::)
[ -n "${GRISTMILL_LONG:-}" ] || skips+=(--skip kernels:: --skip counts::)
run "${test[@]}" --test stress -- --nocapture
run "${test[@]}" --lib --test survive --test queues --test threads -- "${skips[@]}"
