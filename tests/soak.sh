#!/usr/bin/env bash
# The mirror at full speed for a long time: memory stays flat, times do not grow, counters add up.
#
# usage: soak.sh PROGRAM [MINUTES]        30 minutes without a number
#
# CAMERA=replay:FOLDER and the like in the place of the drawn person, who walks the same way in each run.
#
# A visit a minute: a piece is put on, a picture taken, everything wiped. Reads /healthz every ten seconds and judges the
# last third of the time by the second.
set -euo pipefail
program=$(realpath "$1")
minutes=${2:-30}
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'kill $mirror 2>/dev/null || true; rm -rf "$folder"' EXIT

pieces=(tee-red-print jacket-denim dress-floral trousers-jeans hat-cap long-sleeve-breton skirt-denim eyeglasses-sun)
for ((minute = 0; minute < minutes; minute++)); do
    start=$((minute * 60 + 8))
    cat <<END
at $start wake
at $((start + 2)) wear ${pieces[minute % ${#pieces[@]}]}
at $((start + 20)) wear ${pieces[(minute + 3) % ${#pieces[@]}]}
at $((start + 35)) picture
at $((start + 50)) done
END
done >"$folder/script"
"$program" mirror --camera "${CAMERA:-synthetic}" --catalogue garments --script "$folder/script" \
    --listen 127.0.0.1:8098 >"$folder/log" 2>&1 &
mirror=$!
for ((second = 0; second < minutes * 60; second += 10)); do
    sleep 10
    kill -0 $mirror 2>/dev/null || { echo "the mirror has ended:"; tail -20 "$folder/log"; exit 1; } >&2
    curl -s http://127.0.0.1:8098/healthz >>"$folder/health" && echo >>"$folder/health"
done
kill -TERM $mirror
wait $mirror
grep 'the mirror ends' "$folder/log"
python3 - "$folder/health" "$folder/log" <<'END'
import json, re, statistics, sys

readings = [json.loads(line) for line in open(sys.argv[1]) if line.strip()]
third = len(readings) // 3
second, last = readings[third : 2 * third], readings[2 * third :]
median = lambda rows, key: statistics.median(map(key, rows))
memory = lambda row: row["private_memory_mb"]
late = lambda row: row["times_ms"]["frame"]["p95"]
counters = dict((k, int(v)) for k, v in re.findall(r"(\w+)=(\d+)", open(sys.argv[2]).read().split("the mirror ends")[-1]))
lost = counters["captured"] - counters["taken"] - counters["dropped"]
verdicts = {
    "private memory, MB": (median(second, memory), median(last, memory), median(last, memory) <= 1.05 * median(second, memory) + 2),
    "frame p95, ms": (median(second, late), median(last, late), median(last, late) <= 1.5 * median(second, late) + 5),
    "frames lost from the count": (0, lost, lost in (0, 1)),
    "views shown": (0, counters["shown"], counters["shown"] > 0),
}
for name, (before, after, fine) in verdicts.items():
    print(f"{name:28} {before:>8} {after:>8}  {'fine' if fine else 'NOT FINE'}")
visits = readings[-1]["visits"], readings[-1]["looks"]
print(f"{visits[0]} visits, {visits[1]} finished pictures, level {readings[-1]['degrade']['level']} at the end")
sys.exit(not all(fine for *_, fine in verdicts.values()))
END
