# Sourced by the scripts beside it: finds a compiler that builds for 64-bit Arm.
#
# Two ways lead there. Where rustup has the target, the project's own toolchain builds. Else Debian's
# rustc does, with Debian's Arm standard library, driven by the project's cargo.

target=aarch64-unknown-linux-gnu

has_standard_library() {
    local libraries
    libraries=$("$1" --print target-libdir --target $target 2>/dev/null) || return 1
    compgen -G "$libraries/libstd-*.rlib" >/dev/null
}

# Prints whose rustc compiles for Arm: the `project`'s, `debian`'s, or nothing.
arm_compiler() {
    if has_standard_library rustc; then
        echo project
    elif [ -x /usr/bin/rustc ] && has_standard_library /usr/bin/rustc; then
        echo debian
    fi
}

# Sets the environment that cargo needs.
use_arm_compiler() {
    case $(arm_compiler) in
        project) ;;
        debian)
            export RUSTC=/usr/bin/rustc
            # Debian's version is not the one that rust-toolchain.toml names.
            version_check=--ignore-rust-version
            ;;
        *)
            echo "no compiler for $target: run targets/cross/setup.sh" >&2
            return 1
            ;;
    esac
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64
    # A static program needs no Arm libraries on this machine, and none of the right version on a board.
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static"
    export CARGO_TARGET_DIR=${ARM_TARGET_DIR:-target/arm}
}

version_check=
