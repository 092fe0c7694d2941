#!/usr/bin/env bash
# Installs what the virtual board needs: an emulator of a whole machine, and tools that unpack Debian's kernel.
# Does nothing, and needs no network, where they are there.
set -euo pipefail
cd "$(dirname "$0")"
. ../install.sh

if ! grep -qx 'ID=debian' /etc/os-release; then
    echo "the virtual board is made of Debian's arm64 packages: this needs Debian" >&2
    exit 1
fi
PATH=$PATH:/sbin:/usr/sbin
missing=()
command -v qemu-system-aarch64 >/dev/null || missing+=(qemu-system-arm)
command -v cpio >/dev/null || missing+=(cpio)
command -v depmod >/dev/null || missing+=(kmod)
install_packages "${missing[@]}"
# The Arm compiler's set-up makes dpkg know the architecture, whose packages are downloaded and not installed.
if ! dpkg --print-foreign-architectures | grep -qx arm64; then
    become=
    [ "$(id -u)" = 0 ] || become=sudo
    $become dpkg --add-architecture arm64
    $become apt-get update -qq
fi
