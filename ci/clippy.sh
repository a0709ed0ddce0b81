#!/usr/bin/env bash
# No warnings. With the `rust-version` of Cargo.toml, clippy also finds what a compiler of that age lacks
# (`incompatible_msrv`), so no second toolchain is fetched for that.
source "$(dirname "$0")/steps.sh"
component clippy clippy
run cargo clippy --workspace --all-targets -- -D warnings
