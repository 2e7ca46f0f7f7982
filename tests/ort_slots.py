#!/usr/bin/env python3
"""Holds every row of src/engine/ort.def against a header of the runtime: slot, and how many
parameters of what kind of pointer.

usage: ort_slots.py [HEADER]

Without HEADER: Debian's libonnxruntime-dev if installed, else the one in Go module
github.com/yalue/onnxruntime_go, fetched by `go mod download` into .cache/go. Exit 77: no header
could be had.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = "github.com/yalue/onnxruntime_go@v1.27.0"
DEBIAN = ["/usr/include/onnxruntime/onnxruntime_c_api.h",
          "/usr/include/onnxruntime/core/session/onnxruntime_c_api.h"]
ENTRY = re.compile(r"ORT_API2_STATUS\(\s*(\w+)|ORT_CLASS_RELEASE\(\s*(\w+)\s*\)|"
                   r"\(\s*ORT_API_CALL\s*\*\s*(\w+)\s*\)\s*\(|\(\s*\*\s*(\w+)\s*\)\s*\(")


def fetch():
    for path in DEBIAN:
        if os.path.exists(path):
            return Path(path)
    env = {**os.environ, "GOPATH": str(ROOT / ".cache/go"), "GOFLAGS": "-mod=mod -modcacherw"}
    try:
        done = subprocess.run(["go", "mod", "download", "-json", MODULE], env=env, text=True,
                              cwd="/", capture_output=True, timeout=120, check=True)
        return Path(json.loads(done.stdout)["Dir"]) / "onnxruntime_c_api.h"
    except (OSError, subprocess.SubprocessError, KeyError, ValueError):
        return None


def bare(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def closing(text, at, opens, closes):
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == opens) - (text[i] == closes)
        if depth == 0:
            return i
    raise ValueError("unbalanced")


def split(text):
    """Parameters at the top level of a list."""
    parts, depth, part = [], 0, ""
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    return [p for p in parts + [part] if p.strip()]


def stars(parameter):
    parameter = re.sub(r"_\w+_(opt_)?(\([^)]*\))?", " ", parameter)
    return parameter.count("*")


def of_header(path):
    """name -> (slot, stars of each parameter)"""
    text = bare(path.read_text())
    begin = text.index("struct OrtApi {")
    body = text[text.index("{", begin):closing(text, text.index("{", begin), "{", "}")]
    table = {}
    for slot, m in enumerate(ENTRY.finditer(body)):
        name = m[1] or (m[2] and "Release" + m[2]) or m[3] or m[4]
        if m[2]:
            table[name] = (slot, [1])
            continue
        at = body.index("(", m.start()) if m[1] else m.end() - 1
        parameters = split(body[at + 1:closing(body, at, "(", ")")])
        table[name] = (slot, [stars(p) for p in (parameters[1:] if m[1] else parameters)])
    return table


def of_ours():
    text = bare((ROOT / "src/engine/ort.def").read_text())
    for m in re.finditer(r"\bORT\(", text):
        parts = split(text[m.end():closing(text, m.end() - 1, "(", ")")])
        yield int(parts[0]), parts[1].strip(), [stars(p) for p in split(parts[3].strip()[1:-1])]


def main(args):
    header = Path(args[0]) if args else fetch()
    if header is None or not header.exists():
        print("SKIP: no header of the runtime (libonnxruntime-dev, or go and its proxy)")
        return 77
    theirs = of_header(header)
    wrong = rows = 0
    for slot, name, parameters in of_ours():
        rows += 1
        # a callback is a pointer in the header's typedef and none in the count of stars
        want_slot, want = theirs.get(name, (None, None))
        if want is not None and name.startswith("CreateEnvWithCustomLogger"):
            want = [1] + want[1:]
        if (slot, parameters) != (want_slot, want):
            wrong += 1
            print(f"ort.def: {name} is {slot} {parameters}, the header says {want_slot} {want}")
    print(f"{rows} slots held against {header.name}: {wrong} wrong")
    return 1 if wrong or rows < 40 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
