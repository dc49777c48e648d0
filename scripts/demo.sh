#!/usr/bin/env bash
# The main job on real input: images in MNIST's file format, every rung, agreement bit for bit, counts and times,
# a page. Expects a build in build/; writes build/demo/.
set -euo pipefail
cd "$(dirname "$0")/.."

tare=build/tare
out=build/demo
digits=$out/digits
mkdir -p "$out"

step() {
    echo
    echo "\$ $*"
    "$@"
}

# Exit 3: measured, but on a machine too restless for a verdict; the run says so itself.
measure() {
    step "$@" || [ $? -eq 3 ]
}

if [ ! -d "$digits" ]; then
    step "$tare" data digits --out "$digits" --count 4000 --seed 1
fi
step "$tare" agree lenetp --modes all --steps 100 --optimizer adam --data "$digits"
rm -f "$out/results.jsonl" "$out/results.jsonl.part"
measure "$tare" bench lenetp --modes all --quick --json "$out/results.jsonl"
step "$tare" train lenetp --data "$digits" --epochs 1 --mode step
step "$tare" report "$out/results.jsonl" --out "$out/report.html"
echo
echo "the page: $out/report.html"
