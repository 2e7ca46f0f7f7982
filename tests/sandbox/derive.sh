#!/usr/bin/env bash
# Holds the worker's list of system calls (src/engine/sandbox.c) against what a worker really does:
# runs COMMAND, which starts workers over test models, under strace with the load of the filter
# skipped (strace answers the last seccomp(2) of the sandbox with success), and reads every call
# that a thread of such a process makes from there on. So the load itself is the marker, and a call
# outside the list is named instead of killing the worker at it.
#
# usage: tests/sandbox/derive.sh COMMAND [ARGUMENT...]
#        without COMMAND: $GARRISON_BUILD/test_worker (build/dev unless set)
# exit   0 every call is in the list, 1 one is not, or no process entered the sandbox;
#        77 skipped: its last line says why
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${GARRISON_BUILD:-build/dev}
[ $# -gt 0 ] || set -- "$build/test_worker"
skip() {
    echo "derive: $1"
    exit 77
}
command -v strace >/dev/null || skip "no strace here"
[ -x "$(command -v "$1" || true)" ] || skip "no $1: build it first"
[ -x "$build/test_sandbox" ] || skip "no $build/test_sandbox: build it first"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strace -o /dev/null true 2>/dev/null || skip "this machine forbids ptrace"

# Which of the sandbox's calls of seccomp(2) loads the filter: the last, after libseccomp has asked
# the kernel what it can do. A kernel's answers are always the same, so one sandbox tells for all.
strace -f -e trace=seccomp -o "$work/count" "$build/test_sandbox" >"$work/out" 2>&1 || {
    cat "$work/out"
    exit 1
}
load=$(awk '$2 ~ /^seccomp\(/ { n[$1]++ }
    $2 ~ /^seccomp\(SECCOMP_SET_MODE_FILTER/ && / = 0$/ { print n[$1]; exit }' "$work/count")
[ -n "$load" ] || skip "no filter is loaded on this machine"

calls=$(sed -n 's/^#.*//; s/SCMP_SYS(\([a-z0-9_]*\))/\n@\1\n/gp' src/engine/sandbox.c |
    sed -n 's/^@//p' | sort -u)
# One trace, judged. It is the trace that is judged, not the command: one that waits for a death by
# the filter waits in vain. Leaves the names of calls outside the list in $work/bad.$1.
judge() {
    strace -f -qq -o "$work/trace" -e signal=none -e "inject=seccomp:retval=0:when=$load" \
        "${@:2}" >"$work/out" 2>&1 || echo "derive: note: $2 ended with status $?"
    awk -v calls="$calls" -v names="$work/bad.$1" '
        function group_of(id) { return id in group ? group[id] : id }
        function complain(why) {
            if (!(why in told))
                print "derive: outside the list: " id " of " group_of(id) ": " why
            told[why] = 1
            print name >names
        }
        BEGIN { n = split(calls, list, "\n"); for (i = 1; i <= n; i++) allowed[list[i]] = 1 }
        {
            id = $1
            line = $0
            sub(/^[0-9]+ +/, "", line)
        }
        line ~ /^clone3?\(/ { threads[id] = line ~ /CLONE_THREAD/ }
        line ~ /clone3?(\(| resumed).* = [0-9]+$/ && threads[id] { group[$NF] = group_of(id) }
        line ~ /^seccomp\(.*INJECTED/ {
            sealed[group_of(id)] = 1
            boxes++
            next
        }
        !(group_of(id) in sealed) || line !~ /^[a-z0-9_]+\(/ { next }
        {
            name = line
            sub(/\(.*/, "", name)
            seen[name]++
            total++
            if (!(name in allowed))
                complain(line)
            else if (name == "mmap" && (line !~ /MAP_ANONYMOUS/ || line !~ /MAP_PRIVATE/ || line ~ /PROT_EXEC/))
                complain(line)
            else if (name == "mprotect" && line ~ /PROT_EXEC/)
                complain(line)
            else if (name == "tgkill" && line !~ "^tgkill\\(" group_of(id) ",")
                complain(line)
        }
        END {
            for (name in seen)
                used = used " " name
            printf "derive: %d sandboxes, %d calls:%s\n", boxes, total, used
            exit !boxes || !total
        }
    ' "$work/trace" || {
        echo "derive: no process entered the sandbox"
        exit 1
    }
    sort -u "$work/bad.$1" -o "$work/bad.$1" 2>/dev/null || : >"$work/bad.$1"
}

# strace may give a line to the wrong process while one that it follows is killed; what a worker does
# shows again.
judge 1 "$@"
[ -s "$work/bad.1" ] || exit 0
judge 2 "$@"
if [ -n "$(comm -12 "$work/bad.1" "$work/bad.2")" ]; then
    echo "derive: the list of src/engine/sandbox.c does not hold"
    exit 1
fi
echo "derive: another trace does not show it again"
