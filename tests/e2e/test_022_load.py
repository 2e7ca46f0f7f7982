"""Full queues, deadlines, callers that leave: what a model that takes its time makes visible."""

import json
import threading
import time

import pytest

from conftest import wait_for
from live import moved, running
from wire import Wire, ask, request

TURNS_OF_A_SECOND = 20_000  # of the spin model; only the order of magnitude matters
LONG = 50 * TURNS_OF_A_SECOND
REQUESTS = "garrison_inference_requests_total"


CONFIG = {"defaults": {"queue": 1, "request_timeout": "2m"},
          "server": {"loops": 1}}  # one queue, one lane, one view of what a run takes


@pytest.fixture
def server(models, tmp_path):
    """A new one for each test, since what a model took before decides what is admitted."""
    with running(tmp_path, {"spin": models / "spin.onnx"}, CONFIG) as made:
        yield made


@pytest.fixture(scope="module")
def quick(models, tmp_path_factory):
    paths = {"spin": models / "spin.onnx", "simple": {"path": models / "simple.onnx",
                                                      "instances": 2, "queue": 1000},
             "small": {"path": models / "identity_bytes.onnx", "lane_reply": "4KiB"}}
    with running(tmp_path_factory.mktemp("load"), paths, CONFIG) as made:
        yield made


def spin(turns, fields=(), **parameters):
    body = json.dumps({"inputs": [{"name": "n", "shape": [1], "datatype": "INT64",
                                   "data": [turns]}], "parameters": parameters}).encode()
    return request("POST", "/v2/models/spin/infer", body, fields)


def gauge(server, name, model="spin"):
    return server.metrics()[f'garrison_{name}{{model="{model}",version="1"}}']


def run_long(server):
    """A connection whose request runs, and will not end by itself."""
    wire = Wire(server.data_port).send(spin(LONG))
    wait_for("a run", lambda: gauge(server, "inference_in_flight") >= 1)
    return wire


def fill(server):
    """Connections that fill run, lane and queue, and the refusal behind them."""
    held = [run_long(server)]
    for _ in range(16):
        wire = Wire(server.data_port).send(spin(LONG))
        before = gauge(server, "inference_in_flight") + gauge(server, "inference_queue_depth")
        wire.sock.settimeout(0.3)
        try:
            return held, wire.reply()
        except TimeoutError:
            wire.sock.settimeout(30)
            held.append(wire)
            wait_for("the request in lane or queue", lambda: gauge(
                server, "inference_in_flight") + gauge(server, "inference_queue_depth") >= before)
    pytest.fail("nothing was refused")


def test_a_full_queue_refuses_at_once(server):
    before = server.metrics()
    held, reply = fill(server)
    assert (reply.status, reply["x-garrison-error"]) == (429, "BUSY")
    assert reply.error.startswith("Exceeds maximum queue size")
    assert 1 <= int(reply["retry-after"]) <= 30
    assert gauge(server, "inference_queue_capacity") == 1
    moved(server, before, REQUESTS, 1, outcome="rejected", reason="queue_full")

    # Expect: the refusal comes instead of the 100.
    body = spin(1).split(b"\r\n\r\n", 1)[1]
    with Wire(server.data_port) as wire:
        wire.send(request("POST", "/v2/models/spin/infer", fields=[
            "Expect: 100-continue", f"Content-Length: {len(body)}"]))
        reply = wire.reply(skip_continue=False)
        assert reply.status == 429 and reply.closes and wire.ended()

    # All callers leave: what waits is never run, what runs is ended, each is counted once.
    for wire in held:
        wire.close()
    moved(server, before, REQUESTS, len(held), outcome="cancelled")
    after = server.metrics()
    for reason in ("queued", "running"):
        name = f'{REQUESTS}{{model="spin",version="1",outcome="cancelled",reason="{reason}"}}'
        assert after[name] - before[name] >= 1, reason
    wait_for("an idle lane", lambda: gauge(server, "inference_in_flight") == 0)
    with Wire(server.data_port) as wire:
        assert wire.send(spin(1)).reply().status == 200


@pytest.mark.parametrize("leave", ["close", "half"])
def test_a_caller_that_leaves_ends_its_run(server, leave):
    before = server.metrics()
    wire = run_long(server)
    if leave == "half":
        wire.sock.shutdown(1)  # counts as leaving
    else:
        wire.close()
    moved(server, before, REQUESTS, 1, outcome="cancelled", reason="running")
    with Wire(server.data_port) as other:  # the only instance is free again
        assert other.send(spin(1)).reply().status == 200
    wire.close()


@pytest.mark.parametrize("fields,parameters", [
    ([], {"timeout": 300_000}), (["x-request-timeout-ms: 300"], {}),
    (["x-request-timeout-ms: 300"], {"timeout": 60_000_000}),
    (["x-request-timeout-ms: 60000"], {"timeout": 300_000})],
    ids=["parameter", "header", "header first", "parameter first"])
def test_a_deadline_ends_a_run(server, fields, parameters):
    before, start = server.metrics(), time.monotonic()
    with Wire(server.data_port) as wire:
        reply = wire.send(spin(LONG, fields, **parameters)).reply()
        took = time.monotonic() - start
        assert (reply.status, reply["x-garrison-error"]) == (504, "LATE")
        assert reply.error.startswith("Request timeout expired")
        assert 0.25 < took < 3
        moved(server, before, REQUESTS, 1, outcome="timeout", reason="running")
        assert wire.send(spin(1)).reply().status == 200


def test_a_deadline_in_the_queue(server):
    # A run that took long: of requests whose runs are short the lane takes more than two.
    with Wire(server.data_port) as wire:
        assert wire.send(spin(1000)).reply().status == 200
    before = server.metrics()
    held = run_long(server)
    more = Wire(server.data_port).send(spin(LONG))  # takes the lane's second place
    wait_for("two in the lane", lambda: gauge(server, "inference_in_flight") == 2)
    with Wire(server.data_port) as late:
        reply = late.send(spin(1, ["x-request-timeout-ms: 1000"])).reply()
        assert (reply.status, reply["x-garrison-error"]) == (504, "LATE")
    moved(server, before, REQUESTS, 1, outcome="timeout", reason="queued")
    moved(server, before, REQUESTS, 0, outcome="timeout", reason="running")
    held.close()
    more.close()


def test_default_deadline_of_a_model(models, tmp_path):
    with running(tmp_path, {"spin": {"path": models / "spin.onnx", "request_timeout": "300ms"}}
                 ) as server:
        with Wire(server.data_port) as wire:
            assert wire.send(spin(LONG)).reply().status == 504
            assert wire.send(spin(LONG, timeout=0)).reply().status == 504  # 0: none given
            assert wire.send(spin(1)).reply().status == 200


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "x", "", "3600001"])
def test_malformed_deadlines(quick, value):
    with Wire(quick.data_port) as wire:
        reply = wire.send(spin(1, [f"x-request-timeout-ms: {value}"])).reply()
        assert (reply.status, reply["x-garrison-error"]) == (400, "INPUT")


def test_what_cannot_finish_in_time_is_refused_before_it_waits(server):
    before = server.metrics()
    with Wire(server.data_port) as wire:
        for _ in range(12):  # until the prediction knows what a run takes
            assert wire.send(spin(300)).reply().status == 200
        start = time.monotonic()
        reply = wire.send(spin(300, timeout=3000)).reply()
        assert (reply.status, reply["x-garrison-error"]) == (429, "BUSY"), reply.body
        assert time.monotonic() - start < 1
        assert int(reply["retry-after"]) >= 1
    moved(server, before, REQUESTS, 1, outcome="rejected", reason="cannot_finish")


def test_a_reply_that_outgrows_its_room(quick):
    server = quick
    def small(count):
        body = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "BYTES",
                                       "data": ["x" * count]}]}).encode()
        return ask(server.data_port, "POST", "/v2/models/small/infer", body)
    before = server.metrics()
    assert small(3000).json["outputs"][0]["data"] == ["x" * 3000]
    reply = small(300_000)  # an extent is whole units, so a little more than the room would fit
    assert (reply.status, reply["x-garrison-error"]) == (500, "ENGINE")
    assert "lane_reply" in reply.error
    assert small(3).json["outputs"][0]["data"] == ["xxx"]
    moved(server, before, REQUESTS, 1, outcome="server_error", reason="reply_too_big")


def test_concurrent_callers_all_get_their_own_answer(quick):
    """Two instances, a long queue, 32 callers: nobody gets another's answer."""
    wrong = []

    def one(number):
        body = json.dumps({"id": str(number), "inputs": [
            {"name": n, "shape": [1, 16], "datatype": "INT32", "data": [v] * 16}
            for n, v in (("INPUT0", number), ("INPUT1", 1000))]}).encode()
        with Wire(quick.data_port) as wire:
            for _ in range(20):
                told = wire.send(request("POST", "/v2/models/simple/infer", body)).reply().json
                got = {o["name"]: o["data"] for o in told.get("outputs", [])}
                if told.get("id") != str(number) or got != {
                        "OUTPUT0": [number + 1000] * 16, "OUTPUT1": [number - 1000] * 16}:
                    wrong.append((number, told))
    threads = [threading.Thread(target=one, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:2]
