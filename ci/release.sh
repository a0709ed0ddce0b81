#!/usr/bin/env bash
# The library's tests once more, optimized: races have another timing there.
source "$(dirname "$0")/steps.sh"
run cargo test -p gristmill --release --lib --tests
