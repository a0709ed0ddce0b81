#!/usr/bin/env bash
# Instruction counts under callgrind, against the ceilings in benches/counts.rs; and instructions per join.
source "$(dirname "$0")/steps.sh"
version="$(awk '$1 == "name" { name = $3 } $1 == "version" && name == "\"iai-callgrind\"" { gsub(/"/, "", $3); print $3 }' Cargo.lock)"
package valgrind valgrind || skipped "valgrind is not there and cannot be installed"
# The runner must have the version of the library.
if ! cargo install --list | grep -q "^iai-callgrind-runner v$version:"; then
    run cargo install iai-callgrind-runner --version "$version" --locked \
        || skipped "iai-callgrind-runner $version cannot be installed"
fi
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" IAI_CALLGRIND_COLOR=never
counts="$(run cargo bench -p gristmill --bench counts | tee /dev/stderr)"
# fib(n) makes fib(n + 1) - 1 joins: 75,024 for 24, 10,945 for 20.
awk '/^counts/ { name = $1 } /Instructions:/ { split($2, now, "|"); count[name] = now[1] }
    END {
        few = count["counts::counts::join_20"]; many = count["counts::counts::join_24"]
        if (!few || !many) { print "no counts were found"; exit 1 }
        printf "instructions per join: %.1f (at most 45)\n", (many - few) / 64079
        exit (many - few) / 64079 > 45
    }' <<<"$counts"
