#!/usr/bin/env bash
# Long runs that do not belong in every change. Each adds a row to tests/ledger.csv.
#
# usage: scripts/campaign.sh t09             the lane under ThreadSanitizer, LANE_EXCHANGES (10^8)
#        scripts/campaign.sh t01 [NAME...]   each fuzz/NAME.c, or those named, for SECONDS_EACH
#                                            (600); a row a target
# exit   0 passed, 1 failed, 2 no such campaign
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

record() { # TEST TARGET TOOL AMOUNT UNIT RESULT DETAIL
    printf '%s,%s,%s,%s,%s,%s,%s,%s,%s\n' "$(date -u +%Y-%m-%d)" "$(git rev-parse --short HEAD)" "$@" \
        >>tests/ledger.csv
}

fuzz_one() { # NAME SECONDS: a row with what libFuzzer's last lines say
    local log=.cache/fuzz/$1.log result=passed
    SECONDS_EACH=$2 scripts/fuzz.sh "$1" || result=failed
    record T1 "$1" "$libfuzzer" "$2" seconds "$result" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions; $(
            sed -n 's/^#[0-9].* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1
        ) edges; $(grep -c '^SUMMARY: ' "$log" || true) crashes"
    [ "$result" = passed ]
}

case ${1:-} in
t09)
    amount=${LANE_EXCHANGES:-100000000}
    scripts/build.sh tsan test_lane_stress
    began=$SECONDS
    result=passed
    say "t09: $amount exchanges under TSan; about half a minute a million"
    LANE_EXCHANGES=$amount TSAN_OPTIONS=halt_on_error=1 build/tsan/test_lane_stress || result=failed
    record T9 lane tsan-clang "$amount" exchanges "$result" "$((SECONDS - began)) s"
    [ "$result" = passed ]
    ;;
t01)
    scripts/build.sh fuzz
    libfuzzer=libfuzzer-$("$(clang_or_default clang)" -dumpversion)
    failed=0
    shift
    [ $# -gt 0 ] || set -- fuzz/*.c
    for driver in "$@"; do
        name=${driver##*/}
        fuzz_one "${name%.c}" "${SECONDS_EACH:-600}" || failed=1
    done
    [ "$failed" -eq 0 ]
    ;;
*)
    say "campaign: want t01 or t09" >&2
    exit 2
    ;;
esac
