#!/bin/sh
# What a model runs in is small: garrison-worker needs the C library, libseccomp and the loader, nothing else.
#
# usage: tests/needed.sh WORKER    exit 0 so it is, 1 it needs more (named), 2 cannot run
set -eu

[ -r "${1:-}" ] || { echo "needed: no executable \"${1:-}\"" >&2; exit 2; }
needed=$(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
extra=$(printf '%s\n' "$needed" | grep -vE '^(libc\.so\.6|libseccomp\.so\.2|ld-linux-[a-z0-9-]+\.so\.[0-9])$' || true)
if [ -n "$extra" ] || [ -z "$needed" ]; then
    echo "$1 needs libc and libseccomp alone, not: $(echo "$extra" | tr '\n' ' ')"
    exit 1
fi
echo "needed: $(echo "$needed" | tr '\n' ' ')"
