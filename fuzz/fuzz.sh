#!/usr/bin/env bash
# Builds the fuzz targets and runs each: `fuzz.sh [TARGET ...]`, by default all. RUNS says how many inputs each takes, by default 10^6.
# New inputs are kept in target/fuzz/<target>, findings in target/fuzz/crash-…; MERGE=1 instead adds those of the kept inputs to the
# corpus in git that reach what nothing there reaches.
set -euo pipefail
cd "$(dirname "$0")"
RUNS=${RUNS:-1000000}
[ $# -gt 0 ] || set -- bundle graph program
if ! command -v c++ >/dev/null; then
    echo "no C++ compiler, which libFuzzer is written for: install g++, then try again" >&2
    exit 1
fi
export CARGO_TARGET_DIR=$PWD/target
# Coverage of the crates that read what a bundle holds; others would be slower and say nothing.
export RUSTC_WRAPPER=$PWD/instrument.sh
cargo build --release --locked
for target in "$@"; do
    found=../target/fuzz/$target
    mkdir -p "$found"
    fuzz() {
        "$CARGO_TARGET_DIR/release/$target" -rss_limit_mb=2048 -max_len=20000 -artifact_prefix=../target/fuzz/ "$@"
    }
    if [ -n "${MERGE:-}" ]; then
        fuzz -merge=1 "corpus/$target" "$found"
    else
        fuzz -runs="$RUNS" -print_final_stats=1 "$found" "corpus/$target"
    fi
done
