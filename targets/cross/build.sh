#!/usr/bin/env bash
# Builds the `vitrine` program for 64-bit Arm, static: one file that runs on any board.
set -euo pipefail
cd "$(dirname "$0")/../.."
. targets/cross/toolchain.sh
use_arm_compiler
cargo build --release --locked --target $target $version_check -p vitrine
echo "built $CARGO_TARGET_DIR/$target/release/vitrine"
