#!/usr/bin/env bash
# gcc -fanalyzer over the rooms that hold memory and files of others: base, and store once there.
# It is here for leaks, double frees and closed files; its null pointers are guesses in gcc 12 (a
# slice may be empty), and clang-tidy looks for those.
#
# usage: tests/analyzer.sh [FILE...]    exit 0 silent, 1 it found a path
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

shopt -s nullglob
[ $# -gt 0 ] || set -- src/base/*.c src/store/*.c
flags=$(tool_flags)
export flags
one_file() {
    # shellcheck disable=SC2086 # the flags are meant to split
    gcc $flags -O1 -fanalyzer -Wno-analyzer-null-dereference \
        -Wno-analyzer-null-argument -Werror -c -o /dev/null "$1"
}
export -f one_file
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one_file {}' || exit 1
say "analyzer: $# files"
