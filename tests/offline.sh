#!/usr/bin/env bash
# The mirror opens no connection: it runs in a network namespace without routes, and every socket that it makes there is
# watched. Argument: the program. Needs strace and unshare (util-linux); `make test` installs them.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."
for tool in strace unshare curl; do
    command -v $tool >/dev/null || { echo "$tool is missing: apt-get install strace util-linux curl" >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'at 0.5 wake\nat 1 wear tee-red-print\nat 3 picture\nat 9 done\n' >"$folder/script"

# Loopback is brought up, nothing else is there.
inside='ip link set lo up 2>/dev/null || true
strace -f -qq -o "$1/calls" -e trace=socket,connect,bind,sendto,sendmsg "$2" mirror --camera synthetic --size 640x480 \
    --listen 127.0.0.1:8099 --catalogue garments --script "$1/script" >"$1/log" 2>&1 &
mirror=$!
sleep 6
curl -sf http://127.0.0.1:8099/healthz >"$1/health" || true
sleep 6
pkill -TERM -P $mirror || kill -TERM $mirror
wait $mirror'
XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache} unshare --net --map-root-user bash -c "$inside" inside "$folder" "$program" ||
    { cat "$folder/log" >&2; exit 1; }
grep -q 'visit stage="wipe"' "$folder/log" || { echo "the visit did not end:"; cat "$folder/log"; exit 1; } >&2
[ -s "$folder/health" ] || { echo "the readings were not served" >&2; exit 1; }

# What may be: its own listener on loopback, and systemd's socket.
if grep -E 'connect\(|sendto\(|sendmsg\(|bind\(' "$folder/calls" | grep -E 'AF_INET6?' | grep -vE '127\.0\.0\.1|::1'; then
    echo "the mirror used a socket that is not on loopback" >&2
    exit 1
fi
if grep -E 'connect\(.*AF_INET' "$folder/calls"; then
    echo "the mirror opened a connection" >&2
    exit 1
fi
grep -q 'bind(.*127.0.0.1' "$folder/calls" || { echo "the listener was not seen: the watch does not work" >&2; exit 1; }
echo "offline: a whole visit without a route, $(wc -l <"$folder/calls") socket calls, none beyond loopback"
