"""Judges ECS lines: JSON by Python's reader, keys and types by tests/data/ecs_fields.tsv.

usage: lines.py FILE ORDER    FILE: NDJSON; ORDER: a file of the keys in the order they must have
"""
import ipaddress
import json
import re
import sys

ECS = {}
with open("tests/data/ecs_fields.tsv", encoding="utf-8") as table:
    for row in table:
        if not row.startswith("#"):
            field, kind, shape = row.rstrip("\n").split("\t")
            ECS[field] = (kind, shape)
with open(sys.argv[2], encoding="utf-8") as names:
    ORDER = names.read().split()


def check_value(key, value):
    kind, shape = ECS[key]
    if shape == "array":
        assert isinstance(value, list) and value and all(isinstance(v, str) for v in value), key
    elif kind == "long":
        assert type(value) is int and value >= 0, key
    elif kind == "ip":
        assert str(ipaddress.ip_address(value)) == value, f"{key} {value}"
    elif kind == "date":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value), value
    else:
        assert isinstance(value, str) and value, key


def check(raw):
    assert len(raw) <= 4096, f"{len(raw)} bytes"
    assert raw.endswith(b"\n") and raw.count(b"\n") == 1
    pairs = json.loads(raw.decode("utf-8"), object_pairs_hook=lambda p: p)
    keys = [k for k, _ in pairs]
    assert len(set(keys)) == len(keys), "a key twice"
    at = -1
    for key, value in pairs:
        assert key in ORDER, f"unknown key {key}"
        assert ORDER.index(key) > at, f"{key} comes too late"
        at = ORDER.index(key)
        if key.startswith("garrison."):
            assert value not in ("", None), key
        else:
            check_value(key, value)


with open(sys.argv[1], "rb") as file:
    LINES = file.readlines()
for number, line in enumerate(LINES, 1):
    try:
        check(line)
    except (ValueError, AssertionError, KeyError) as reason:
        print(f"line {number}: {reason!r}: {line[:300]!r}")
        sys.exit(1)
print(len(LINES))
