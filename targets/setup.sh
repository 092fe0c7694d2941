#!/usr/bin/env bash
# Installs what `make demo` needs beside Rust: a C compiler (tract assembles its x86 and Arm kernels), libclang (the
# camera's interface is read from the kernel's headers) and npm (the models and sample photos come as npm packages).
# Arguments: programs that are needed too, by the names of their packages. Needs no network when they are there.
set -euo pipefail
cd "$(dirname "$0")"
. ./install.sh

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust with rustup first" >&2
    exit 1
fi
# Where the crate clang-sys looks.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*-linux-gnu/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null
}

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
has_libclang || missing+=(libclang-dev)
[ -e /usr/include/linux/videodev2.h ] || missing+=(linux-libc-dev)
command -v npm >/dev/null || missing+=(npm)
PATH=$PATH:/usr/sbin:/sbin
for package in "$@"; do
    program=$package
    [ "$package" != iproute2 ] || program=ip
    command -v "$program" >/dev/null || missing+=("$package")
done
install_packages "${missing[@]}"
