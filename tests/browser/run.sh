#!/usr/bin/env bash
# Drives the mirror's page in headless Chromium: every state with a screenshot, axe-core, touch targets, no request to elsewhere.
#
#   run.sh                      builds and starts `vitrine mirror` with a drawn figure as its camera
#   MIRROR="program options"    starts this instead; it prints the page's address or listens on 127.0.0.1:8321
#   MIRROR_URL=http://…         uses a mirror that runs already
#   SHOTS=folder                where screenshots go (target/browser)
#   CASES="dark arabic"         only these
#   DOCS=folder                 also writes the documents' pictures there (`make shots`)
set -euo pipefail
cd "$(dirname "$0")/../.."

chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$chromium" ] || ! command -v npm >/dev/null; then
    echo "this test needs Chromium and npm: \`apt-get install chromium npm\`, then try again" >&2
    exit 1
fi
export CHROMIUM=${CHROMIUM:-$chromium}
export SHOTS=${SHOTS:-$PWD/target/browser}
(cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund)

if [ -z "${MIRROR_URL:-}" ]; then
    listen=127.0.0.1:8321
    if [ -z "${MIRROR:-}" ]; then
        cargo build --release --locked --workspace --bin vitrine
        MIRROR="target/release/vitrine mirror --camera synthetic --catalogue garments --listen $listen"
    fi
    # shellcheck disable=SC2086
    $MIRROR &
    mirror=$!
    trap 'kill $mirror 2>/dev/null || true' EXIT
    export MIRROR_URL=http://$listen
    for ((tries = 0; tries < 300; tries++)); do
        (exec 3<>"/dev/tcp/${listen%:*}/${listen#*:}") 2>/dev/null && break
        kill -0 $mirror || { echo "the mirror has ended" >&2; exit 1; }
        sleep 0.2
    done
fi
node tests/browser/test.mjs
