"""Clients that keep models busy while something else breaks, and look at every reply.

Each thread has one connection and one fixed request; the wanted answer is ONNX Runtime's own
(tests/models/make.py). Anything else than that answer is kept in `errors`.
"""

import http.client
import socket
import threading
import time

import numpy as np

from conftest import WAIT, wait_for
from oip import body_of, from_bytes, outputs_of


def case(models, name):
    """Inputs and outputs of a test model."""
    with np.load(models / f"{name}.npz", allow_pickle=True) as kept:
        return ({k[3:]: kept[k] for k in kept.files if k.startswith("in.")},
                {k[4:]: kept[k] for k in kept.files if k.startswith("out.")})


def post(server, path, body, headers=None, timeout=WAIT):
    """One request on a connection of its own: status, headers, body, seconds."""
    link = http.client.HTTPConnection("127.0.0.1", server.data_port, timeout=timeout)
    begun = time.monotonic()
    try:
        link.request("POST", path, body, headers or {})
        answer = link.getresponse()
        data = answer.read()
        return (answer.status, {k.lower(): v for k, v in answer.getheaders()}, data,
                time.monotonic() - begun)
    finally:
        link.close()


def ask(server, model, arrays, binary=False, timeout=WAIT, timeout_ms=None):
    """post() of an inference request; timeout_ms is the caller's deadline."""
    more = {"parameters": {"timeout": timeout_ms * 1000}} if timeout_ms else {}
    body, headers = body_of(arrays, binary=binary, binary_out=binary, **more)
    return post(server, f"/v2/models/{model}/infer", body, headers, timeout)


def answers(server, models, name, model=None):
    """Asserts that a model answers, and with the right numbers."""
    arrays, want = case(models, name)
    status, headers, body, _ = ask(server, model or name, arrays, binary=True)
    assert status == 200, body
    made, _ = outputs_of(body, headers)
    for key, array in want.items():
        assert made[key][1].tobytes() == array.tobytes(), key


class Background(threading.Thread):
    """ask() beside the test; .result is its answer or the exception."""

    def __init__(self, *args, **more):
        super().__init__(daemon=True)
        self.args, self.more, self.result = args, more, None
        self.start()

    def run(self):
        try:
            self.result = ask(*self.args, **self.more)
        except (OSError, http.client.HTTPException) as error:
            self.result = error
        self.ended = time.monotonic()

    def wait(self, seconds=WAIT):
        self.join(seconds)
        assert not self.is_alive(), "no answer"
        return self.result


class Load:
    """with Load(server, models, {model: test model}) as load: ..."""

    def __init__(self, server, models, names, threads=2, reconnect=False):
        self.server, self.reconnect = server, reconnect
        self.errors, self.broken, self.stopped = [], 0, False
        self.counts = {}
        self.threads = []
        for model, name in names.items():
            arrays, want = case(models, name)
            body, headers = body_of(arrays, binary=True, binary_out=True)
            for i in range(threads):
                self.counts[model, i] = 0
                self.threads.append(threading.Thread(
                    target=self._run, args=(model, i, body, headers, want), daemon=True))

    def _run(self, model, i, body, headers, want):
        link = None
        while not self.stopped and len(self.errors) < 20:
            try:
                if link is None:
                    link = http.client.HTTPConnection("127.0.0.1", self.server.data_port,
                                                      timeout=WAIT)
                link.request("POST", f"/v2/models/{model}/infer", body, headers)
                answer = link.getresponse()
                self._judge(model, answer, answer.read(), want)
                self.counts[model, i] += 1
                if answer.will_close:
                    link.close()
                    link = None
            except (OSError, http.client.HTTPException) as error:
                self.broken += 1
                if not self.reconnect:
                    self.errors.append((model, repr(error)))
                link.close()
                link = None
                time.sleep(0.005)  # a listener that is away must not be spun at
        if link:
            link.close()

    def _judge(self, model, answer, data, want):
        if answer.status != 200:
            self.errors.append((model, answer.status, data[:200]))
            return
        back = {k.lower(): v for k, v in answer.getheaders()}
        made, _ = outputs_of(data, back)
        for key, array in want.items():
            if made[key][1].tobytes() != array.tobytes():
                self.errors.append((model, f"wrong numbers in {key}"))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.advance(1)
        return self

    def advance(self, each=5):
        """Waits until every thread has had so many more replies."""
        start = dict(self.counts)
        wait_for("replies under load", lambda: self.errors and not self.reconnect or all(
            self.counts[key] - start[key] >= each for key in start))
        assert not self.errors, self.errors

    def __exit__(self, kind, *rest):
        if kind is None:
            self.advance(5)
        self.stopped = True
        for thread in self.threads:
            thread.join(WAIT)
        if kind is None:
            assert not self.errors, self.errors[:5]
            assert not any(thread.is_alive() for thread in self.threads)


def worker_of(server, model):
    """Pid of the worker of a model: rows of `roles` stand in the order of the models."""
    told = server.status()
    workers = [r for r in told["roles"] if r["role"] == "worker"]
    having = [m["name"] for m in told["models"] if m["state"] in ("ready", "loading")]
    if len(workers) != len(having) or model not in having:
        return None
    row = workers[having.index(model)]
    return row["pid"] if row["state"] == "up" else None


def role_pid(server, role):
    row = next(r for r in server.status()["roles"] if r["role"] == role)
    return row.get("pid") if row["state"] == "up" else None


def state_of(server, model):
    return next(m for m in server.status()["models"] if m["name"] == model)


def gone(pid):
    """Whether a process is gone or a zombie that waits for its parent."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT)
