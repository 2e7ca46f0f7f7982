"""What is seen from outside agrees with what clients saw: metrics, their identity, access lines."""

import gzip
import json
import random
import re
import shutil
import subprocess
import threading
import urllib.request

import pytest
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as open_parser

from conftest import ROOT, wait_for
from live import running
from wire import Wire, ask, request

REQUESTS = "garrison_inference_requests_total"
OPEN = "application/openmetrics-text; version=1.0.0"
LAT = "5e-05 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 " \
      "1.0 2.5 5.0 7.5 10.0 +Inf"
CANARY = "xyzzy-canary"
CANARY_NUMBER = "74119.64"


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    paths = {n: models / f"{n}.onnx" for n in ("matmul", "gather", "spin", "identity_bytes",
                                               "identity_fp32")}
    paths["broken"] = models / "sequence_output.onnx"
    with running(tmp_path_factory.mktemp("metrics"), paths,
                 {"limits": {"body": "64KiB"}, "defaults": {"queue": 4}}) as made:
        yield made


def body(name, shape, kind, data, **more):
    return json.dumps({"inputs": [{"name": name, "shape": shape, "datatype": kind, "data": data}],
                       **more}).encode()


ROW = body("x", [1, 64], "FP32", [0.5] * 64)


def scrape(server, accept=None):
    ask_for = urllib.request.Request(server.ops + "/metrics",
                                     headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(ask_for, timeout=30) as answer:
        return answer.read().decode(), answer.headers


def samples(families):
    """{(name, labels): value}; a sample twice fails."""
    found = {}
    for family in families:
        for s in family.samples:
            key = s.name, tuple(sorted(s.labels.items()))
            assert key not in found, key
            found[key] = s.value
    return found


# The page.

def test_both_forms_parse_and_say_the_same(server):
    assert ask(server.data_port, "POST", "/v2/models/matmul/infer", ROW).status == 200
    scrape(server)  # the page counts its own route from the second time on
    text, headers = scrape(server)
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    opened, headers = scrape(server, OPEN)
    assert headers["content-type"] == \
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert opened.endswith("# EOF\n") and opened.count("# EOF") == 1
    families = list(open_parser.text_string_to_metric_families(opened))
    assert len({f.name for f in families}) == len(families)
    ours, theirs = samples(text_parser.text_string_to_metric_families(text)), samples(families)
    assert set(ours) == set(theirs) and len(ours) > 300
    still = [k for k in ours if k[0].startswith("garrison_inference")]
    assert len(still) > 300 and [ours[k] for k in still] == [theirs[k] for k in still]
    assert not any(name.endswith("_created") for name, _ in ours)


@pytest.mark.parametrize("accept,is_open", [
    (None, False), ("*/*", False), ("text/plain", False), (OPEN + ";q=0.5,text/plain;q=0.4", True),
    (OPEN + ";q=0.1,text/plain;version=0.0.4;q=0.9", False), ("application/json", False),
    ("application/openmetrics-text;version=0.0.1", True),
    ("application/openmetrics-text;version=2.0.0", False)])
def test_accept_chooses_the_form(server, accept, is_open):
    page, headers = scrape(server, accept)
    assert headers["content-type"].startswith(
        "application/openmetrics-text" if is_open else "text/plain")
    assert page.endswith("# EOF\n") == is_open


def test_gzip_on_request(server):
    with Wire(server.ops_port) as wire:
        reply = wire.send(request("GET", "/metrics", fields=["Accept-Encoding: gzip"])).reply()
        if reply["content-encoding"] == "gzip":
            reply.body = gzip.decompress(reply.body)
        assert b"garrison_build_info" in reply.body


def test_histograms_add_up(server):
    page, _ = scrape(server)
    found, buckets = samples(text_parser.text_string_to_metric_families(page)), {}
    for (name, labels), value in found.items():
        if name.endswith("_bucket"):
            le = dict(labels)["le"]
            rest = tuple(p for p in labels if p[0] != "le")
            buckets.setdefault((name[:-7], rest), []).append((le, value))
    assert len(buckets) > 20
    for (name, rest), pairs in buckets.items():
        values = [v for _, v in pairs]
        assert values == sorted(values), name
        assert [float(le) for le, _ in pairs] == sorted(float(le) for le, _ in pairs)
        assert pairs[-1][0] == "+Inf" and pairs[-1][1] == found[name + "_count", rest]
        assert found[name + "_sum", rest] >= 0
        for le, _ in pairs:
            assert le == "+Inf" or "." in le or re.search(r"e-\d\d$", le), le
    bounds = [le for le, _ in buckets["garrison_inference_request_duration_seconds",
                                      (("model", "matmul"), ("version", "1"))]]
    assert bounds == LAT.split()


def test_promtool(server):
    """Debian's package prometheus has it; nothing of ours needs it."""
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not installed")
    page, _ = scrape(server)
    ended = subprocess.run([tool, "check", "metrics"], input=page, capture_output=True, text=True)
    assert ended.returncode == 0 and not ended.stderr, ended.stderr + ended.stdout


# The identity of outcomes.

def post(path, data, fields=()):
    return request("POST", f"/v2/models/{path}/infer", data, fields)


INT = lambda *v: body("i", [len(v)], "INT64", list(v))
MIX = {  # bytes and the statuses that may come back
    "ok": (post("matmul", ROW), {200}),
    "gather": (post("gather", INT(1, 2)), {200}),
    "engine": (post("gather", INT(9)), {500}),
    "input": (post("matmul", b"{"), {400}),
    "unwritable": (post("identity_bytes", json.dumps({"inputs": [
        {"name": "INPUT0", "shape": [1, 1], "datatype": "BYTES",
         "parameters": {"binary_data_size": 5}}]}).encode() + b"\x01\0\0\0\xff",
        ["Inference-Header-Content-Length: 110"]), {400}),
    "no model": (post("nobody", ROW), {404}),
    "no version": (post("matmul/versions/9", ROW), {404}),
    "no caller": (post("matmul", ROW, ["Authorization: Bearer " + CANARY]), {401}),
    "denied": (post("matmul", ROW, ["Origin: http://evil.example"]), {403}),
    "method": (request("GET", "/v2/models/matmul/infer"), {405}),
    "too big": (request("POST", "/v2/models/matmul/infer", fields=["Content-Length: 99999"]), {413}),
    "coding": (post("matmul", ROW, ["Content-Encoding: br"]), {415}),
    "unsupported": (post("matmul", ROW[:-1] + b',"parameters":{"sequence_id":1}}'), {501}),
    "not loaded": (post("broken", ROW), {503}),
    "late": (post("spin", body("n", [1], "INT64", [10**6], parameters={"timeout": 20000})),
             {504, 429}),
    "busy": (post("spin", body("n", [1], "INT64", [500])), {200, 429}),
}


def outcomes(server):
    return {k: v for k, v in server.metrics().items() if k.startswith(REQUESTS + "{")}


def test_every_request_ends_in_one_outcome(server):
    """Under a mix of answers, refusals and callers that leave, from 8 connections at a time."""
    before, http_before = outcomes(server), server.metrics()
    count, lock, wrong = {"sent": 0}, threading.Lock(), []

    def one(seed):
        r = random.Random(seed)
        for _ in range(40):
            name = r.choice([*MIX, "leave", "leave"])
            with Wire(server.data_port) as wire:
                if name == "leave":
                    wire.send(post("spin", body("n", [1], "INT64", [10**6])))
                    wait = r.random() * 0.02
                    wire.sock.settimeout(wait)
                    try:
                        wire.sock.recv(1)  # a refusal, or time to get into queue or lane
                    except TimeoutError:
                        pass
                else:
                    reply = wire.send(MIX[name][0]).reply()
                    if reply is None or reply.status not in MIX[name][1]:
                        wrong.append((name, reply and (reply.status, reply.body)))
                with lock:
                    count["sent"] += 1

    # Nothing is known of spin's long runs yet, so the first is let in and ends at its deadline;
    # those of the mix may be refused instead.
    with Wire(server.data_port) as wire:
        assert wire.send(MIX["late"][0]).reply().status == 504
    count["sent"] += 1
    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    grown = lambda: sum(outcomes(server).values()) - sum(before.values())
    wait_for("every request counted", lambda: grown() >= count["sent"])
    assert grown() == count["sent"] == 321
    after = outcomes(server)
    for outcome in ("ok", "client_error", "rejected", "timeout", "cancelled", "server_error"):
        assert sum(after[k] - before.get(k, 0) for k in after if f'outcome="{outcome}"' in k) > 0, \
            outcome
    # The same requests by route and status: every answer that went out.
    page = server.metrics()
    route = 'route="/v2/models/{model}[/v]/infer"'
    answered = sum(v - http_before.get(k, 0) for k, v in page.items()
                   if k.startswith("garrison_http_requests_total{") and route in k)
    assert answered == count["sent"], [k for k in page if route in k][:3]
    wait_for("nothing in flight", lambda: all(
        v == 0 for k, v in server.metrics().items()
        if k.startswith(("garrison_inference_in_flight", "garrison_inference_queue_depth"))))


def test_counters_never_fall(server):
    counters = lambda page: {(s.name, tuple(sorted(s.labels.items()))): s.value for f in
                             open_parser.text_string_to_metric_families(page)
                             if f.type in ("counter", "histogram") for s in f.samples}
    last = counters(scrape(server, OPEN)[0])
    for _ in range(10):
        assert ask(server.data_port, "POST", "/v2/models/matmul/infer", ROW).status == 200
        now = counters(scrape(server, OPEN)[0])
        assert set(last) <= set(now)
        fallen = [k for k in last if now[k] < last[k]]
        assert not fallen, fallen
        last = now


def test_stages_leave_no_gap(server):
    for _ in range(20):
        assert ask(server.data_port, "POST", "/v2/models/matmul/infer", ROW).status == 200
    page = server.metrics()
    mv = 'model="matmul",version="1"'
    whole = page[f"garrison_inference_request_duration_seconds_sum{{{mv}}}"]
    count = page[f"garrison_inference_request_duration_seconds_count{{{mv}}}"]
    parts = {k: v for k, v in page.items()
             if k.startswith("garrison_inference_stage_duration_seconds_sum") and mv in k}
    assert {re.search('stage="(\\w+)"', k)[1] for k in parts} == {
        "parse", "gate", "queue", "input", "compute", "output", "reply"}
    assert abs(sum(parts.values()) - whole) <= 1e-6 * whole + 1e-9 * count
    for k, v in page.items():
        if k.startswith("garrison_inference_stage_duration_seconds_count") and mv in k:
            assert v == count
    assert count == page[f'{REQUESTS}{{{mv},outcome="ok",reason="none"}}']
    assert page[f"garrison_inference_rows_total{{{mv}}}"] == count


# Lines.

def keys_and_types():
    order = (ROOT / "tests/data/access_keys.txt").read_text().split()
    types = {}
    for line in (ROOT / "tests/data/ecs_fields.tsv").read_text().splitlines():
        if not line.startswith("#"):
            name, kind, many = line.split("\t")
            types[name] = kind, many == "array"
    return order, types


def fits(value, kind):
    if kind == "long":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "date":
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value))
    return isinstance(value, str) and value != ""


def test_access_lines(server):
    """One line a request, keys in their order, ECS types, the outcome the client saw."""
    order, types = keys_and_types()
    sent = {f"line-{name.replace(' ', '-')}": name for name in MIX if name != "busy"}
    for ident, name in sent.items():
        data, statuses = MIX[name]
        head, rest = data.split(b"\r\n", 1)
        with Wire(server.data_port) as wire:
            wire.send(head + b"\r\nX-Request-Id: " + ident.encode() + b"\r\n" + rest)
            assert wire.reply().status in statuses
    mine = lambda: [a for a in server.access_lines() if a.get("http.request.id") in sent]
    wait_for("a line a request", lambda: len(mine()) >= len(sent))
    lines = mine()
    assert len(lines) == len(sent)
    for line in server.access_lines():
        keys = list(line)
        assert keys == [k for k in order if k in keys], keys
        for key, value in line.items():
            if key in types:
                kind, many = types[key]
                assert isinstance(value, list) == many, key
                assert all(fits(v, kind) for v in (value if many else [value])), (key, value)
            else:
                assert key.startswith("garrison."), key
                assert value is not None and value != ""
    for line in lines:
        assert line["http.response.status_code"] in MIX[sent[line["http.request.id"]]][1]
        assert line["garrison.route"] == "/v2/models/{model}[/v]/infer"
        assert (line["event.outcome"] == "success") == (line["http.response.status_code"] == 200)
        assert (line["garrison.outcome"] == "ok") == (line["http.response.status_code"] == 200)
        assert ("error.code" in line) == (line["http.response.status_code"] != 200)
    good = next(a for a in lines if a["http.request.id"] == "line-ok")
    assert good["garrison.rows"] == 1 and good["garrison.model.unsigned"] is True
    assert good["http.request.body.bytes"] == len(ROW) and good["url.path"].endswith("matmul/infer")


def test_no_payload_in_any_line(server):
    data = body("INPUT0", [1, 2], "BYTES", [CANARY, CANARY], id=CANARY)
    reply = ask(server.data_port, "POST", f"/v2/models/identity_bytes/infer?{CANARY}", data)
    assert CANARY in reply.body.decode()
    number = body("INPUT0", [1, 1], "FP32", [float(CANARY_NUMBER)])
    assert CANARY_NUMBER in ask(server.data_port, "POST", "/v2/models/identity_fp32/infer",
                                number).body.decode()
    for bad in (b'{"' + CANARY.encode(), body(CANARY, [1, 1], "FP32", [1]),
                body("INPUT0", [1, 1], CANARY, [1]), body("INPUT0", [1, 1], "FP32", [CANARY])):
        assert ask(server.data_port, "POST", "/v2/models/identity_fp32/infer", bad).status == 400
    ask(server.data_port, "GET", "/v2", fields=[f"Authorization: Bearer {CANARY}",
                                                f"Cookie: a={CANARY}", f"x-other: {CANARY}"])
    reply = ask(server.data_port, "GET", "/v2/models", fields=["X-Request-Id: the-last-one"])
    assert reply.status == 200
    wait_for("the last line", lambda: any("the-last-one" in line for line in list(server.lines)))
    page, _ = scrape(server)
    for line in [*server.lines, *server.errors, *page.splitlines()]:
        assert CANARY not in line and CANARY_NUMBER not in line, line


def test_lines_agree_with_counters(models, tmp_path):
    """A server of its own: as many access lines as requests, on both listeners."""
    with running(tmp_path, {"matmul": models / "matmul.onnx"}) as server:
        for _ in range(50):
            assert ask(server.data_port, "POST", "/v2/models/matmul/infer", ROW).status == 200
        wait_for("50 lines", lambda: sum(
            a.get("garrison.route", "").endswith("/infer") for a in server.access_lines()) >= 50)
        page = server.metrics()
        lines = [a for a in server.access_lines() if a["garrison.route"].endswith("/infer")]
        assert len(lines) == 50
        assert len({a["http.request.id"] for a in lines}) == 50
        assert not any(v for k, v in page.items() if k.startswith("garrison_telemetry_dropped"))
