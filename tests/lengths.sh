#!/bin/sh
# A source file has at most 600 lines; a header above 120 is named, not refused. A line has at most 100 columns.
#
# usage: tests/lengths.sh [DIR...]    exit 0 within, 1 over, 2 nothing to read
set -eu

[ $# -gt 0 ] || { cd "$(dirname "$0")/.."; set -- src tests fuzz bench; }
files=$(find "$@" -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
[ -n "$files" ] || { echo "lengths: no source file" >&2; exit 2; }
# File names hold no blanks (a house rule), so the list may be split.
# shellcheck disable=SC2086
exec awk '
function close_file() {
    if (lines > 600) { print name ": " lines " lines, want at most 600"; over++ }
    else if (name ~ /\.h$/ && name !~ /^tests/ && lines > 120)
        print name ": " lines " lines; a header is better under 120"
}
FNR == 1 { if (name != "") close_file(); name = FILENAME; count++ }
{ lines = FNR }
/TODO|FIXME/ && $0 !~ /#[0-9]+/ { print name ":" FNR ": a note without an issue number"; over++ }
END {
    close_file()
    printf "lengths: %d files, %d complaints\n", count, over
    exit over > 0
}' $files
