#!/usr/bin/env bash
# Every combination of features builds, as far as what they need can be had; and what feature hwloc reads is compared.
source "$(dirname "$0")/steps.sh"
run cargo check --workspace --all-targets
run cargo check --workspace --all-targets --no-default-features
features=()
if printf '#include <concepts>\nint main() {}\n' | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
    features+=(perf/forkunion cli/forkunion)
else
    printf 'skipped: feature forkunion: no compiler for C++20 (c++, or what CXX names)\n'
fi
# pkg-config is a program; libhwloc-dev is looked for through it.
if package pkg-config pkg-config && { pkg-config --atleast-version=2.0 hwloc || { package_of libhwloc-dev; pkg-config --atleast-version=2.0 hwloc; }; }; then
    features+=(gristmill/hwloc)
    run cargo test -p gristmill --features hwloc --lib topology::hwloc
else
    printf 'skipped: feature hwloc: libhwloc 2 is not there and cannot be installed (libhwloc-dev, pkg-config)\n'
fi
if [ "${#features[@]}" != 0 ]; then
    run cargo check --workspace --all-targets --features "$(IFS=,; echo "${features[*]}")"
fi
