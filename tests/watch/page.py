"""Judges a page of metrics with prometheus_client, and by rules that its parsers do not hold.

usage: page.py open|text FILE
Prints the families and the number of samples, or one line that says what is wrong.
"""
import re
import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text

LE = re.compile(r'^(\+Inf|\d+\.\d+(e[+-]\d\d)?|\d+e-\d\d)$')


def shortest(le):
    """The form that Go's %g of the shortest digits has, with .0 added to whole numbers."""
    if le == "+Inf":
        return le
    digits, exponent = f"{float(le):.17g}", 0
    for precision in range(1, 18):
        digits = f"{float(le):.{precision}g}"
        if float(digits) == float(le):
            break
    mantissa, exponent = f"{float(le):.{max(precision - 1, 0)}e}".split("e")
    exponent = int(exponent)
    if exponent < -4 or exponent >= 6 and exponent >= 0:
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{exponent:+03d}"
    plain = f"{float(le):.17f}".rstrip("0") if exponent < 0 else repr(float(le))
    for places in range(1, 18):
        plain = f"{float(le):.{places}f}"
        if float(plain) == float(le):
            break
    return plain


def check(families, page, is_open):
    seen, samples = set(), 0
    for family in families:
        last = {}
        for sample in family.samples:
            samples += 1
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in seen, f"twice: {key}"
            seen.add(key)
            if sample.name.endswith("_bucket"):
                le = sample.labels["le"]
                assert LE.match(le) and shortest(le) == le, f"le {le}, want {shortest(le)}"
                group = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                assert sample.value >= last.get((sample.name, group), 0), f"falls: {key}"
                last[(sample.name, group)] = sample.value
            if sample.name.endswith("_count") and family.type == "histogram":
                group = tuple(sorted(sample.labels.items()))
                assert sample.value == last[(sample.name[:-6] + "_bucket", group)], f"{key}"
    if is_open:
        heads = [line.split()[1] + line.split()[2] for line in page.splitlines()
                 if line.startswith("# ") and line != "# EOF"]
        at = 0
        while at < len(heads):
            name = heads[at][4:]
            assert heads[at].startswith("TYPE"), heads[at]
            if heads[at + 1].startswith("UNIT"):
                at += 1
            assert heads[at + 1] == "HELP" + name, heads[at + 1]
            at += 2
        assert page.endswith("# EOF\n") and page.count("# EOF") == 1
    print(samples, *sorted(f.name for f in families))


with open(sys.argv[2], encoding="utf-8", newline="") as file:
    PAGE = file.read()
try:
    PARSER = openmetrics if sys.argv[1] == "open" else text
    check(list(PARSER.text_string_to_metric_families(PAGE)), PAGE, sys.argv[1] == "open")
except (ValueError, AssertionError, KeyError) as reason:
    print(f"wrong: {reason!r}")
    sys.exit(1)
