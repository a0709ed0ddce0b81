#!/usr/bin/env bash
# The library's tests once more, optimized: races have another timing there.
source "$(dirname "$0")/steps.sh"
# Not the profile that is published, which takes minutes to build.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
run cargo test -p gristmill --release --lib --tests
