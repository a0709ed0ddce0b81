# shellcheck shell=bash
# Sourced by the other scripts: stop at the first error, stand at the root of the checkout, say what runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

# Prints a command and runs it.
run() {
    printf '+ %s\n' "$*"
    "$@"
}

# Ends the script: there is nothing to do here, and that is no failure.
skipped() {
    printf 'skipped: %s\n' "$*"
    exit 0
}

# Makes sure of a part of the Rust toolchain: component COMPONENT SUBCOMMAND.
component() {
    cargo "$2" --version >/dev/null 2>&1 || run rustup component add "$1"
}

# The target that rustc builds for.
host() {
    rustc -vV | awk '$1 == "host:" { print $2 }'
}

# Makes sure of the nightly standard library's source; false if it is not there and cannot be had.
source_of_std() {
    local there
    there="$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library/Cargo.toml"
    [ -e "$there" ] || run rustup component add rust-src --toolchain nightly || return
    [ -e "$there" ]
}

# What both sanitizers build with, and how long they test: sanitized FOLDER.
sanitized() {
    export CARGO_TARGET_DIR="$1" CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only
    export GRISTMILL_STRESS_SECONDS="${GRISTMILL_STRESS_SECONDS:-10}" PROPTEST_CASES="${PROPTEST_CASES:-16}"
}

# Installs a package by apt, if that can be done without being asked anything: package_of PACKAGE.
package_of() {
    command -v apt-get >/dev/null || return
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return
        sudo=(sudo)
    fi
    run "${sudo[@]}" apt-get update -qq || true
    run "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"
}

# Makes sure of a program: package PROGRAM PACKAGE. False if it is not there and cannot be installed.
package() {
    command -v "$1" >/dev/null && return
    package_of "$2" && command -v "$1" >/dev/null
}
