#!/usr/bin/env bash
# The README's command: unit tests, integration tests and doctests of every crate here.
source "$(dirname "$0")/steps.sh"
run cargo test
