#!/usr/bin/env bash
# The main job in one minute: trains two small models, serves them from a sandbox, asks for
# predictions and holds every number against scikit-learn's own.
#
# usage: scripts/demo.sh      ONCE=1 stops the server at the end; DEMO_PORT, DEMO_OPS_PORT (8000, 8002)
# exit   0 all numbers agree, 1 one differs or the server did not start, 2 a port is taken
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

work=build/demo
port=${DEMO_PORT:-8000}
ops=${DEMO_OPS_PORT:-8002}
python=.cache/venv/demo/bin/python
garrison=build/release/garrison

for p in "$port" "$ops"; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
        say "demo: port $p of 127.0.0.1 is taken; free it, or set DEMO_PORT and DEMO_OPS_PORT" >&2
        exit 2
    fi
done

mkdir -p "$work"
say "Training two models on data that scikit-learn ships (breast cancer, diabetes) ..."
"$python" demo/train.py "$work"

say "Starting: $garrison serve $work/tumor.onnx $work/diabetes.onnx"
log=$work/server.log
"$garrison" serve "$work/tumor.onnx" "$work/diabetes.onnx" --listen "127.0.0.1:$port" \
    --ops-listen "127.0.0.1:$ops" >"$work/access.ndjson" 2>"$log" </dev/null &
server=$!
stop() {
    if kill -0 "$server" 2>/dev/null; then
        kill -TERM "$server"
        until grep -q draining "$log" || ! kill -0 "$server" 2>/dev/null; do sleep 0.05; done
        kill -TERM "$server" 2>/dev/null || true # the second one skips the drain delay
        wait "$server" || true
    fi
}
trap 'stop' EXIT INT TERM

status=0
"$python" demo/ask.py "$work" "http://127.0.0.1:$port" "http://127.0.0.1:$ops" "$server" || status=$?
if [ "$status" -ne 0 ]; then
    say "demo: see $log" >&2
    tail -n 20 "$log" >&2
    exit "$status"
fi
[ -z "${ONCE:-}" ] || exit 0

say "" "The server is still up. Try:" \
    "  $garrison infer tumor --csv $work/tumor.csv --server http://127.0.0.1:$port" \
    "  $garrison status --server http://127.0.0.1:$ops" \
    "  curl -s http://127.0.0.1:$port/v2/models/diabetes" \
    "  curl -s http://127.0.0.1:$ops/metrics | grep inference_requests" \
    "  tail -n 1 $work/access.ndjson" \
    "Stop it with:" \
    "  kill $server"
trap - EXIT INT TERM
