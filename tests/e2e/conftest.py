"""A real server for each test: the executables under GARRISON_BIN, free ports of 127.0.0.1."""

import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("GARRISON_BIN", ROOT / "build" / "release"))
SANITIZED = bool(os.environ.get("GARRISON_SANITIZED"))
WAIT = 60 if SANITIZED else 30  # the deadline at which a wait gives up, seconds


def pytest_configure(config):
    config.addinivalue_line("markers", "release_only: not under the sanitizers")


def free_ports(count):
    """Ports that nobody listens on now; held open together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for(what, probe, seconds=WAIT):
    """Polls until probe() is true; fails with `what` at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """One `garrison serve` and what it prints."""

    def __init__(self, args, env=None, binary=None):
        self.data_port, self.second_port, self.ops_port = free_ports(3)
        self.data = f"http://127.0.0.1:{self.data_port}"
        self.ops = f"http://127.0.0.1:{self.ops_port}"
        command = [str(binary or BIN / "garrison"), "serve", *map(str, args),
                   "--listen", f"127.0.0.1:{self.data_port}",
                   "--listen", f"127.0.0.1:{self.second_port}",
                   "--ops-listen", f"127.0.0.1:{self.ops_port}"]
        clean = {k: v for k, v in os.environ.items() if k != "CI"}
        clean.update(env or {})
        self.lines, self.errors = [], []
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=clean, text=True,
                                        errors="replace")
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines),
                                     (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, to):
        for line in stream:
            to.append(line.rstrip("\n"))

    @property
    def pid(self):
        return self.process.pid

    def request(self, path, body=None, headers=None, method=None, base=None, timeout=WAIT):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        ask = urllib.request.Request((base or self.data) + path, data=data,
                                     headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(ask, timeout=timeout) as answer:
                return Reply(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())

    def infer(self, model, inputs, **more):
        return self.request(f"/v2/models/{model}/infer", {"inputs": inputs}, **more)

    def alive(self):
        return self.process.poll() is None

    def _ready(self, path, base=None):
        if not self.alive():
            pytest.fail("the server ended: " + "\n".join(self.errors[-20:]))
        try:
            return self.request(path, base=base, timeout=2).status == 200
        except OSError:
            return False

    def wait_started(self):
        wait_for("/startupz", lambda: self._ready("/startupz", self.ops))
        return self

    def wait_model(self, name):
        wait_for(f"model {name}", lambda: self._ready(f"/v2/models/{name}/ready"))
        return self

    def status(self):
        return self.request("/api/v1/status", base=self.ops).json

    def metrics(self):
        """Samples of /metrics as {name{labels}: value}."""
        text = self.request("/metrics", base=self.ops).body.decode()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("#", ""))
        return {name: float(value) for name, value in pairs}

    def children(self, word):
        """Pids of descendants whose command line holds word."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if parent == self.pid and word in command:
                found.append(int(entry.name))
        return sorted(found)

    def access_lines(self):
        lines = []
        for line in list(self.lines):
            try:
                parsed = json.loads(line)
            except ValueError:
                pytest.fail(f"not JSON on stdout: {line!r}")
            if parsed.get("event.dataset") == "garrison.access":
                lines.append(parsed)
        return lines

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:  # a second one at once would be the same signal, still pending
                self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(WAIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self.readers:
            reader.join(5)
        return self.process.returncode


@pytest.fixture
def serve():
    """serve(args...): starts a server that ends with the test; sanitizer reports fail it."""
    started = []

    def start(*args, **more):
        server = Server(args, **more)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
        reports = [e for e in server.errors if "Sanitizer" in e or "runtime error:" in e]
        assert not reports, "\n".join(server.errors[-60:])


@pytest.fixture(scope="session")
def models():
    """The directory of test models, made once by tests/models/make.py."""
    folder, make = ROOT / ".cache" / "models", ROOT / "tests" / "models" / "make.py"
    pins = ROOT / "scripts" / "requirements" / "test.txt"
    want = hashlib.sha256(make.read_bytes() + (pins.read_bytes() if pins.exists() else b""))
    stamp = folder / "made-by"
    if not stamp.exists() or stamp.read_text() != want.hexdigest():
        subprocess.run([sys.executable, str(make), str(folder)], check=True)
        stamp.write_text(want.hexdigest())
    return folder
