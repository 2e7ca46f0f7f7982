#!/usr/bin/env bash
# Fuzzes each target for a while, starting from its committed corpus. New inputs stay under
# .cache/fuzz/NAME; an input that breaks something is named and left under .cache/fuzz/.
#
# usage: scripts/fuzz.sh [NAME...]    without names: every fuzz/NAME.c
# env    SECONDS_EACH    default 60
# exit   0 nothing broke, 1 something did
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
if [ $# -eq 0 ]; then
    drivers=(fuzz/*.c)
    drivers=("${drivers[@]##*/}")
    set -- "${drivers[@]%.c}"
fi
[ $# -gt 0 ] || { echo "fuzz: no target yet"; exit 0; }
scripts/build.sh fuzz "${@/#/fuzz_}"
failed=0
for name in "$@"; do
    found=.cache/fuzz/$name
    seeds=fuzz/corpus/$name
    mkdir -p "$found"
    args=(-max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        -artifact_prefix=".cache/fuzz/$name-")
    [ ! -e "fuzz/$name.dict" ] || args+=(-dict="fuzz/$name.dict")
    [ -d "$seeds" ] || seeds=
    echo "== $name"
    # shellcheck disable=SC2086 # no seeds is no argument
    if ! "build/fuzz/fuzz_$name" "${args[@]}" "$found" $seeds >"$found.log" 2>&1; then
        tail -40 "$found.log"
        failed=$((failed + 1))
    fi
    grep -E '^(stat::number_of_executed_units|#[0-9]+.*DONE)' "$found.log" || true
done
echo "fuzz: $# targets, $failed broke"
[ "$failed" -eq 0 ]
