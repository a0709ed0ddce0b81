#!/usr/bin/env bash
# Instruction counts under callgrind, against the ceilings in benches/counts.rs; and instructions per join, which
# are to be 45 at most.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || { echo "skipped: there is no valgrind"; exit 0; }
version="$(awk '$1 == "name" { name = $3 } $1 == "version" && name == "\"iai-callgrind\"" { gsub(/"/, "", $3); print $3 }' Cargo.lock)"
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
# The runner must have the version of the library.
if ! cargo install --list | grep -q "^iai-callgrind-runner v$version:"; then
    cargo install iai-callgrind-runner --version "$version" --locked
fi
counts="$(IAI_CALLGRIND_COLOR=never cargo bench -p gristmill --bench counts | tee /dev/stderr)"
# fib(n) makes fib(n + 1) - 1 joins: 75,024 for 24, 10,945 for 20.
awk '/join_20/ { name = 20 } /join_24/ { name = 24 } /scope_spawn|par_|install/ { name = 0 }
    /Instructions:/ { split($2, now, "|"); count[name] = now[1] }
    END {
        if (!count[20] || !count[24]) { print "no counts found"; exit 1 }
        join = (count[24] - count[20]) / 64079
        printf "instructions per join: %.1f (at most 45)\n", join
        exit join > 45
    }' <<<"$counts"
