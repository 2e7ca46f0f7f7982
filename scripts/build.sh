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
# A build directory that has been configured re-runs CMake by itself when the lists change.
if [ ! -e "build/$kind/build.ninja" ] || [ CMakePresets.json -nt "build/$kind/build.ninja" ]; then
    cmake --preset "$kind" "${compiler[@]}" >"/tmp/garrison-cmake.$$" 2>&1 ||
        { cat "/tmp/garrison-cmake.$$"; rm -f "/tmp/garrison-cmake.$$"; exit 1; }
    rm -f "/tmp/garrison-cmake.$$"
fi
exec cmake --build "build/$kind" ${1:+--target "$@"}
