#!/usr/bin/env bash
# Builds one kind of the project (a preset of CMakePresets.json) in build/KIND.
#
# usage: scripts/build.sh KIND [TARGET...]    KINDS: dev asan tsan fuzz cov release
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

kind=${1:?want a kind: dev asan tsan fuzz cov release}
shift
compiler=()
case $kind in
asan | tsan | fuzz) compiler=("-DCMAKE_C_COMPILER=$(clang_or_default clang)") ;;
esac
# A configured directory follows changed lists by itself, but not what setup has brought since.
pkg-config --exists cmocka && cmocka=yes || cmocka=no
[ -e .cache/runtime/libonnxruntime.so ] && runtime=yes || runtime=no
want="$(sha256sum <CMakePresets.json) cmocka=$cmocka runtime=$runtime ${compiler[*]}"
if [ "$(cat "build/$kind/configured-for" 2>/dev/null)" != "$want" ]; then
    out=$(cmake --preset "$kind" "${compiler[@]}" 2>&1) || { say "$out" >&2; exit 1; }
    printf '%s\n' "$want" >"build/$kind/configured-for"
fi
exec cmake --build "build/$kind" ${1:+--target "$@"}
