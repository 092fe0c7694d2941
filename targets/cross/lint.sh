#!/usr/bin/env bash
# Lints the code that only an Arm compiler sees: with clippy where rustup has the target, else with the
# compiler's own warnings (Debian has no clippy for Arm).
set -euo pipefail
cd "$(dirname "$0")/../.."
. targets/cross/toolchain.sh
use_arm_compiler
case $(arm_compiler) in
    project)
        cargo clippy --release --locked --target $target --workspace --all-targets -- -D warnings
        ;;
    debian)
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS+=" -D warnings"
        # Other flags, other fingerprints: kept apart from the builds that run.
        export CARGO_TARGET_DIR=${CARGO_TARGET_DIR}-lint
        cargo check --locked --target $target $version_check -p kernels -p targets --all-targets
        ;;
esac
