#!/usr/bin/env bash
# Builds the emulator's plugin, target/armcycles/libblockcount.so, where it is missing or old.
set -euo pipefail
cd "$(dirname "$0")/../.."
plugin=target/armcycles/libblockcount.so
if [ targets/armcycles/blockcount.c -nt $plugin ]; then
    mkdir -p target/armcycles
    gcc -O2 -shared -fPIC -o $plugin targets/armcycles/blockcount.c
fi
