"""Adds up what the steps of scripts/test.sh left, and ends with one line that says it all.

usage: python3 scripts/tally.py RESULTS SKIPS
RESULTS holds JUnit files of ctest and pytest, and *.tsv lines "verdict, name, reason".
SKIPS lists the skips that are allowed: lines "pattern<TAB>why", the pattern a regular expression
for the whole of "suite: name"; any other skip is a failure, so that a test cannot go missing
because its tool did. A case that cmocka skips inside a passing program counts like any other.
Exit: 0 when something ran and nothing failed.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def from_junit(path):
    suite = path.stem
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("name")
        if case.get("classname") not in (None, name):
            name = f"{case.get('classname')}.{name}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            yield suite, name, "failed", ""
        elif case.get("status") in ("fail", "disabled", "notrun") and skip is None:
            yield suite, name, "failed", case.get("status")
        elif skip is not None:
            yield suite, name, "skipped", (skip.get("message") or "").strip()
        else:
            yield suite, name, "passed", ""
        told = re.findall(r"^\[  SKIPPED \] (\w+)$", case.findtext("system-out") or "", re.M)
        for inner in dict.fromkeys(told):  # cmocka names each again in its closing list
            yield suite, f"{name}.{inner}", "skipped", "skipped inside its program"


def from_lines(path):
    words = {"ok": "passed", "FAIL": "failed", "skip": "skipped"}
    for line in path.read_text().splitlines():
        verdict, name, reason = line.split("\t", 2)
        yield path.stem, name, words[verdict], reason


def allowed_skips(path):
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, why = line.partition("\t")
        if not why.strip():
            sys.exit(f"{path}:{number}: want a pattern, a tab and why the skip is allowed")
        rows.append((re.compile(pattern), why.strip()))
    return rows


def main(results, skips):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    allowed = allowed_skips(pathlib.Path(skips))
    for path in sorted(pathlib.Path(results).iterdir()):
        read = {".xml": from_junit, ".tsv": from_lines}.get(path.suffix)
        for suite, name, verdict, reason in read(path) if read else ():
            label = f"{suite}: {name}"
            if verdict == "skipped":
                why = next((why for pattern, why in allowed if pattern.fullmatch(label)), None)
                print(f"skipped {label}: {reason or 'no reason given'} ({why or 'NOT ALLOWED'})")
                verdict = "skipped" if why else "failed"
            elif verdict == "failed":
                print(f"failed {label} {reason}".rstrip())
            counts[verdict] += 1
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
