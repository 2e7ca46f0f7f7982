#!/usr/bin/env python3
"""Renders bench/RESULTS.md from bench/results.tsv, figures.tsv and notes.md: the latest value of
each figure, and what it was made of.

usage: render.py     from the root of the tree
"""

import csv
from pathlib import Path

BENCH = Path("bench")


def read(name):
    with open(BENCH / name, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t"))


def main():
    latest = {row["figure"]: row for row in read("results.tsv")}
    facts = read("figures.tsv")
    named = {fact["figure"] for fact in facts}
    lines = ["# Figures", "",
             "Made by `make bench`, or one alone by `bench/run.sh FIGURE`; every run is a row of "
             "`results.tsv`. This page is rendered from the latest row of each figure.", "",
             "| figure | value | quartiles | bar | holds | what | when, commit |",
             "|---|---|---|---|---|---|---|"]
    for fact in facts:
        row = latest.get(fact["figure"])
        if not row:
            continue
        ends = [latest.get(f"{fact['figure']}_{q}", {}).get("value", "") for q in ("q1", "q3")]
        lines.append(f"| `{row['figure']}` | {row['value']} {row['unit']} | {' to '.join(ends)} | "
                     .replace("|  to  |", "| |") +
                     f"{row['bar']} | {row['holds']} | {fact['what']} | "
                     f"{row['date']} {row['commit']} |")
    lines += ["", "What they are made of:", "", "| figure | value |", "|---|---|"]
    for name, row in latest.items():
        if name not in named and not name.endswith(("_q1", "_q3")):
            lines.append(f"| `{name}` | {row['value']} {row['unit']} |")
    machines = sorted({row["machine"] for row in latest.values()})
    lines += ["", f"Machine: {'; '.join(machines)}.", "", (BENCH / "notes.md").read_text().strip()]
    (BENCH / "RESULTS.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
