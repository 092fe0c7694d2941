#!/usr/bin/env bash
# Installs what the scripts beside it need: a linker, an emulator and a standard library for 64-bit Arm.
# Does nothing, and needs no network, where they are there.
set -euo pipefail
cd "$(dirname "$0")"
. ../install.sh
. ./toolchain.sh

missing=()
command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu)
[ -e /usr/aarch64-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-arm64-cross)
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)

if [ -z "$(arm_compiler)" ] && command -v rustup >/dev/null; then
    timeout 300 rustup target add $target || echo "rustup cannot get $target"
fi
if [ -z "$(arm_compiler)" ]; then
    # Only Debian serves every architecture from one archive; Ubuntu's Arm packages live elsewhere.
    if ! grep -qx 'ID=debian' /etc/os-release; then
        echo "no standard library for $target: run \`rustup target add $target\`, then try again" >&2
        exit 1
    fi
    if ! dpkg --print-foreign-architectures | grep -qx arm64; then
        if [ "$(id -u)" = 0 ]; then
            dpkg --add-architecture arm64
        elif sudo -n true 2>/dev/null; then
            sudo dpkg --add-architecture arm64
        else
            echo "the arm64 architecture is unknown to dpkg. Run this, then try again:" >&2
            echo "    sudo dpkg --add-architecture arm64" >&2
            exit 1
        fi
    fi
    missing+=(rustc-web libstd-rust-web-dev:arm64)
fi
install_packages "${missing[@]}"

if [ -z "$(arm_compiler)" ]; then
    echo "still no standard library for $target" >&2
    exit 1
fi
echo "Arm: compiler from $(arm_compiler), $(qemu-aarch64 --version | head -1)"
