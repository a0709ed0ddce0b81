#!/usr/bin/env bash
# The code is formatted.
source "$(dirname "$0")/steps.sh"
component rustfmt fmt
run cargo fmt --all --check
