# shellcheck shell=bash
# What the scripts share; sourced, from the root of the tree.
#
# say WORDS...            one line to the reader
# python3_with_venv       prints the interpreter to make environments with: the system's before any other
# clang_or_default NAME   prints NAME-14 where it is installed, else NAME (Debian 13 has no version 14)
# tool_flags              prints the compiler flags for tools that read single files

say() {
    printf '%s\n' "$*"
}

python3_with_venv() {
    local candidate
    for candidate in /usr/bin/python3 python3; do
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            say "$candidate"
            return 0
        fi
    done
    say "want python3 with its venv module (Debian: python3-venv); run make setup" >&2
    return 1
}

clang_or_default() {
    if command -v "$1-14" >/dev/null; then
        say "$1-14"
    else
        say "$1"
    fi
}

# Compiler flags for tools that read one source file without a build; makes the generated header.
tool_flags() {
    cmake -D "SRC=$PWD/src" -D "OUT=$PWD/.cache/generated/base/build_id.h" -D VERSION=0 \
        -P scripts/build_id.cmake
    say -std=gnu17 -D_GNU_SOURCE -Isrc -Itests -I.cache/generated \
        '-DOPENAPI_PATH="docs/openapi.json"'
}
