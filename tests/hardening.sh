#!/usr/bin/env bash
# Reads the hardening back from the executables: what the compiler was asked for is not evidence.
#
# usage: tests/hardening.sh ELF...    exit 0 all hold, 1 one does not (named), 2 cannot run
set -euo pipefail

[ $# -gt 0 ] || { echo "hardening: no executable given" >&2; exit 2; }
failed=0
want() { # WHAT: the status of the last command decides
    local status=$?
    if [ "$status" -ne 0 ]; then
        echo "$elf: $1"
        failed=$((failed + 1))
    fi
}
for elf in "$@"; do
    headers=$(readelf -hW "$elf") segments=$(readelf -lW "$elf")
    dynamic=$(readelf -dW "$elf") symbols=$(readelf -sW "$elf")
    grep -q 'Type:.*DYN' <<<"$headers" || want "not position independent"
    grep -q 'FLAGS_1.*PIE' <<<"$dynamic" || want "not marked as PIE"
    grep -q GNU_RELRO <<<"$segments" || want "no RELRO"
    grep -qE 'FLAGS.*(BIND_NOW|NOW)' <<<"$dynamic" || want "binds lazily"
    grep -qE 'GNU_STACK .* RW +0x' <<<"$segments" || want "the stack is executable"
    ! grep -qE ' (LOAD|GNU_STACK) .* RWE ' <<<"$segments" || want "a segment is writable and executable"
    # separate code: the executable segment holds no headers, so the first LOAD is read-only
    grep -E '^ +LOAD ' <<<"$segments" | head -1 | grep -qE ' R +0x' || want "code shares a page with data"
    grep -q '__stack_chk_fail' <<<"$symbols" || want "no stack protector"
    grep -qE '__[a-z]+_chk(@|$| )' <<<"$symbols" || want "nothing fortified"
    ! grep -qE 'RPATH|RUNPATH|TEXTREL' <<<"$dynamic" || want "RPATH, RUNPATH or TEXTREL"
    # The notes of control flow protection are lost to Debian's own start files, so read the code;
    # and no frame may step over a guard page: it grows page by page, touching each.
    code=$(objdump -d --no-show-raw-insn "$elf")
    entry=$(grep -A1 '<main>:$' <<<"$code" | tail -1)
    case $(uname -m) in
    x86_64)
        grep -q endbr64 <<<"$entry" || want "main takes indirect jumps without endbr64"
        # shellcheck disable=SC2016 # a dollar of the assembler
        steps=$(sed -nE 's/.*sub +\$(0x[0-9a-f]{4,7}),%rsp$/\1/p' <<<"$code" | grep -vx 0x1000 || true)
        [ -z "$steps" ] ||
            want "a frame of more than a page is taken in one step"
        ;;
    aarch64) grep -qE 'bti|paciasp' <<<"$entry" || want "main has no branch protection" ;;
    esac
done
echo "hardening: $# executables, $failed complaints"
[ "$failed" -eq 0 ]
