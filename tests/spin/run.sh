#!/bin/sh
# Checks the model of the lane's sleep protocol exhaustively, then that each of its mutants is found
# wrong: a model that cannot fail proves nothing. Skipped (77) where spin is not installed.
set -eu
model=$(cd "$(dirname "$0")" && pwd)/lane_sleep.pml
command -v spin >/dev/null || { echo "spin: not installed, skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Prints the number of errors of the model with the given define.
errors_of() {
    rm -f pan.* pan
    spin ${1:+"$1"} -a "$model" >spin.out 2>&1 || { cat spin.out >&2; exit 1; }
    gcc -O2 -w -DSAFETY -DNOREDUCE -o pan pan.c
    ./pan -m100000 >pan.out 2>&1 || true
    if grep -q "max search depth too small" pan.out; then
        echo "spin: search was cut" >&2
        exit 1
    fi
    sed -n 's/.*errors: \([0-9][0-9]*\).*/\1/p' pan.out
}

found=$(errors_of "")
states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
echo "lane_sleep: errors: $found, $states states"
[ "$found" = 0 ] || { cat pan.out; exit 1; }
for mutant in NO_LOOK CLEAR_FIRST DROP_CLEARS NO_KICK; do
    found=$(errors_of "-D$mutant")
    echo "lane_sleep with $mutant: errors: $found"
    if [ "${found:-0}" = 0 ] || ! grep -q "invalid end state" pan.out; then
        echo "spin: the mutant $mutant was not found wrong"
        exit 1
    fi
done
