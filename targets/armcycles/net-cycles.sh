#!/usr/bin/env bash
# Builds the plugin and the program that runs steps of nets for 64-bit Arm, and estimates cycles of a bundle's net.
# Arguments: those of net_cycles.py; without a bundle, the student of `make bench-student` quantized for the board rk3588, with its bar.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/../.."
files=target/student
bar=7.0

if [[ ${1:-} != *.vit ]]; then
    bundle=$files/litemp-rk3588.vit
    if [ ! -e $files/litemp.onnx ]; then
        echo "no $files/litemp.onnx: \`make bench-student WORKLOADS=litemp\` makes it; or name a bundle" >&2
        exit 1
    fi
    if [ ! -e $bundle ] || [ $files/litemp.onnx -nt $bundle ]; then
        cargo run --release --locked --bin vitrine-quantize -- $files/litemp.onnx --samples $files/samples/litemp \
            --board rk3588 --name litemp --licence "seeded random numbers" --force -o $bundle
    fi
    set -- $bundle --bar $bar "$@"
fi

targets/armcycles/plugin.sh
. targets/cross/toolchain.sh
use_arm_compiler
# The program needs tract: the first build for Arm takes minutes, as `make cross` does.
cargo build --release --locked --target $target $version_check -p vitrine --example arm_steps
exec python3 targets/armcycles/net_cycles.py "$@" --plugin target/armcycles/libblockcount.so \
    --program "$CARGO_TARGET_DIR/$target/release/examples/arm_steps"
