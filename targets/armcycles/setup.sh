#!/usr/bin/env bash
# Installs what the estimator needs: an emulator with plugins, LLVM's models of the cores, a C compiler, Python.
# Does nothing, and needs no network, where they are there.
set -euo pipefail
cd "$(dirname "$0")"
. ../install.sh

# The first LLVM whose models of the cores were compared with the cores' documented peaks (peak.py).
oldest_llvm=22

has_llvm() {
    local tool
    for tool in /usr/bin/llvm-mca-[0-9]* /usr/lib/llvm-[0-9]*/bin/llvm-mca; do
        [ -x "$tool" ] && [ "$(sed -E 's/.*llvm-(mca-)?([0-9]+).*/\2/' <<<"$tool")" -ge $oldest_llvm ] && return 0
    done
    return 1
}

# The newest package of apt's lists that is new enough, else the oldest that would do (apt then says what is wrong).
llvm_package() {
    local newest
    newest=$(apt-cache search --names-only '^llvm-[0-9]+$' 2>/dev/null | sed -E 's/^llvm-([0-9]+) .*/\1/' | sort -n | tail -1)
    echo "llvm-$((${newest:-0} >= oldest_llvm ? newest : oldest_llvm))"
}

missing=()
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
command -v python3 >/dev/null || missing+=(python3)
if ! has_llvm; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq; fi
    missing+=("$(llvm_package)")
fi
install_packages "${missing[@]}"

if ! has_llvm; then
    echo "no LLVM of version $oldest_llvm or newer (llvm-mca-$oldest_llvm): install one, then try again" >&2
    exit 1
fi
if ! python3 -c 'import tomllib' 2>/dev/null; then
    echo "python3 is older than 3.11, which reads benches/shapes.toml: install a newer one, then try again" >&2
    exit 1
fi
