#!/usr/bin/env bash
# Every example runs to its end.
source "$(dirname "$0")/steps.sh"
run cargo build -p gristmill --examples
for example in examples/*.rs; do
    name="$(basename "$example" .rs)"
    run timeout --kill-after=5 60 cargo run -q -p gristmill --example "$name" </dev/null
done
