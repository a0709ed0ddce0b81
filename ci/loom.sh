#!/usr/bin/env bash
# The models: every interleaving, up to a number of preemptions.
source "$(dirname "$0")/steps.sh"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"
if ! grep -rqE '^\s*mod models;|^\s*mod models \{' src; then
    skipped "there are no models"
fi
run env RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" CARGO_TARGET_DIR=target/loom \
    cargo test -p gristmill --lib --release models
