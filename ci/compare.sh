#!/usr/bin/env bash
# The README's other command, on two kernels: it runs, and every engine's answers are right.
source "$(dirname "$0")/steps.sh"
run cargo run --release -- compare --quick --only fib,sum --no-python --html target/compare.html
