#!/usr/bin/env bash
# Long runs that do not belong in every change. Each adds a row to tests/ledger.csv.
#
# usage: scripts/campaign.sh t09      the lane under ThreadSanitizer, LANE_EXCHANGES (10^8) exchanges
# exit   0 passed, 1 failed, 2 no such campaign
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

record() { # TEST TARGET TOOL AMOUNT UNIT RESULT DETAIL
    printf '%s,%s,%s,%s,%s,%s,%s,%s,%s\n' "$(date -u +%Y-%m-%d)" "$(git rev-parse --short HEAD)" "$@" \
        >>tests/ledger.csv
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
*)
    say "campaign: want t09" >&2
    exit 2
    ;;
esac
