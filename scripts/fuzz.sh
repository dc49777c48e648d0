#!/usr/bin/env bash
# Runs every fuzz target (tests/fuzz) for a time, from its kept inputs; what a run finds new lies in BUILD/corpus/NAME,
# an input that fails in BUILD/corpus/NAME-crash-*. To keep what reaches new code:
# BUILD/tests/fuzz_NAME -merge=1 tests/fuzz/corpus/NAME BUILD/corpus/NAME
#   fuzz.sh BUILD SECONDS [NAME...]
set -euo pipefail

build=$1 seconds=$2
shift 2
if [ $# -eq 0 ]; then
    for source in tests/fuzz/*.c; do
        set -- "$@" "$(basename "$source" .c)"
    done
fi
for name in "$@"; do
    mkdir -p "$build/corpus/$name"
    echo "== $name"
    "$build/tests/fuzz_$name" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$build/corpus/$name-" -print_final_stats=1 -verbosity=0 \
        "$build/corpus/$name" "tests/fuzz/corpus/$name"
done
