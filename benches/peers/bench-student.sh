#!/usr/bin/env bash
# Whole networks side by side with other engines on this machine: makes a virtual environment with the engines (pinned in
# requirements-student.txt), the networks and their samples, builds the project's own programs, quantizes, and lets all take
# turns. Arguments: those of student.py.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/../.."
files=target/student
environment=$files/environment
models=${VITRINE_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/vitrine/models}
weights=${VITRINE_WEIGHTS:-../shared/weights}
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "the engines are pinned for x86-64 Linux only; this is $(uname -sm)" >&2
    exit 1
fi
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    echo "needs python3 of version 3.11 to 3.13 with venv (python3-venv): install it, then try again" >&2
    exit 1
fi
mkdir -p $files
if ! cmp -s benches/peers/requirements-student.txt $environment/requirements.txt; then
    rm -rf $environment
    python3 -m venv $environment
    $environment/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        -r benches/peers/requirements-student.txt
    cp benches/peers/requirements-student.txt $environment/requirements.txt
fi
python=$environment/bin/python

# Made again when a script that makes them changes; what engines converted from them goes with them.
fresh() {
    local name=$1 stamp
    shift
    stamp=$files/$name.stamp
    [ -e "$stamp" ] && for source in "$@"; do [ "$stamp" -nt "$source" ] || return 1; done
}
forget() {
    local model
    for model in "$@"; do
        rm -rf $files/"$model".* $files/samples/"$model"
    done
}
workloads=benches/workloads
if ! fresh litemp $workloads/litemp.py $workloads/graph.py; then
    forget litemp
    $python $workloads/litemp.py $files --samples $files/samples/litemp
    touch $files/litemp.stamp
fi
photos=$models/samples
if ! ls "$photos"/*.jpg >/dev/null 2>&1; then
    echo "no sample photos in $photos: taef2, blazepose and selfie are skipped; \`vitrine models fetch --samples\` brings them" >&2
else
    if [ ! -e "$weights/taef2_decoder.safetensors" ]; then
        echo "no weights in $weights (VITRINE_WEIGHTS): taef2 is skipped" >&2
    elif ! fresh taef2 $workloads/taef2.py $workloads/graph.py; then
        forget taef2_decoder taef2_encoder
        $python $workloads/taef2.py $files --weights "$weights" --check --samples $files/samples --photos "$photos"
        touch $files/taef2.stamp
    fi
    if ! fresh perception $workloads/perception.py $workloads/graph.py; then
        forget blazepose selfie
        $python $workloads/perception.py $files --models "$models" --samples $files/samples
        touch $files/perception.stamp
    fi
fi

# The whole workspace, so that features are resolved as for the tests and tract is built once.
programs=$(cargo build --release --locked --workspace --bin vitrine-quantize --bench student \
    --message-format=json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
server=$(grep 'deps/student' <<<"$programs")
quantize=$(grep 'vitrine-quantize$' <<<"$programs")
exec $python benches/peers/student.py --server "$server" --quantize "$quantize" "$@"
