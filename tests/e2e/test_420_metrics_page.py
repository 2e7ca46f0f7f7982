"""docs/metrics.md against src/watch/metrics.def and against the labels on a live page.

usage: python tests/e2e/test_420_metrics_page.py > docs/metrics.md    makes the page anew
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = {"COUNTER": "counter", "COUNTER_F": "counter", "GAUGE": "gauge", "GAUGE_F": "gauge"}
LABELS = {
    "NONE": "", "ROLE": "role", "ROLE_MEMORY": "role kind", "ROUTE": "route",
    "ROUTE_METHOD": "route method", "ROUTE_METHOD_CODE": "route method code",
    "PROTOCOL": "protocol", "REJECTED": "reason", "AUTH": "method result",
    "PAIR": "outcome reason", "STAGE": "stage", "STATE": "state", "TRACK": "track",
    "RESULT": "result", "MODEL_MEMORY": "kind", "EXIT": "reason", "SINK": "sink",
    "EXPORTED": "sink result", "DROPPED": "sink reason", "LOG": "stream level",
    "LIMITED": "metric",
}
OWN = {  # what the table calls SPECIAL
    "garrison_build_info": ("gauge", "version build"),
    "garrison_model_info": ("gauge", "digest backend unsigned"),
    "process_cpu_seconds_total": ("counter", ""),
    "process_resident_memory_bytes": ("gauge", ""),
    "garrison_series": ("gauge", ""),
}
HEAD = """# Metrics

This page is made from the table that the server reads (`src/watch/metrics.def`); a test holds the two together.

`GET /metrics` on the ops listener answers in Prometheus' text form, or in OpenMetrics where `Accept` asks for it. Counters
begin at zero when the server starts; the death of a front or a worker does not touch them. `outcome` and `reason` are those of
`src/base/outcomes.def`; the outcomes of a model's requests add up to all of them.

A request counts under the route that its request line names, also where the rest of its head is refused; where the request
line itself is refused the route is `_OTHER`, and the request is none for a model. Whoever leaves before the head is whole has
asked for nothing. So the sum of `garrison_inference_requests_total` over all models and outcomes is the sum of
`garrison_http_requests_total` over the inference route; an unknown model, and one that a refused head may not name, is `_OTHER`.

| name | type | labels | meaning |
|---|---|---|---|
"""


def families():
    """[(name, type, labels, help)] as the table has them."""
    text = (ROOT / "src/watch/metrics.def").read_text()
    rows = re.findall(r'^METRIC\("(=?)(\w+)", (\w+), (\w+), (\w+), .*, "(.*)"\)$', text, re.M)
    assert len(rows) == len(re.findall(r"^METRIC\(", text, re.M))
    found = []
    for bare, name, kind, labels, scope, meaning in rows:
        full = name if bare else "garrison_" + name
        kind, words = OWN.get(full) or (TYPES.get(kind, "histogram"), LABELS[labels])
        words = ("model version " if scope == "VERSION" else "") + words
        found.append((full, kind, words.split(), meaning))
    return found


def page():
    lines = [f"| `{name}` | {kind} | {' '.join(f'`{w}`' for w in words)} | {meaning} |"
             for name, kind, words, meaning in families()]
    return HEAD + "\n".join(lines) + "\n"


def test_the_page_is_that_of_the_table():
    assert (ROOT / "docs/metrics.md").read_text() == page()


def test_a_server_shows_no_other_type_and_no_other_label(serve, models):
    server = serve(models / "identity.onnx").wait_started().wait_model("identity")
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [1, 256], "data": [1.0] * 256}
    assert server.infer("identity", [tensor]).status == 200
    text = server.request("/metrics", base=server.ops).body.decode()
    wanted = {name: (kind, words) for name, kind, words, _ in families()}
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert types == {name: kind for name, (kind, _) in wanted.items()}
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.M):
        family = name if name in wanted else re.sub(r"_(bucket|sum|count)$", "", name)
        seen = [word for word in re.findall(r'(\w+)="', inside) if word != "le"]
        assert seen == wanted[family][1], name


if __name__ == "__main__":
    print(page(), end="")
