"""Routes, what they tell, and the table of errors."""

import hashlib
import json
import re

import numpy as np
import pytest

import oip
from conftest import wait_for
from live import running
from wire import Wire, ask

ROW = {"inputs": [{"name": "x", "shape": [2, 64], "datatype": "FP32", "data": [0.5] * 128}]}


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    paths = {n: models / f"{n}.onnx" for n in ("matmul", "gather", "simple", "external",
                                               "identity_bytes", "zipmap_string", "spin")}
    paths["versioned"] = {"path": models / "matmul.onnx", "version": "7.1+b"}
    paths["stacked"] = {"path": models / "matmul.onnx", "max_batch_size": 8}
    paths["broken"] = models / "sequence_output.onnx"
    config = {"limits": {"body": "64KiB", "decoded_body": "256KiB"},
              "worker": {"loads": 4}}
    with running(tmp_path_factory.mktemp("routes"), paths, config) as made:
        yield made


def infer(server, model="matmul", ask_for=None, fields=(), path=""):
    body = json.dumps(ROW if ask_for is None else ask_for).encode()
    return ask(server.data_port, "POST", f"/v2/models/{model}{path}/infer", body, fields)


def get(server, path, fields=(), port=None):
    return ask(port or server.data_port, "GET", path, fields=fields)


def refused(reply, status, name, text=None):
    assert reply.status == status, (reply.status, reply.body)
    assert reply["content-type"] == "application/json" and reply["x-garrison-error"] == name
    assert list(reply.json) == ["error"] and "\n" not in reply.error and reply.error
    if text:
        assert text in reply.error, reply.error
    if status in (429, 503) and "(failed)" not in reply.error:
        assert 1 <= int(reply["retry-after"]) <= 30 * 1.5
    return reply


# Errors, one row of the table after the other.

INPUTS = {
    "no object": [],
    "no inputs": {},
    "unknown name": {"inputs": [{"name": "y", "shape": [1, 64], "datatype": "FP32",
                                 "data": [0] * 64}]},
    "twice": {"inputs": ROW["inputs"] * 2},
    "none of a required one": {"inputs": []},
    "another datatype": {"inputs": [{**ROW["inputs"][0], "datatype": "FP64"}]},
    "no datatype of all": {"inputs": [{**ROW["inputs"][0], "datatype": "FP31"}]},
    "a fixed dim": {"inputs": [{**ROW["inputs"][0], "shape": [4, 32]}]},
    "another rank": {"inputs": [{**ROW["inputs"][0], "shape": [128]}]},
    "-1": {"inputs": [{**ROW["inputs"][0], "shape": [-1, 64]}]},
    "a product over 2^64": {"inputs": [{**ROW["inputs"][0], "shape": [2**62, 64]}]},
    "too few": {"inputs": [{**ROW["inputs"][0], "data": [0.5] * 127}]},
    "too many": {"inputs": [{**ROW["inputs"][0], "data": [0.5] * 129}]},
    "another nesting": {"inputs": [{**ROW["inputs"][0], "data": [[0.5] * 64, [0.5] * 63, 1]}]},
    "a word": {"inputs": [{**ROW["inputs"][0], "data": ["a"] * 128}]},
    "null": {"inputs": [{**ROW["inputs"][0], "data": [None] * 128}]},
    "over FP32": {"inputs": [{**ROW["inputs"][0], "data": [1e39] * 128}]},
    "unknown output": {**ROW, "outputs": [{"name": "z"}]},
    "output twice": {**ROW, "outputs": [{"name": "y"}, {"name": "y"}]},
    "timeout of another type": {**ROW, "parameters": {"timeout": "5"}},
    "negative timeout": {**ROW, "parameters": {"timeout": -5}},
    "reserved": {**ROW, "parameters": {"triton_enable_empty_final_response": 1}},
    "classification 0": {**ROW, "outputs": [{"name": "y", "parameters": {"classification": 0}}]},
    "binary size without bytes": {"inputs": [{"name": "x", "shape": [2, 64], "datatype": "FP32",
                                              "parameters": {"binary_data_size": 512}}]},
}


@pytest.mark.parametrize("case", INPUTS)
def test_refuses_what_breaks_the_signature(server, case):
    reply = refused(infer(server, ask_for=INPUTS[case]), 400, "INPUT")
    assert reply["x-garrison-model-version"] == "1"  # a version was chosen


@pytest.mark.parametrize("body", [b"", b"{", b"{}x", b"\xff", b'{"inputs":[],"inputs":[]}',
                                  b'{"inputs":' + b"[" * 200 + b"]" * 200 + b"}"])
def test_refuses_malformed_json(server, body):
    refused(ask(server.data_port, "POST", "/v2/models/matmul/infer", body), 400, "INPUT")


@pytest.mark.parametrize("tail,size,header", [(511, 512, None), (513, 512, None), (512, 511, None),
                                              (512, 512, "9999"), (512, 512, "x"),
                                              (512, 512, "-1")])
def test_refuses_binary_bodies_that_do_not_add_up(server, tail, size, header):
    head = json.dumps({"inputs": [{"name": "x", "shape": [2, 64], "datatype": "FP32",
                                   "parameters": {"binary_data_size": size}}]}).encode()
    field = f"Inference-Header-Content-Length: {header or len(head)}"
    refused(ask(server.data_port, "POST", "/v2/models/matmul/infer", head + bytes(tail),
                fields=[field]), 400, "INPUT")


@pytest.mark.parametrize("records", [b"\x05\0\0\0abc", b"\x01\0\0\0a\x01\0\0", b"\x01\0\0\0a",
                                     b"\x01\0\0\0a" * 3, b"\xff\xff\xff\xffa\0\0\0\0"])
def test_refuses_records_that_do_not_tile(server, records):
    head = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "BYTES",
                                   "parameters": {"binary_data_size": len(records)}}]}).encode()
    refused(ask(server.data_port, "POST", "/v2/models/identity_bytes/infer", head + records,
                fields=[f"Inference-Header-Content-Length: {len(head)}"]), 400, "INPUT")


def test_no_credential_is_known(server):
    for path in ("/v2", "/v2/models/matmul"):
        reply = refused(get(server, path, ["Authorization: Bearer x"]), 401, "NO_CALLER")
        assert reply["www-authenticate"] == "Bearer"
    refused(infer(server, fields=["Authorization: Basic eDp5"]), 401, "NO_CALLER")
    assert get(server, "/v2/health/live", ["Authorization: Bearer x"]).status == 200  # public


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example",
                                  "localhost.evil", "10.0.0.1", "[::2]", "127.evil"])
def test_other_hosts_are_denied(server, host):
    with Wire(server.data_port) as wire:
        wire.send(f"GET /v2/models HTTP/1.1\r\nHost: {host}\r\n\r\n")
        refused(wire.reply(), 403, "DENIED")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "127.9.9.9", "[::1]:80"])
def test_loopback_hosts_pass(server, host):
    with Wire(server.data_port) as wire:
        wire.send(f"GET /v2/models HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert wire.reply().status == 200


def test_origins(server):
    for origin in ("http://evil.example", "null", "https://localhost.evil"):
        refused(infer(server, fields=[f"Origin: {origin}"]), 403, "DENIED")
    for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8"):
        assert infer(server, fields=[f"Origin: {origin}"]).status == 200


def test_unknown_names(server):
    reply = refused(infer(server, "nobody"), 404, "NOT_FOUND")
    assert reply.error == "Request for unknown model: 'nobody' is not found"
    reply = refused(infer(server, path="/versions/2"), 404, "NOT_FOUND")
    assert reply.error == "Request for unknown model: 'matmul' version '2' is not found"
    for path in ("/", "/v2/models/a/b/c", "/v2//models", "/v3", "/v2/models/matmul/generate",
                 "/v2/models/matmul/generate_stream", "/metrics", "/livez", "/v2/./models",
                 "/v2/models/..", "/v2/models/%2e%2e/config", "/v2/models/a%2fb"):
        assert get(server, path).status in (400, 404), path
    for path in ("/v2", "/v2/models/matmul/infer", "/"):
        refused(get(server, path, port=server.ops_port), 404, "NOT_FOUND")


@pytest.mark.parametrize("method,path,allow", [
    ("POST", "/v2", "GET, HEAD"), ("DELETE", "/v2/models/matmul", "GET, HEAD"),
    ("GET", "/v2/models/matmul/infer", "POST"), ("PUT", "/v2/models/matmul/infer", "POST"),
    ("GET", "/v2/repository/index", "POST"), ("PATCH", "/v2/health/live", "GET, HEAD")])
def test_other_methods(server, method, path, allow):
    reply = refused(ask(server.data_port, method, path), 405, "METHOD", f"takes {allow}")
    assert reply["allow"] == allow


def test_too_big(server):
    reply = ask(server.data_port, "POST", "/v2/models/matmul/infer",
                fields=["Content-Length: 65537"])
    assert refused(reply, 413, "TOO_BIG").closes


def test_headers_beyond_limits(server):
    for fields in ([f"x-{i}: y" for i in range(101)], ["x: " + "y" * 17000]):
        assert refused(get(server, "/v2", fields), 431, "HEADER").closes
    refused(get(server, "/v2?" + "q" * 9000), 431, "HEADER")


def test_codings(server):
    for coding in ("br", "zstd", "gzip, gzip", "compress"):
        refused(infer(server, fields=[f"Content-Encoding: {coding}"]), 415, "CODING")


def test_a_model_that_fails(server):
    reply = infer(server, "gather", {"inputs": [
        {"name": "i", "shape": [2], "datatype": "INT64", "data": [0, 9]}]})
    refused(reply, 500, "ENGINE")
    assert reply["x-garrison-model-version"] == "1"
    good = infer(server, "gather", {"inputs": [
        {"name": "i", "shape": [2], "datatype": "INT64", "data": [0, 3]}]})
    assert good.json["outputs"][0]["data"] == [0.0, 3.0]


def test_extensions_that_are_not_offered(server):
    for port in (server.data_port, server.ops_port):
        for verb in ("load", "unload"):
            reply = ask(port, "POST", f"/v2/repository/models/matmul/{verb}", b"{}")
            refused(reply, 501, "UNSUPPORTED", f"failed to {verb} 'matmul', not offered")
    for path in ("/v2/logging", "/v2/trace/setting", "/v2/models/matmul/trace/setting",
                 "/v2/systemsharedmemory/status", "/v2/cudasharedmemory/region/a/status"):
        refused(get(server, path), 501, "UNSUPPORTED")
    for parameters in ({"sequence_id": 5}, {"sequence_start": True}, {"sequence_end": True},
                       {"shared_memory_region": "a"}):
        where = {**ROW, "parameters": parameters}
        if "shared_memory_region" in parameters:
            where = {"inputs": [{**ROW["inputs"][0], "parameters": parameters}]}
        refused(infer(server, ask_for=where), 501, "UNSUPPORTED")
    assert infer(server, ask_for={**ROW, "parameters": {"sequence_id": 0, "priority": 1,
                                                       "other": {"a": [1]}}}).status == 200


def test_a_version_that_did_not_load(server):
    told = {e["name"]: e for e in ask(server.data_port, "POST", "/v2/repository/index").json}
    assert told["broken"]["state"] == "UNAVAILABLE"
    why = f"model 'broken' version '1' is not ready (failed): {told['broken']['reason']}"
    assert "export it as one tensor" in why and "model:" not in why
    reply = get(server, "/v2/models/broken/ready")
    assert reply.status == 503 and reply.json["name"] == "broken"
    assert reply.json["ready"] is False
    for asked in (infer(server, "broken"), get(server, "/v2/models/broken"), reply):
        assert asked.status == 503 and asked.error == why
        assert asked["retry-after"] is None
    assert get(server, "/v2/health/ready").status == 200  # one failed model turns nothing red


# What the server tells.

def test_server_and_health(server):
    told = get(server, "/v2").json
    assert told["name"] == "garrison" and re.fullmatch(r"\d+\.\d+\.\d+", told["version"])
    assert set(told["extensions"]) == {"classification", "schedule_policy", "model_configuration",
                                       "binary_tensor_data", "parameters", "statistics"}
    for path in ("/v2/", "/v2?a=b&c"):
        assert get(server, path).json == told
    assert get(server, "/v2/health/live").json == {"live": True}
    assert get(server, "/v2/health/ready").json == {"ready": True}
    assert get(server, "/livez", port=server.ops_port).json == {"live": True}
    assert get(server, "/readyz", port=server.ops_port).json == {"ready": True}
    assert sorted(get(server, "/v2/models").json["models"]) == sorted(
        ["matmul", "gather", "simple", "external", "identity_bytes", "zipmap_string", "spin",
         "versioned", "stacked", "broken"])


def test_model_metadata(server, models):
    told = get(server, "/v2/models/matmul").json
    digest = hashlib.sha256((models / "matmul.onnx").read_bytes()).hexdigest()
    assert told == {"name": "matmul", "versions": ["1"], "platform": "onnxruntime_onnx",
                    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 64]}],
                    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 32]}],
                    "properties": {"digest": f"sha256:{digest}", "unsigned": "true"}}
    labels = get(server, "/v2/models/zipmap_string").json["properties"]["labels.probabilities"]
    assert json.loads(labels) == ["setosa", "\u00e9toile", "a"]
    assert get(server, "/v2/models/versioned").json["versions"] == ["7.1+b"]


def test_model_config(server):
    told = get(server, "/v2/models/simple/config").json
    assert told["name"] == "simple" and told["backend"] == "onnxruntime"
    assert told["max_batch_size"] == 0 and "dynamic_batching" not in told
    assert [(i["name"], i["data_type"], i["dims"]) for i in told["input"]] == [
        ("INPUT0", "TYPE_INT32", [-1, 16]), ("INPUT1", "TYPE_INT32", [-1, 16])]
    assert [(o["name"], o["data_type"], o["dims"]) for o in told["output"]] == [
        ("OUTPUT0", "TYPE_INT32", [-1, 16]), ("OUTPUT1", "TYPE_INT32", [-1, 16])]
    assert told["instance_group"][0]["kind"] == "KIND_CPU"
    assert told["instance_group"][0]["count"] == 1
    told = get(server, "/v2/models/stacked/config").json
    assert told["max_batch_size"] == 8 and told["input"][0]["dims"] == [64]
    assert "dynamic_batching" in told
    assert get(server, "/v2/models/stacked").json["inputs"][0]["shape"] == [-1, 64]


def test_versions_pin(server):
    path = "/versions/7.1+b"
    reply = infer(server, "versioned", path=path)
    assert reply.status == 200 and reply.json["model_version"] == "7.1+b"
    assert reply["x-garrison-model-version"] == "7.1+b"
    for tail in ("", "/ready", "/config", "/stats"):
        assert get(server, f"/v2/models/versioned{path}{tail}").status == 200
        refused(get(server, f"/v2/models/versioned/versions/8{tail}"), 404, "NOT_FOUND")
    assert get(server, "/v2/models/versioned/versions/7.1%2Bb/ready").status == 200


def test_index(server):
    every = ask(server.data_port, "POST", "/v2/repository/index").json
    ready = ask(server.ops_port, "POST", "/v2/repository/index", b'{"ready":true}').json
    assert {e["name"] for e in every} - {e["name"] for e in ready} == {"broken"}
    assert all(e["state"] == "READY" and set(e) >= {"name", "version", "state"} for e in ready)
    refused(ask(server.data_port, "POST", "/v2/repository/index", b"{"), 400, "INPUT")


def test_statistics_count_what_was_sent(server):
    def told():
        (one,) = get(server, "/v2/models/stacked/stats").json["model_stats"]
        return one
    before = told()
    for _ in range(5):
        assert infer(server, "stacked").status == 200
    refused(infer(server, "stacked", {}), 400, "INPUT")
    count = lambda t, k: t["inference_stats"][k]["count"]
    wait_for("five runs of two rows", lambda: told()["execution_count"]
             - before["execution_count"] == 5)
    after = told()
    assert count(after, "success") - count(before, "success") == 5
    assert count(after, "fail") - count(before, "fail") == 1
    assert after["inference_count"] - before["inference_count"] == 10
    for key in ("queue", "compute_input", "compute_infer", "compute_output"):
        assert count(after, key) - count(before, key) == 5
        assert after["inference_stats"][key]["ns"] <= after["inference_stats"]["success"]["ns"]
    assert count(after, "cache_hit") == 0 and count(after, "cache_miss") == 0
    sizes = {b["batch_size"]: b["compute_infer"]["count"] for b in after["batch_stats"]}
    assert sizes[2] >= 5
    assert after["last_inference"] > 1.6e12
    whole = get(server, "/v2/models/stats").json["model_stats"]
    assert {m["name"] for m in whole} >= {"matmul", "stacked", "simple"}
    assert next(m for m in whole if m["name"] == "stacked") == after


# What replies carry.

def test_names_and_digests_in_replies(server, models):
    digest = hashlib.sha256((models / "matmul.onnx").read_bytes()).hexdigest()
    for reply in (infer(server), get(server, "/v2/models/matmul"), infer(server, ask_for={})):
        assert reply["x-garrison-model-version"] == "1"
        assert reply["x-garrison-model-digest"] == f"sha256:{digest}"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply["date"])
    both = (models / "external.onnx").read_bytes(), (models / "external.bin").read_bytes()
    digest = hashlib.sha256(b"".join(hashlib.sha256(b).digest() for b in both)).hexdigest()
    assert get(server, "/v2/models/external")["x-garrison-model-digest"] == f"sha256:{digest}"
    assert get(server, "/v2")["x-garrison-model-digest"] is None


def test_ids(server):
    reply = infer(server, ask_for={**ROW, "id": "caf\u00e9 \"1\""})
    assert reply.json["id"] == "caf\u00e9 \"1\""
    assert "id" not in infer(server).json and "id" not in infer(server, ask_for={**ROW, "id": ""}).json
    refused(infer(server, ask_for={**ROW, "id": "x" * 1025}), 400, "INPUT")
    assert infer(server, fields=["X-Request-Id: a!~b"])["x-request-id"] == "a!~b"
    for fields in ((), ["X-Request-Id: " + "x" * 129], ["X-Request-Id: a b"]):
        assert re.fullmatch(r"[0-9a-f]{32}", infer(server, fields=fields)["x-request-id"])


def test_traces_go_on(server):
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    for flags in ("00", "01"):
        back = infer(server, fields=[f"traceparent: 00-{trace}-{span}-{flags}"])["traceparent"]
        assert re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-{flags}", back) and span not in back
    for bad in (f"ff-{trace}-{span}-01", f"00-{'0' * 32}-{span}-01", f"00-{trace.upper()}-{span}-01",
                f"00-{trace}-{span}-01-x", "x"):
        back = infer(server, fields=[f"traceparent: {bad}"])["traceparent"]
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", back) and trace not in back


def test_floats_in_json_show_what_they_are(server):
    text = infer(server).body.decode()
    numbers = re.search(r'"data":\[([^\]]*)\]', text)[1].split(",")
    assert len(numbers) == 64 and all("." in n or "e" in n for n in numbers)
    x = np.full((2, 64), 0.5, np.float32)
    client = oip.Client(server)
    exact = client.infer("matmul", {"x": x}, binary=True)["y"].reshape(-1)
    client.close()
    assert np.array_equal(np.array(numbers, np.float32), exact)


def test_short_headers_and_words_for_infinities(models, tmp_path):
    with running(tmp_path, {"i": models / "identity_fp32.onnx"},
                 {"server": {"headers": "short", "json_nonfinite": "string", "name": "triton"}}
                 ) as server:
        body = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 3], "datatype": "FP32",
                                       "data": [float("nan"), "Infinity", float("-inf")]}]})
        reply = ask(server.data_port, "POST", "/v2/models/i/infer", body.encode())
        assert reply.json["outputs"][0]["data"] == ["NaN", "Infinity", "-Infinity"]
        assert re.fullmatch("sha256:[0-9a-f]{12}", reply["x-garrison-model-digest"])
        assert reply["x-request-id"] is None and reply["traceparent"] is None
        assert ask(server.data_port, "GET", "/v2", fields=["x-request-id: a"])["x-request-id"] == "a"
        assert get(server, "/v2").json["name"] == "triton"
