#!/usr/bin/env bash
# tests/numa.rs as the only program of a virtual machine with 8 CPUs on 4 NUMA nodes at unequal distances.
source "$(dirname "$0")/steps.sh"
work="${CARGO_TARGET_DIR:-target}/numa" && mkdir -p "$work/root" && work="$(cd "$work" && pwd)"
[ "$(uname -m)" = x86_64 ] || skipped "the virtual machine is an x86-64"
package qemu-system-x86_64 qemu-system-x86 || skipped "QEMU is not there and cannot be installed"
package cpio cpio || skipped "cpio is not there and cannot be installed"
# Debian's kernel for virtual machines, unpacked and not installed; GRISTMILL_KERNEL names another.
kernel="${GRISTMILL_KERNEL:-$(find "$work" -name 'vmlinuz-*' -print -quit)}"
if [ -z "$kernel" ]; then
    name="$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }')" || true
    [ -n "$name" ] || skipped "apt knows no linux-image-cloud-amd64"
    (cd "$work" && run apt-get download -q "$name") || skipped "the kernel $name cannot be had"
    run dpkg -x "$work"/"$name"_*.deb "$work/kernel"
    kernel="$(find "$work/kernel" -name 'vmlinuz-*' -print -quit)"
fi
# Only the last step is linked with what it needs, so that all else is what ci/release.sh has built.
binary="$(cargo rustc --release -p gristmill --test numa --message-format=json-render-diagnostics -- \
    -C target-feature=+crt-static | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)"
cp "$binary" "$work/root/init" && strip "$work/root/init" 2>/dev/null || true
(cd "$work/root" && echo init | cpio --quiet -o -H newc | gzip -1) >"$work/initramfs"

boot() {
    local seconds="$1" nodes=(); shift
    local distances=(10 16 22 28  16 10 28 22  22 28 10 16  28 22 16 10)
    for a in 0 1 2 3; do
        nodes+=(-object "memory-backend-ram,id=m$a,size=320M" -numa "node,nodeid=$a,cpus=$((2 * a))-$((2 * a + 1)),memdev=m$a")
    done
    for a in {0..15}; do
        nodes+=(-numa "dist,src=$((a / 4)),dst=$((a % 4)),val=${distances[a]}")
    done
    run timeout --kill-after=5 "$seconds" qemu-system-x86_64 "$@" -smp 8,sockets=4,cores=2 -m 1280 "${nodes[@]}" \
        -kernel "$kernel" -initrd "$work/initramfs" -append "console=ttyS0 quiet panic=-1 numa_balancing=disable" \
        -nodefaults -display none -serial stdio -no-reboot </dev/null 2>&1 | tr -d '\r' | tee "$work/log" || true
}
booted=
if [ -w /dev/kvm ] && boot 90 -accel kvm -cpu host && grep -q '^numa: ' "$work/log"; then booted=1; fi
passed() { grep -qE '^[1-9][0-9]* passed, 0 failed$' "$work/log"; }
[ -n "$booted" ] || boot 270 -accel tcg,thread=multi -cpu max
# Its 8 processors share those of this machine, which may have kept one away for long: then a neighbour that seems to have
# nothing is not robbed, and others further away are. A second look decides.
passed || { boot 270 -accel tcg,thread=multi -cpu max && passed; }
