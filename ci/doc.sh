#!/usr/bin/env bash
# The documentation builds, that of private items too, and its links lead somewhere.
source "$(dirname "$0")/steps.sh"
export RUSTDOCFLAGS="-D warnings"
run cargo doc -p gristmill --no-deps --document-private-items
run cargo doc --workspace --no-deps
