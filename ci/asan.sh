#!/usr/bin/env bash
# Memory that is used after it was freed, or leaks, by AddressSanitizer and LeakSanitizer. What leaks on purpose is named
# in ci/asan.supp. GRISTMILL_LONG=1 adds what takes minutes.
source "$(dirname "$0")/steps.sh"
cargo +nightly --version >/dev/null 2>&1 || skipped "there is no nightly toolchain"
sanitized target/asan
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
export LSAN_OPTIONS="suppressions=$PWD/ci/asan.supp print_suppressions=0 ${LSAN_OPTIONS:-}"
test=(cargo +nightly test -p gristmill --target "$(host)")
# Its frames lie beside the stack, and those of many levels do not fit; it has a message of its own for stacks that
# overflow; and a child that is forked among threads may wait for a lock of its allocator.
skips=(--skip depth:: --skip small_stack --skip tasks_nest_as_deep --skip a_chain_of_waits --skip stack::tests --skip forks::)
[ -n "${GRISTMILL_LONG:-}" ] || skips+=(--skip kernels:: --skip counts::)
run "${test[@]}" --test stress -- --nocapture
run "${test[@]}" --lib --test survive --test queues --test futures -- "${skips[@]}"
