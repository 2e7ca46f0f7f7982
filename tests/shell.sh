#!/usr/bin/env bash
# Every script of the tree pleases shellcheck.
#
# usage: tests/shell.sh    exit 0 all do, 1 some do not
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t scripts < <({
    find scripts tests bench fuzz -name '*.sh' -not -path '*/.*' 2>/dev/null || true
    [ ! -e .ci/run ] || echo .ci/run
} | LC_ALL=C sort)
shellcheck --external-sources "${scripts[@]}"
echo "shell: ${#scripts[@]} scripts"
