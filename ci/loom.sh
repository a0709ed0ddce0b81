#!/usr/bin/env bash
# The models: every interleaving, up to the number of preemptions that each names, as far as the time for each goes.
source "$(dirname "$0")/steps.sh"
export LOOM_MAX_DURATION="${LOOM_MAX_DURATION:-3}"
if ! grep -rqE '^\s*mod models;|^\s*mod models \{' src; then
    skipped "there are no models"
fi
# As in release.sh.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
run env RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" CARGO_TARGET_DIR=target/loom \
    cargo test -p gristmill --lib --release models
