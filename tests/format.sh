#!/usr/bin/env bash
# Every C file is as clang-format 14 leaves it.
#
# usage: tests/format.sh [FILE...]    without files: all of the tree; to repair: clang-format-14 -i
# exit   0 all are, 1 some are not, 77 skipped: other versions lay out differently
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

command -v clang-format-14 >/dev/null || { say "format: no clang-format 14 here"; exit 77; }
if [ $# -eq 0 ]; then
    mapfile -t files < <(find src tests fuzz bench -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
    set -- "${files[@]}"
fi
if ! out=$(clang-format-14 --dry-run --Werror "$@" 2>&1); then
    grep -E 'error:' <<<"$out" || say "$out"
    exit 1
fi
say "format: $# files"
