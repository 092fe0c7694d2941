#!/usr/bin/env bash
# Builds the plugin and the bench program for 64-bit Arm and estimates cycles per shape and core.
# The arguments are those of arm_cycles.py.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/../.."
targets/armcycles/plugin.sh
. targets/cross/toolchain.sh
use_arm_compiler
cargo build --release --locked --target $target $version_check -p kernels --example arm_cycles
exec python3 targets/armcycles/arm_cycles.py --plugin target/armcycles/libblockcount.so \
    --program "$CARGO_TARGET_DIR/$target/release/examples/arm_cycles" "$@"
