#!/usr/bin/env bash
# Takes a program for 64-bit Arm through every fault of a camera, in the virtual board.
#
# usage: test-vm.sh [--program FILE] [vivid|webcam|screen|dressed ...] [-- ARGUMENTS]
#
# Without --program: `vitrine`, built by targets/cross/build.sh where it is not there yet. ARGUMENTS are the program's;
# without them those of the mirror. SCENARIOS="freezes truncates" runs only these; `starts` must come before those that do not start
# the program. SHOW_LOG=1 prints what the program printed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. targets/cross/toolchain.sh
use_arm_compiler

program=$CARGO_TARGET_DIR/$target/release/vitrine
arguments=(mirror --camera auto --verbose)
cameras=()
while (($#)); do
    case $1 in
        --program) program=$2; shift ;;
        --) shift; arguments=("$@"); break ;;
        vivid | webcam | screen | dressed) cameras+=("$1") ;;
        *) echo "usage: $0 [--program FILE] [vivid|webcam|screen|dressed ...] [-- ARGUMENTS]" >&2; exit 2 ;;
    esac
    shift
done
((${#cameras[@]})) || cameras=(vivid webcam screen dressed)

[ -e "$program" ] || targets/cross/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Under one name in the machine, whatever it is called here.
cp "$program" "$work/mirror"

webcam=$CARGO_TARGET_DIR/webcam
if [ targets/vm/webcam.rs -nt "$webcam" ]; then
    mkdir -p "$CARGO_TARGET_DIR"
    "${RUSTC:-rustc}" --edition 2021 -O --target $target -C linker=aarch64-linux-gnu-gcc \
        -C target-feature=+crt-static -o "$webcam" targets/vm/webcam.rs
fi

failed=0
for camera in "${cameras[@]}"; do
    options=(--timeout "${TIMEOUT:-900}" --mem 1024 --add "$work/mirror")
    if [ "$camera" = webcam ]; then
        options+=(--modules vhci-hcd --modules uvcvideo --add "$webcam")
        # The frames that it sends: all of one size.
        for person in mara joel yuna rafael; do options+=(--add "docs/people/$person.jpg"); done
    fi
    if [ "$camera" = screen ] || [ "$camera" = dressed ]; then
        # What it shows, for people to look at. Options of the program: the scenario names the screen.
        mkdir -p target/vm
        options+=(--display 1280x720 --gpu "${GPU:-virtio}" --share "$PWD/target/vm")
    fi
    for name in SCENARIOS SHOW_LOG SLOW; do
        [ -z "${!name:-}" ] || options+=(--env "$name=${!name}")
    done
    case $camera in
        vivid | webcam) shown=(--no-perception --screen file:/tmp/view.png) ;;
        screen) shown=(--no-perception) ;;
        dressed)
            # The real nets, at a seventieth of the host's speed.
            shown=()
            models=${VITRINE_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/vitrine/models}
            if ! ls "$models"/*.tflite >/dev/null 2>&1; then
                echo "no models in $models: \`vitrine models fetch\`, then try again" >&2
                exit 1
            fi
            options+=(--modules vhci-hcd --modules uvcvideo --add "$webcam" --add docs/people/rafael.jpg)
            for file in "$models"/*.tflite garments/tee-red-print.png garments/tee-red-print.toml; do options+=(--add "$file"); done
            ;;
    esac
    targets/vm/run-vm.sh "${options[@]}" targets/vm/scenarios.sh "$camera" mirror "${arguments[@]}" "${shown[@]}" ||
        failed=1
done
exit $failed
