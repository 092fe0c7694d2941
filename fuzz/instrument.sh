#!/usr/bin/env bash
# The compiler, which adds libFuzzer's counters to the project's crates and to the readers of TOML and ZIP.
# `cargo fuzz` wants a nightly compiler for what this does with any.
compiler=$1
shift
name=
for ((index = 1; index < $#; index++)); do
    following=$((index + 1))
    [ "${!index}" = --crate-name ] && name=${!following}
done
case $name in
    vitrine | kernels | bundle | graph | program | toml | toml_parser | winnow | zip)
        set -- "$@" -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
            -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
            -C llvm-args=-sanitizer-coverage-trace-compares
        ;;
esac
exec "$compiler" "$@"
