"""docs/openapi.json against the table of routes, both ways, and against what a server answers."""

import json
import re

import pytest
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from conftest import ROOT, Server, wait_for

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
METHODS = {"ANY": ["GET", "POST"]}
LISTENERS = {"DATA": ["data"], "OPS": ["ops"], "BOTH": ["data", "ops"]}
UNREAD = {400, 408, 431}  # perhaps before there was a whole header, and so without an id
# How a request can go wrong.
STATUSES = set(re.findall(r"^ERR\(\w+, (\d+)", (ROOT / "src/base/err.def").read_text(), re.M))


def routes():
    """{operationId: (path, method, permission, listeners)} as src/base/routes.def has it."""
    text = (ROOT / "src" / "base" / "routes.def").read_text()
    rows = re.findall(r'^ROUTE\((\w+), (\w+), "([^"]+)", (\w+), (\w+)\)$', text, re.M)
    assert len(rows) == len(re.findall(r"^ROUTE\(", text, re.M))
    found = {}
    for name, method, path, listeners, permission in rows:
        forms = {name: path.replace("[/v]", "")}
        if "[/v]" in path:
            forms[name + "_version"] = path.replace("[/v]", "/versions/{version}")
        for operation, form in forms.items():
            for verb in METHODS.get(method, [method]):
                tail = "_post" if method == "ANY" and verb == "POST" else ""
                found[operation + tail] = (form, verb, permission.lower(), LISTENERS[listeners])
    return found


def operations():
    found = {}
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method != "servers":
                found[operation["operationId"]] = (path, method.upper(),
                                                   operation["x-garrison-permission"],
                                                   operation["x-garrison-listeners"])
    return found


def resolved(node):
    """The node without references, and with no member but those that it names."""
    if isinstance(node, list):
        return [resolved(n) for n in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target)
    made = {key: resolved(value) for key, value in node.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def bare_words(text):
    raise AssertionError(f"{text} is not JSON")


def check(reply, operation_id):
    """The reply is one that the document promises for the operation: status, type, fields, body."""
    path, method, *_ = operations()[operation_id]
    answers = DOCUMENT["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in answers, f"{operation_id} answered {reply.status}: {reply.body!r}"
    answer = resolved(answers[str(reply.status)])
    kind = reply.headers["Content-Type"].split(";")[0]
    assert kind in answer["content"], f"{operation_id} answered {kind}"
    for name, field in answer.get("headers", {}).items():
        if field.get("required") or name == "x-request-id" and reply.status not in UNREAD:
            assert name in reply.headers, f"{operation_id}: no {name}"
        if name in reply.headers and "enum" in field["schema"]:
            assert reply.headers[name] in field["schema"]["enum"]
    if kind == "application/json":
        value = json.loads(reply.body, parse_constant=bare_words)
        OAS30Validator(answer["content"][kind]["schema"]).validate(value)


def test_has_every_route_and_no_other():
    assert operations() == routes()


def test_is_valid_openapi():
    validate(DOCUMENT)


def test_promises_no_status_that_is_never_sent():
    for item in DOCUMENT["paths"].values():
        for method, operation in item.items():
            if method != "servers":
                assert set(operation["responses"]) <= STATUSES - {"409", "499"} | {"200"}


def test_names_every_error_row_that_is_sent():
    rows = set(re.findall(r"^ERR\((\w+), ", (ROOT / "src/base/err.def").read_text(), re.M))
    named = set()
    for response in DOCUMENT["components"]["responses"].values():
        named |= set(response["headers"]["x-garrison-error"]["schema"]["enum"])
    assert named == rows - {"CANCELLED", "CONFLICT"}  # no caller is left; no route changes anything


def test_check_refuses_what_is_not_promised():
    class Other:
        status, headers, body = 200, {"Content-Type": "application/json", "x-request-id": "1"}, b""

    Other.body = b'{"live":true}'
    check(Other, "livez")
    Other.body = b'{"live":true,"more":1}'
    with pytest.raises(Exception, match="more"):
        check(Other, "livez")


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    broken = tmp_path_factory.mktemp("openapi") / "broken.onnx"
    broken.write_bytes(b"no model")
    started = Server([models / "identity.onnx", models / "zipmap_string.onnx", broken])
    started.wait_started()
    started.wait_model("identity").wait_model("zipmap_string")
    yield started
    started.stop()
    assert not [line for line in started.errors if "Sanitizer" in line or "runtime error:" in line]


def rows_of(count, outputs=None, data=None):
    body = {"id": "7", "inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [count, 256],
                                   "data": data or [0.5] * (256 * count)}]}
    if outputs:
        body["outputs"] = outputs
    return body


def at(server, operation_id, body=None, headers=None, **places):
    """Asks for an operation on each listener that has it, and holds each answer to the document."""
    path, method, _, listeners = operations()[operation_id]
    places = {"model": "identity", "version": "1", "rest": "a/b", **places}
    reply = None
    for listener in listeners:
        base = server.data if listener == "data" else server.ops
        sent = {"Content-Type": "application/json", **(headers or {})}
        reply = server.request(path.format(**places), body, sent, method, base)
        check(reply, operation_id)
    return reply


def test_what_the_server_hands_out_is_the_document(server):
    assert server.request("/openapi.json", base=server.ops).json == DOCUMENT


@pytest.mark.parametrize("name", sorted(set(routes()) - {"infer", "infer_version"}))
def test_answers_are_as_promised(server, name):
    reply = at(server, name, body=b"" if routes()[name][1] == "POST" else None)
    offered = "200" in DOCUMENT["paths"][routes()[name][0]][routes()[name][1].lower()]["responses"]
    assert reply.status == (200 if offered else 501)


def test_answers_to_inference_are_as_promised(server):
    for name in ("infer", "infer_version"):
        assert at(server, name, rows_of(2)).json["id"] == "7"
        binary = at(server, name, rows_of(1, [{"name": "OUTPUT0",
                                               "parameters": {"binary_data": True}}]))
        assert binary.headers["Content-Type"] == "application/octet-stream"
        assert at(server, name, b"\0" * 1024,
                  {"Inference-Header-Content-Length": "0"}).status == 200
        assert at(server, name, rows_of(1, [{"name": "OUTPUT0",
                                             "parameters": {"classification": 2}}])).status == 200


def test_answers_about_labels_are_as_promised(server):
    assert "labels.probabilities" in at(server, "model_meta",
                                        model="zipmap_string").json["properties"]


def test_refusals_are_as_promised(server):
    gone, wrong = {"model": "nobody"}, {"version": "99"}
    for name in ("model_meta", "model_ready", "model_config", "model_stats"):
        assert at(server, name, **gone).status == 404
        assert at(server, name + "_version", **wrong).status == 404
    for name in ("infer", "infer_version"):
        assert at(server, name, rows_of(1), **gone).status == 404
        assert at(server, name, b"{").status == 400
        assert at(server, name, rows_of(1), {"Content-Encoding": "br"}).status == 415
        assert at(server, name, rows_of(1), {"Authorization": "Bearer x"}).status == 401
        assert at(server, name, rows_of(1), {"Host": "example.org"}).status == 403
        assert at(server, name, rows_of(1), {"X-Filler": "x" * 20000}).status == 431
        assert at(server, name, {"inputs": [], "parameters": {"sequence_id": 3}}).status == 501
    for name in ("status", "metrics", "openapi", "server_meta", "index"):
        assert at(server, name, body=None, headers={"Host": "example.org"}).status == 403
    other = server.request("/v2/models/identity/infer")
    assert other.status == 405 and other.headers["Allow"] == "POST"
    check(other, "infer")


def test_a_model_that_is_not_ready_answers_as_promised(server):
    wait_for("the refusal of broken",
             lambda: [m for m in server.status()["models"] if m["state"] == "failed"])
    check(server.request("/api/v1/status", base=server.ops), "status")
    assert at(server, "model_ready", model="broken").status == 503
    assert at(server, "infer", rows_of(1), model="broken").status == 503
    assert at(server, "model_meta", model="broken").status == 503
    at(server, "index", b'{"ready":true}')
