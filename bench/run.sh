#!/usr/bin/env bash
# Measures the figures of bench/figures.tsv, appends them to bench/results.tsv and renders
# bench/RESULTS.md. Wants a quiet machine of at least two cores, and root for PSS.
#
# usage: bench/run.sh [FIGURE...]      without one, all of them
set -euo pipefail
cd "$(dirname "$0")/.."

work=build/bench
.cache/venv/demo/bin/python bench/models.py "$work"
python3 bench/pair.py "$work" "$@"
python3 bench/render.py
