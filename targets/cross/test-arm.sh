#!/usr/bin/env bash
# Builds the tests for 64-bit Arm and runs them under emulated cores: `test-arm.sh [CORE ...]`.
# The cores: one with NEON only, one with dot product and fp16, one with everything.
set -euo pipefail
cd "$(dirname "$0")/../.."
. targets/cross/toolchain.sh
use_arm_compiler

[ $# -gt 0 ] || set -- cortex-a72 cortex-a76 max
tests=(cargo test --release --locked --target $target $version_check --lib --tests)
# The crates that do not need tract: building it for Arm takes minutes (`make cross` does).
tests+=(-p kernels -p targets)

"${tests[@]}" --no-run
failed=0
summary=()
for core in "$@"; do
    log=$(mktemp)
    QEMU_CPU=$core "${tests[@]}" >"$log" 2>&1 || failed=1
    passed=$(awk '/^test result:/ { sum += $4 } END { print sum + 0 }' "$log")
    broken=$(awk '/^test result:/ { sum += $6 } END { print sum + 0 }' "$log")
    if [ "$broken" != 0 ] || ! grep -q '^test result:' "$log" || grep -q '^error' "$log"; then
        cat "$log"
        failed=1
    fi
    rm -f "$log"
    summary+=("$core: $passed passed, $broken failed")
done
printf '%s\n' "${summary[@]}"
exit $failed
