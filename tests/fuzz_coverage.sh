#!/usr/bin/env bash
# Replays every corpus through programs built by gcc with coverage counters, and prints which part
# of each parser's file its corpus reaches: lines and branches (the edges of gcov).
#
# usage: tests/fuzz_coverage.sh [NAME...]    without names: every fuzz/NAME.c
# exit   0 all replayed, 1 a target has no corpus or died
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
if [ $# -eq 0 ]; then
    drivers=(fuzz/*.c)
    drivers=("${drivers[@]##*/}")
    set -- "${drivers[@]%.c}"
fi
[ $# -gt 0 ] || { echo "fuzz: no target yet"; exit 0; }
log=$(scripts/build.sh cov "${@/#/fuzz_}" 2>&1) || { echo "$log"; exit 1; }
build=build/cov
failed=0
printf '%-12s %-28s %6s %7s %9s\n' target file inputs lines branches
for name in "$@"; do
    find "$build" -name '*.gcda' -delete
    if [ ! -d "fuzz/corpus/$name" ] || ! out=$("$build/fuzz_$name" "fuzz/corpus/$name" 2>&1); then
        echo "$name: ${out:-no corpus}"
        failed=$((failed + 1))
        continue
    fi
    # the first comment: /* fuzz: ROOM [FILE...] */, over one line or more
    comment=$(sed '/\*\//q' "fuzz/$name.c" | tr '\n' ' ')
    read -ra words <<<"$(sed -n 's|^/\* fuzz: \([^*]*\)\*/.*|\1|p' <<<"${comment// \* / }")"
    files=("${words[@]:1}")
    [ ${#files[@]} -gt 0 ] || files=("$name.c")
    for file in "${files[@]}"; do
        gcovr --root . --filter "src/${words[0]}/${file##*/}" --json-summary - "$build" 2>/dev/null |
            python3 -c '
import json, sys
name, file, inputs = sys.argv[1:]
of = json.load(sys.stdin)
lines, branches = of["line_percent"], of["branch_percent"]
print(f"{name:12} {file:28} {inputs:>6} {lines:6.1f}% {branches:8.1f}%")
' "$name" "${words[0]}/${file##*/}" "$(sed -n 's/^replay: \([0-9]*\) inputs/\1/p' <<<"$out")"
    done
done
[ "$failed" -eq 0 ]
