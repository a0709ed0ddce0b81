#!/usr/bin/env bash
# Every combination of features builds.
source "$(dirname "$0")/steps.sh"
run cargo check --workspace --all-targets
run cargo check --workspace --all-targets --no-default-features
if ! printf '#include <concepts>\nint main() {}\n' | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
    skipped "feature forkunion: no compiler for C++20 (c++, or what CXX names)"
fi
run cargo check --workspace --all-targets --all-features
