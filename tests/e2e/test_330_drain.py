"""The end of a server by signals, and starts that are refused."""

import http.client
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time

import numpy as np
import pytest

from conftest import BIN, WAIT, free_ports, wait_for
from load import Background, Load, answers, gone, post

MODELS = {"near": "matmul", "spins": "spin"}
LONG = {"n": np.array([8000], np.int64)}  # some 0.5 s


@pytest.fixture
def start(serve, tmp_path, models):
    def go(delay="1500ms", grace="20s", idle="500ms"):
        (tmp_path / "g.yaml").write_text(
            f"drain:\n  delay: {delay}\n  grace: {grace}\n  idle: {idle}\nmodels:\n" + "".join(
                f"  {n}:\n    path: {models}/{m}.onnx\n" for n, m in MODELS.items()))
        return serve("--config", tmp_path / "g.yaml",
                     "--data-dir", tmp_path / "data").wait_started().wait_model("near")
    return go


def ops(server, path):
    return server.request(path, base=server.ops).status


def ended(server, seconds=WAIT):
    try:
        server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it did not end within {seconds} s")
    return server.process.returncode


class Keeps(Load):
    """Connections that live on until they are told to close; then that is their end."""

    def _judge(self, model, answer, data, want):
        super()._judge(model, answer, data, want)
        if answer.will_close:
            self.closes.append(model)
            raise Stop

    def _run(self, *args):
        try:
            super()._run(*args)
        except Stop:
            pass

    closes = ()


class Stop(Exception):
    pass


def test_drain(start, models):
    """What is asked during the delay is answered, with Connection: close; none in flight fails."""
    server = start()
    pids = [r["pid"] for r in server.status()["roles"]]
    load = Keeps(server, models, {"near": "matmul"}, threads=3)
    load.closes = []
    for thread in load.threads:
        thread.start()
    load.advance(3)
    running = Background(server, "spins", LONG)
    wait_for("a run", lambda: server.metrics()[
        'garrison_inference_in_flight{model="spins",version="1"}'] == 1)
    server.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    wait_for("readyz 503", lambda: ops(server, "/readyz") == 503, 1.4)
    assert ops(server, "/livez") == 200
    assert server.request("/v2/health/ready").status == 503
    status, headers, body, _ = post(server, "/v2/models/near/infer", near_body())
    assert status == 200 and headers["connection"] == "close", (status, body)
    assert server.status()["draining"] is True
    for thread in load.threads:
        thread.join(WAIT)
    assert not load.errors and load.closes == ["near"] * 3
    status, headers, body, _ = running.wait()
    assert status == 200, body
    assert ended(server) == 0
    assert 1.4 < time.monotonic() - begun < 1.5 + 20
    assert all(map(gone, pids))


def near_body():
    return json.dumps({"inputs": [{"name": "x", "shape": [1, 64], "datatype": "FP32",
                                   "data": [0.5] * 64}]}).encode()


def test_in_flight_past_delay(start, models):
    """What runs when the listeners close has the grace to end; new connections are refused."""
    server = start(delay="200ms")
    runs = [Background(server, "spins", LONG) for _ in range(3)]
    wait_for("the runs", lambda: sum(
        v for k, v in server.metrics().items() if 'model="spins"' in k and k.startswith(
            ("garrison_inference_in_flight", "garrison_inference_queue_depth"))) == 3)
    server.process.send_signal(signal.SIGTERM)
    assert [r.wait()[0] for r in runs] == [200, 200, 200]
    assert ended(server) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.data_port), timeout=1)


def test_silent_connections(start):
    """Connections that say nothing are closed drain.idle after the delay; the server ends."""
    server = start(delay="200ms", idle="300ms")
    idle = [socket.create_connection(("127.0.0.1", server.data_port), timeout=WAIT)
            for _ in range(5)]
    link = http.client.HTTPConnection("127.0.0.1", server.data_port, timeout=WAIT)
    link.request("GET", "/v2/health/live")
    assert link.getresponse().read() is not None
    server.process.send_signal(signal.SIGTERM)
    assert [s.recv(1) for s in idle] == [b""] * 5
    assert link.sock.recv(1) == b""
    assert ended(server) == 0


def test_grace_ends(start):
    """Work that outlives the grace is ended and answered UNAVAILABLE."""
    server = start(delay="100ms", grace="1s")
    endless = Background(server, "spins", {"n": np.array([1 << 62], np.int64)})
    wait_for("a run", lambda: server.metrics()[
        'garrison_inference_in_flight{model="spins",version="1"}'] == 1)
    server.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    status, _, body, _ = endless.wait()
    assert status == 503, body
    assert ended(server) == 0
    assert time.monotonic() - begun < 0.1 + 1 + 10


def test_second_signal(start, models):
    """The second SIGTERM skips the delay, and what runs is still answered."""
    server = start(delay="10m")
    running = Background(server, "spins", LONG)
    wait_for("a run", lambda: server.metrics()[
        'garrison_inference_in_flight{model="spins",version="1"}'] == 1)
    server.process.send_signal(signal.SIGTERM)
    wait_for("the drain", lambda: ops(server, "/readyz") == 503)
    assert server.alive()
    answers(server, models, "matmul", "near")
    server.process.send_signal(signal.SIGTERM)
    assert running.wait()[0] == 200
    assert ended(server) == 0


def test_third_signal(start):
    """The third ends at once."""
    server = start(delay="10m", grace="1h")
    pids = [r["pid"] for r in server.status()["roles"]]
    endless = Background(server, "spins", {"n": np.array([1 << 62], np.int64)})
    wait_for("a run", lambda: server.metrics()[
        'garrison_inference_in_flight{model="spins",version="1"}'] == 1)
    told = lambda n: wait_for(f"signal {n} to be told", lambda: sum(
        "draining" in e for e in server.errors) == n)
    server.process.send_signal(signal.SIGTERM)
    told(1)
    server.process.send_signal(signal.SIGTERM)
    told(2)
    assert server.alive()
    server.process.send_signal(signal.SIGTERM)
    assert ended(server, 5) != 0
    wait_for("the end of every role", lambda: all(map(gone, pids)), 2)
    endless.join(WAIT)


def test_interrupt(start):
    """SIGINT drains as SIGTERM does where there is no terminal."""
    server = start(delay="300ms")
    server.process.send_signal(signal.SIGINT)
    wait_for("the drain", lambda: any("draining" in e for e in server.errors))
    assert ended(server) == 0


def test_interrupt_at_a_terminal(tmp_path, models):
    """Ctrl-C on a terminal: no delay, although it is ten minutes."""
    (tmp_path / "g.yaml").write_text(f"drain:\n  delay: 10m\nmodels:\n  m:\n    path: "
                                     f"{models}/matmul.onnx\n")
    data, second, status = free_ports(3)
    leader, follower = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if k != "CI"}
    process = subprocess.Popen(
        [BIN / "garrison", "serve", "--config", tmp_path / "g.yaml", "--data-dir",
         tmp_path / "data", "--listen", f"127.0.0.1:{data}", "--ops-listen",
         f"127.0.0.1:{status}"], stdin=follower, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=clean, start_new_session=True)
    try:
        def started():
            link = http.client.HTTPConnection("127.0.0.1", status, timeout=2)
            try:
                link.request("GET", "/readyz")
                return link.getresponse().status == 200
            except OSError:
                return False
            finally:
                link.close()
        wait_for("the server", started)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
        os.close(follower)


def refused(tmp_path, *words):
    """Exit status and stderr of a start that must be refused."""
    clean = {k: v for k, v in os.environ.items() if k != "CI"}
    ran = subprocess.run([BIN / "garrison", "serve", *map(str, words)], capture_output=True,
                         text=True, timeout=WAIT, check=False, env=clean,
                         stdin=subprocess.DEVNULL)
    return ran.returncode, ran.stderr


def test_second_server(start, tmp_path, models):
    """Another server on the data directory exits 6 and names the pid that holds it."""
    server = start()
    data, status = free_ports(2)
    code, said = refused(tmp_path, f"{models}/matmul.onnx", "--data-dir", tmp_path / "data",
                         "--listen", f"127.0.0.1:{data}", "--ops-listen", f"127.0.0.1:{status}")
    assert code == 6, said
    assert re.search(rf"\b{server.pid}\b", said), said
    assert said.count("\n") <= 2, said
    answers(server, models, "matmul", "near")


def test_port_taken(start, tmp_path, models):
    """Exit 6 with the address; the holder is not disturbed."""
    server = start()
    free = free_ports(1)[0]
    for listen, ops_listen, taken in (
            (server.data_port, free, server.data_port), (free, server.ops_port, server.ops_port)):
        code, said = refused(tmp_path, f"{models}/matmul.onnx", "--data-dir", tmp_path / "other",
                             "--listen", f"127.0.0.1:{listen}",
                             "--ops-listen", f"127.0.0.1:{ops_listen}")
        assert code == 6, said
        assert f"127.0.0.1:{taken}" in said and "in use" in said, said
    answers(server, models, "matmul", "near")
