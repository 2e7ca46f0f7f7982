#!/usr/bin/env bash
# Runs the gates that read code and binaries, each alone, all of them even where one fails.
#
# usage: scripts/lint.sh [GATE...]    without names: all, in the order below
# out    one line a gate, the output of those that fail, a closing line; with GATE_RESULTS=FILE
#        also "verdict<TAB>gate<TAB>reason" lines for scripts/tally.py
# exit   0 none failed, 1 some did
# A gate is a command that exits 0 (holds), 77 (skipped; its last line says why) or else (fails).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

gate_build_gcc() { scripts/build.sh release; }
gate_build_clang() { scripts/build.sh asan; }
gate_rooms() { tests/rooms.sh; }
gate_rooms_test() { tests/rooms_test.sh; }
gate_headers_gcc() { CC=gcc CPPFLAGS="$(tool_flags | sed 's|-I\([a-z.]\)|-I../\1|g')" tests/headers.sh; }
gate_headers_clang() {
    CC=$(clang_or_default clang) CPPFLAGS="$(tool_flags | sed 's|-I\([a-z.]\)|-I../\1|g')" tests/headers.sh
}
gate_globals() {
    local objects
    mapfile -t objects < <(find build/release/CMakeFiles -path '*.dir/src/*' -name '*.o' | LC_ALL=C sort)
    tests/globals.sh "${objects[@]}"
}
gate_hardening() { tests/hardening.sh build/release/garrison build/release/garrison-worker; }
gate_needed() { tests/needed.sh build/release/garrison-worker; }
gate_format() { tests/format.sh; }
gate_lengths() { tests/lengths.sh; }
gate_ort_slots() { python3 tests/ort_slots.py; }
gate_shell() { tests/shell.sh; }
gate_analyzer() { tests/analyzer.sh; }
gate_spin() { tests/spin/run.sh; }
gate_tidy() { tests/tidy.sh; }

gates=(build_gcc build_clang rooms rooms_test headers_gcc headers_clang globals hardening needed
    format lengths ort_slots shell analyzer spin tidy)
[ $# -gt 0 ] || set -- "${gates[@]}"
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for gate in "$@"; do
    if ! declare -F "gate_$gate" >/dev/null; then
        say "lint: no gate \"$gate\", want one of: ${gates[*]}" >&2
        exit 1
    fi
    started=$SECONDS
    (set -e; "gate_$gate") >"$log" 2>&1 </dev/null
    case $? in
    0) verdict=ok passed=$((passed + 1)) ;;
    77) verdict=skip skipped=$((skipped + 1)) ;;
    *) verdict=FAIL failed=$((failed + 1)) ;;
    esac
    reason=$(tail -1 "$log")
    printf '%-4s %-14s %3d s  %s\n' "$verdict" "$gate" $((SECONDS - started)) "$reason"
    [ "$verdict" != FAIL ] || sed 's/^/     /' "$log"
    [ -z "${GATE_RESULTS:-}" ] || printf '%s\t%s\t%s\n' "$verdict" "$gate" "$reason" >>"$GATE_RESULTS"
done
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
