#!/usr/bin/env bash
# Kernels side by side with other engines on this machine: makes a virtual environment with the engines (pinned in
# requirements.txt), builds the project's own program, and lets them take turns. Arguments: those of side_by_side.py.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/../.."
environment=target/peers/environment
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "the engines are pinned for x86-64 Linux only; this is $(uname -sm)" >&2
    exit 1
fi
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    echo "needs python3 of version 3.11 to 3.13 with venv (python3-venv): install it, then try again" >&2
    exit 1
fi
for tool in gcc objdump readelf; do
    if ! command -v $tool >/dev/null; then
        echo "$tool is missing: install gcc and binutils, then try again" >&2
        exit 1
    fi
done
if ! cmp -s benches/peers/requirements.txt $environment/requirements.txt; then
    rm -rf $environment target/peers/narrowed
    python3 -m venv $environment
    $environment/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        -r benches/peers/requirements.txt
    cp benches/peers/requirements.txt $environment/
fi
if ! cmp -s benches/peers/narrow.py target/peers/narrowed/narrow.py; then
    $environment/bin/python benches/peers/narrow.py $environment/lib/python3.*/site-packages target/peers/narrowed
    cp benches/peers/narrow.py target/peers/narrowed/
fi
if [ benches/peers/narrowed.c -nt target/peers/libnarrowed.so ]; then
    gcc -O2 -shared -fPIC -o target/peers/libnarrowed.so benches/peers/narrowed.c
fi
server=$(cargo build --release --locked -p kernels --example peers_server --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*peers_server\)".*/\1/p')
exec $environment/bin/python benches/peers/side_by_side.py --server "$server" "$@"
