#!/usr/bin/env bash
# Makes the Python environment .cache/venv/NAME from scripts/requirements/NAME.txt, once for each
# state of that file and interpreter; says nothing and takes no time where it is already there.
#
# usage: scripts/venv.sh NAME...     prints the path of each environment on standard output
# exit   0 ready, 1 cannot be made
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

[ $# -gt 0 ] || { say "venv: want a name: $(cd scripts/requirements && echo *.txt)" >&2; exit 1; }
mkdir -p .cache/venv
python=$(python3_with_venv)
for name in "$@"; do
    pins=scripts/requirements/$name.txt
    home=.cache/venv/$name
    [ -r "$pins" ] || { say "venv: no $pins" >&2; exit 1; }
    want="$(sha256sum <"$pins") $("$python" -VV | tr '\n' ' ')"
    # Two runs may ask for the same environment; the second waits and finds it made.
    exec 9>"$home.lock"
    flock 9
    if [ "$(cat "$home/made-from" 2>/dev/null)" != "$want" ] || ! "$home/bin/python" -c ''; then
        say "venv $name: $(sed -n '1s/^# //p' "$pins")" >&2
        rm -rf "$home"
        "$python" -m venv "$home"
        "$home/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
            --no-compile --require-hashes --only-binary :all: --requirement "$pins" >&2
        printf '%s\n' "$want" >"$home/made-from"
    fi
    exec 9>&-
    say "$PWD/$home"
done
