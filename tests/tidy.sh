#!/usr/bin/env bash
# clang-tidy 14 over every source file, with .clang-tidy; a file whose text, headers and rules are
# those of an earlier clean run is not read again.
#
# usage: tests/tidy.sh [FILE...]    without files: src, fuzz and bench
# exit   0 clean, 1 complaints, 77 skipped: another version finds other things
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

command -v clang-tidy-14 >/dev/null || { say "tidy: no clang-tidy 14 here"; exit 77; }
shopt -s nullglob
[ $# -gt 0 ] || set -- src/*/*.c fuzz/*.c bench/*.c
flags=$(tool_flags)
mkdir -p .cache/tidy
export flags
one_file() {
    local key out
    # shellcheck disable=SC2086 # the flags are meant to split
    key=$({ cat .clang-tidy; clang-14 -MM $flags "$1" | tr -d "\\\\" | cut -d: -f2 |
        xargs cat; echo "$1"; } | sha256sum | cut -c1-40)
    [ ! -e ".cache/tidy/$key" ] || return 0
    # shellcheck disable=SC2086
    if out=$(clang-tidy-14 --quiet "$1" -- $flags -Wno-unknown-warning-option 2>/dev/null); then
        : >".cache/tidy/$key"
    else
        printf '%s\n' "$out"
        return 1
    fi
}
export -f one_file
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one_file {}' || exit 1
say "tidy: $# files clean"
