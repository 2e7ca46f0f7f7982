#!/usr/bin/env bash
# The whole suite, as `make test` and CI run it, ending in one line: N passed, N failed, N skipped.
#
# usage: scripts/test.sh [STEP...]    STEPS: lint unit tsan fuzz e2e e2e_user e2e_asan; without, all
# env    GARRISON_TEST_JOBS   ctest programs side by side; default: one a core
# out    each step's own output; build/results/ keeps the JUnit files and gate lines
# exit   0 all passed and every skip is one that tests/skips.tsv allows, 1 otherwise
# The counted things are gates, ctest programs (unit, fuzz replay) and pytest cases.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

results=$PWD/build/results
jobs=${GARRISON_TEST_JOBS:-$(nproc)}
as=()

step() { # NAME COMMAND...: a step that dies without a result of its own counts as one failure
    local name=$1 started=$SECONDS status
    shift
    say "== $name"
    (set -e; "$@") </dev/null
    status=$?
    [ "$status" -eq 0 ] || printf 'FAIL\tstep %s\texit %d\n' "$name" "$status" >>"$results/steps.tsv"
    say "== $name: exit $status after $((SECONDS - started)) s"
}

run_ctest() { # KIND ARGS...: a failing test is in the JUnit file, and only there
    local kind=$1
    shift
    ctest --test-dir "build/$kind" --parallel "$jobs" --output-on-failure --no-tests=error \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 \
        --output-junit "$results/ctest-$kind.xml" "$@" || [ -s "$results/ctest-$kind.xml" ]
}

# The server must be seen without CI set: the runtime's telemetry is silent where it is.
# `as`, where set, is the command that changes the user.
run_pytest() { # NAME DIR-OF-BINARIES ARGS...
    local name=$1 binaries=$2 status=0
    shift 2
    "${as[@]}" env -u CI GARRISON_BIN="$binaries" .cache/venv/test/bin/python -B -m pytest -q -rfEs \
        --durations=10 -p no:cacheprovider --junitxml "$results/pytest-$name.xml" "$@" \
        tests/e2e || status=$?
    [ "$status" -le 1 ] # 1: a case failed, which the JUnit file says
}

step_lint() {
    GATE_RESULTS=$results/gates.tsv scripts/lint.sh || [ -s "$results/gates.tsv" ]
}

# Leaks may only be forgiven to the runtime library, which is not ours.
step_unit() {
    scripts/build.sh asan
    scripts/build.sh release
    GARRISON_WORKER_DIR=$PWD/build/release \
        ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
        LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 run_ctest asan
    run_ctest release
}

step_tsan() {
    scripts/build.sh tsan tsan_programs
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 run_ctest tsan --label-regex '^tsan$'
}

step_fuzz() {
    tests/fuzz_coverage.sh
}

step_e2e() {
    run_pytest release "$PWD/build/release"
}

# The same as an ordinary user, who may lack much that root has. A copy, since nobody else may be
# able to reach the source tree.
step_e2e_user() {
    if [ "$(id -u)" -ne 0 ]; then
        say "the suite ran as an ordinary user already"
        return
    fi
    local home
    home=$(mktemp -d /tmp/garrison-user.XXXXXX)
    mkdir -p "$home/build/release" "$home/.cache"
    cp -a tests scripts src docs demo README.md ARCHITECTURE.md STYLE.md THREATS.md SECURITY.md \
        LICENSE Makefile "$home/"
    cp -a build/release/{garrison,garrison-worker,lying_worker} "$home/build/release/"
    cp -a --reflink=auto .cache/runtime .cache/models .cache/venv "$home/.cache/"
    ln -s ../../.cache/runtime/libonnxruntime.so "$home/build/release/libonnxruntime.so"
    chown -R nobody "$home"
    (
        cd "$home"
        export HOME=$home TMPDIR=$home
        as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
        results=$home run_pytest user "$home/build/release"
    ) && cp "$home/pytest-user.xml" "$results/" && rm -rf "$home"
}

# The worker of the sanitized suite is the released one: ASan's address space dies under the
# worker's memory limit. Hard links, since a role finds its worker beside its own file.
step_e2e_asan() {
    local home=$PWD/build/asan-e2e
    rm -rf "$home"
    mkdir -p "$home"
    ln -f build/asan/garrison build/release/garrison-worker "$home/"
    ln -sfn "$PWD/.cache/runtime/libonnxruntime.so" "$home/libonnxruntime.so"
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
        LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 \
        GARRISON_SANITIZED=1 run_pytest asan "$home" -m "not release_only"
}

[ $# -gt 0 ] || set -- lint unit tsan fuzz e2e e2e_user e2e_asan
scripts/setup.sh || exit 1
rm -rf "$results"
mkdir -p "$results"
for name in "$@"; do
    declare -F "step_$name" >/dev/null || { say "test: no step \"$name\"" >&2; exit 1; }
    step "$name" "step_$name"
done
exec python3 scripts/tally.py "$results" tests/skips.tsv
