#!/usr/bin/env bash
# Instruction counts under callgrind, against the ceilings in benches/counts.rs.
source "$(dirname "$0")/steps.sh"
[ -e benches/counts.rs ] || skipped "there is no benches/counts.rs"
version="$(awk '$1 == "name" { name = $3 } $1 == "version" && name == "\"iai-callgrind\"" { gsub(/"/, "", $3); print $3 }' Cargo.lock)"
[ -n "$version" ] || skipped "Cargo.lock has no iai-callgrind"
package valgrind valgrind || skipped "valgrind is not there and cannot be installed"
# The runner must have the version of the library.
if ! cargo install --list | grep -q "^iai-callgrind-runner v$version:"; then
    run cargo install iai-callgrind-runner --version "$version" --locked \
        || skipped "iai-callgrind-runner $version cannot be installed"
fi
PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" run cargo bench -p gristmill --bench counts
