"""Asks a running server for the demo's held-out rows and holds the answers against scikit-learn.

usage: ask.py DIR DATA_URL OPS_URL SERVER_PID
exit   0 all agree to 1e-5 relative, 1 not, or the server never became ready
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

TOLERANCE = 1e-5
SHOWN = 6


def get(url, body=None):
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers


def wait_ready(url, pid):
    for _ in range(600):
        try:
            get(url)
            return
        except (urllib.error.URLError, ConnectionError):
            os.kill(pid, 0)  # raises when the server is gone
            time.sleep(0.05)
    sys.exit(f"demo: {url} never became ready")


def metrics(ops):
    lines = {}
    for line in get(f"{ops}/metrics")[0].splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            lines[name] = float(value)
    return lines


def infer(data, model, rows):
    meta = json.loads(get(f"{data}/v2/models/{model}")[0])
    tensor = meta["inputs"][0]
    flat = [v for row in rows for v in row]
    body = {"inputs": [{"name": tensor["name"], "datatype": tensor["datatype"],
                        "shape": [len(rows), len(rows[0])], "data": flat}]}
    text, headers = get(f"{data}/v2/models/{model}/infer", body)
    outputs = {o["name"]: o for o in json.loads(text)["outputs"]}
    return outputs, headers


def relative(seen, wanted):
    return abs(seen - wanted) / max(abs(wanted), 1e-12)


def show_tumor(folder, data):
    known = json.loads((folder / "tumor.json").read_text())
    rows, labels = known["rows"], known["answers"]["label"]
    chances = known["answers"]["probability"]
    outputs, headers = infer(data, "tumor", rows)
    seen = outputs["output_probability"]["data"]
    ours = [seen[2 * i:2 * i + 2] for i in range(len(rows))]
    print(f"\ntumor, version {headers['x-garrison-model-version']}, "
          f"{headers['x-garrison-model-digest'][:19]}...: {len(rows)} held-out rows")
    print("   row  served: label  P(benign)    scikit-learn: label  P(benign)")
    for i in range(SHOWN):
        print(f"  {i:4}  {outputs['output_label']['data'][i]:13}  {ours[i][1]:.7f}"
              f"  {labels[i]:19}  {chances[i][1]:.7f}")
    worst = max(relative(a, b) for o, c in zip(ours, chances) for a, b in zip(o, c))
    if outputs["output_label"]["data"] != labels:
        sys.exit("demo: a label differs")
    return worst


def show_diabetes(folder, data):
    known = json.loads((folder / "diabetes.json").read_text())
    rows, wanted = known["rows"], known["answers"]["value"]
    outputs, headers = infer(data, "diabetes", rows)
    seen = next(iter(outputs.values()))["data"]
    print(f"\ndiabetes, version {headers['x-garrison-model-version']}, "
          f"{headers['x-garrison-model-digest'][:19]}...: {len(rows)} held-out rows")
    print("   row  served progression    scikit-learn")
    for i in range(SHOWN):
        print(f"  {i:4}  {seen[i]:18.6f}  {wanted[i]:14.6f}")
    return max(relative(a, b) for a, b in zip(seen, wanted))


def main():
    folder, data, ops = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    wait_ready(f"{data}/v2/models/tumor/ready", int(sys.argv[4]))
    wait_ready(f"{data}/v2/models/diabetes/ready", int(sys.argv[4]))
    before = metrics(ops)
    worst = max(show_tumor(folder, data), show_diabetes(folder, data))
    after = metrics(ops)
    print("\nMetrics that moved (GET /metrics on the ops port):")
    for name, value in after.items():
        moved = value - before.get(name, 0.0)
        if moved and name.startswith(("garrison_inference_requests_total",
                                      "garrison_inference_rows_total",
                                      "garrison_inference_request_duration_seconds_count")):
            print(f"  {name} +{moved:g}")
    print(f"\nLargest relative difference from scikit-learn: {worst:.2e} (allowed {TOLERANCE:.0e})")
    if not worst <= TOLERANCE:
        sys.exit("demo: a number differs")


main()
