#!/usr/bin/env bash
# Every criterion benchmark runs, once: what it measures is for `cargo bench` on a quiet machine.
source "$(dirname "$0")/steps.sh"
run cargo bench -p gristmill --bench join --bench spawn --bench wake --bench loops -- --test
