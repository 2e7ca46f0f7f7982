"""Roles keep to their part: the keeper touches no IP socket once it has bound them, executables of
two builds do not mix, the local socket is its owner's alone, and slow clients are sent away."""

import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import time

import numpy as np
import pytest

from conftest import BIN, WAIT, Server, wait_for
from live import moved, running
from load import Load, answers, connect, gone, role_pid, state_of, worker_of
from oip import body_of
from wire import Wire, request

# Calls that take a descriptor of their own place, or only hand it on while a child is made.
HARMLESS = {"close", "close_range"}


def traceable(folder):
    """Whether this machine lets a process be traced from its start."""
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-D", "-o", folder / "try", "true"], check=False,
                          capture_output=True).returncode == 0


def calls_of_keeper(trace, keeper):
    """(name, rest of the line) of every call that the keeper's threads begin, in order."""
    threads = {keeper}
    for line in trace.read_text(errors="replace").splitlines():
        head = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)", line)
        if not head:
            continue
        pid, name, rest = int(head[1]), head[2], line[head.end():]
        if pid not in threads:
            continue
        made = re.search(r"= (\d+)(?:<[^>]*>)?$", line)
        if name in ("clone", "clone3") and "CLONE_THREAD" in line and made:
            threads.add(int(made[1]))
        yield name, rest


@pytest.mark.release_only  # the leak checker cannot work in a traced process
def test_keeper_and_ip(tmp_path, models):
    """Traced from start to end, with a front and a worker killed between: after binding, the
    keeper does nothing on an IP socket but close it."""
    if not traceable(tmp_path):
        pytest.skip("strace may not trace here")
    trace, run = tmp_path / "trace", tmp_path / "run"
    run.write_text(f'#!/bin/sh\nexec strace -D -f -yy -s 64 -o {trace} '
                   f'-e trace=%network,%desc,clone,clone3,execve,execveat {BIN}/garrison "$@"\n')
    run.chmod(0o755)
    server = Server(["--model", f"near={models}/matmul.onnx", "--data-dir", tmp_path / "data"],
                    binary=run)
    try:
        server.wait_started().wait_model("near")
        answers(server, models, "matmul", "near")
        for pid_of in (lambda: role_pid(server, "data_front"), lambda: worker_of(server, "near")):
            pid = pid_of()
            os.kill(pid, signal.SIGKILL)
            wait_for("the next", lambda f=pid_of, p=pid: gone(p) and f() not in (None, p))
        server.wait_model("near")
        answers(server, models, "matmul", "near")
    finally:
        code = server.stop()
    assert code == 0
    seen = list(calls_of_keeper(trace, server.pid))
    binds = [i for i, (name, rest) in enumerate(seen)
             if name == "listen" and re.search(r"<TCP", rest)]
    assert len(binds) >= 3, "the trace shows the listeners"
    after = seen[binds[-1] + 1:]
    assert any(name.startswith("execve") or name.startswith("clone") for name, _ in after)
    bad = [f"{name}{rest}" for name, rest in after if name not in HARMLESS and (
        re.search(r"<(TCP|UDP|RAW)", rest.split(" = ")[0])
        or name == "socket" and re.search(r"AF_INET", rest))]
    assert bad == [], bad[:5]


def test_two_builds(tmp_path, models):
    """A worker of another build beside the server: it says so, and loads nothing."""
    for name in ("garrison", "garrison-worker"):
        shutil.copy2(BIN / name, tmp_path / name)
    (tmp_path / "libonnxruntime.so").symlink_to((BIN / "libonnxruntime.so").resolve())
    told = subprocess.run([BIN / "garrison", "version", "--json"], capture_output=True, check=True)
    build = re.search(rb"[0-9a-f]{40}", told.stdout)[0].decode()
    worker = (tmp_path / "garrison-worker").read_bytes()
    other = bytes(b ^ 0x55 for b in bytes.fromhex(build))
    assert worker.count(bytes.fromhex(build)) >= 1
    (tmp_path / "garrison-worker").write_bytes(worker.replace(bytes.fromhex(build), other))
    server = Server(["--model", f"near={models}/matmul.onnx", "--data-dir", tmp_path / "data"],
                    binary=tmp_path / "garrison")
    try:
        wait_for("a refusal", lambda: server.alive() and role_pid(server, "ops_front") and (
            state_of(server, "near")["state"] in ("failed", "quarantined")) if up(server)
            else not server.alive())
        if server.alive():
            text = state_of(server, "near")["text"]
            assert f'"{tmp_path}/garrison-worker" is of another build' in text
            assert text.endswith("install garrison and garrison-worker from one build")
            assert server.request("/v2/models/near/ready").status != 200
        else:
            text = "\n".join(server.errors)
            assert server.process.returncode != 0
        assert "another build" in text, text
    finally:
        server.stop()


def up(server):
    try:
        return server.request("/livez", base=server.ops, timeout=2).status == 200
    except OSError:
        return False


def test_local_socket(serve, tmp_path, models):
    """Directory and socket are their owner's alone."""
    server = serve("--model", f"near={models}/matmul.onnx", "--data-dir",
                   tmp_path / "data").wait_started()
    path = server.status()["socket"]
    told = os.stat(path)
    assert stat.S_ISSOCK(told.st_mode) and told.st_uid == os.geteuid()
    assert stat.S_IMODE(os.stat(tmp_path / "data").st_mode) == 0o700
    assert stat.S_IMODE(told.st_mode) & 0o007 == 0  # the group's way in is the directory
    with socket.socket(socket.AF_UNIX) as link:  # no message: the caller's end, not ours
        link.settimeout(WAIT)
        link.connect(path)
        link.sendall(b"\xff" * 64)
        try:
            while link.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert server.status()["ready"] in (True, False)


# --- slow clients (T5) ---------------------------------------------------------------------------

@pytest.fixture(scope="module")
def limited(tmp_path_factory, models):
    folder = tmp_path_factory.mktemp("slow")
    (folder / "g.yaml").write_text(
        "limits:\n  header_time: 1s\n  body_rate: 64KiB/s\n  body_rate_after: 1s\n"
        "  idle_time: 2s\nmodels:\n  near:\n"
        f"    path: {models}/matmul.onnx\n  nearer:\n    path: {models}/regressor.onnx\n")
    server = Server(["--config", folder / "g.yaml", "--data-dir", folder / "data"])
    try:
        yield server.wait_started().wait_model("near").wait_model("nearer")
    finally:
        server.stop()


def trickle(links, piece):
    """Sends a piece on every link each 50 ms until all are closed; returns what they said."""
    heard = {link: b"" for link in links}
    open_links, end = set(links), time.monotonic() + WAIT
    while open_links:
        assert time.monotonic() < end, "slow clients were never sent away"
        for link in list(open_links):
            link.settimeout(0.05 / len(links))
            try:
                link.sendall(piece)
                data = link.recv(4096)
                heard[link] += data
                if not data:
                    open_links.discard(link)
            except TimeoutError:
                continue
            except OSError:
                open_links.discard(link)
    return list(heard.values())


@pytest.mark.parametrize("start, piece", [
    (b"POST /v2/models/near/infer HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n"),
    (b"POST /v2/models/near/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
     b"a"),
    (b"POST /v2/models/near/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked"
     b"\r\n\r\n",
     b"1\r\na\r\n"),
], ids=["header", "body", "chunks"])
def test_slow(limited, models, start, piece):
    """408 and close for each of 40; 0 errors for those who are not slow."""
    before = rejected(limited)
    with Load(limited, models, {"near": "matmul", "nearer": "regressor"}, threads=1) as load:
        links = [connect(limited.data_port) for _ in range(40)]
        for link in links:
            link.sendall(start)
        heard = trickle(links, piece)
        load.advance()
    assert all(h.startswith(b"HTTP/1.1 408 ") for h in heard), [h[:40] for h in heard][:5]
    assert all(b"\r\nconnection: close\r\n" in h.lower() for h in heard)
    assert rejected(limited) - before == 40


def rejected(server):
    return sum(v for k, v in server.metrics().items()
               if k.startswith("garrison_connections_rejected_total"))


def test_idle(limited):
    """A connection that says nothing is closed without a word."""
    link = connect(limited.data_port)
    assert link.recv(1) == b""


@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")
def test_slowhttptest(limited, models):
    """The known tool, slow header mode: every connection of it is closed by us."""
    with Load(limited, models, {"near": "matmul"}, threads=2) as load:
        ran = subprocess.run(
            ["slowhttptest", "-H", "-c", "60", "-i", "1", "-r", "60", "-l", "8", "-p", "2",
             "-u", f"{limited.data}/v2/models/near/infer"], capture_output=True, text=True,
            check=False, timeout=WAIT)
        load.advance()
    said = re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout)
    assert "No open connections left" in said, said[-600:]


# --- connections that do not fit, replies that nobody takes ---------------------------------------

ROOM = 16  # connections, the fewest that may be configured
REJECTED = "garrison_connections_rejected_total"
LIVE = request("GET", "/v2/health/live")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory, models):
    with running(tmp_path_factory.mktemp("narrow"),
                 {"near": models / "matmul.onnx", "wide": models / "identity.onnx"},
                 {"limits": {"connections": ROOM, "write_stall": "1s"},
                  "server": {"loops": 1}}) as server:
        yield server.wait_model("near").wait_model("wide")


def open_now(server):
    """Connections of the data front; the page itself comes over one of the ops front."""
    return server.metrics()['garrison_connections{protocol="h1"}'] - 1


def test_connections(narrow):
    """Those beyond the limit wait, in order and unanswered, until another leaves; none is lost,
    none is rejected, and the ops front has a limit of its own."""
    before = narrow.metrics()
    wait_for("nobody", lambda: open_now(narrow) == 0)
    held = [Wire(narrow.data_port) for _ in range(ROOM)]
    assert all(wire.send(LIVE).reply().status == 200 for wire in held)
    waiting = [Wire(port).send(LIVE) for port in (narrow.data_port, narrow.second_port) * 2]
    for wire in waiting:
        wire.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            wire.sock.recv(1)
        wire.sock.settimeout(WAIT)
    assert open_now(narrow) == ROOM
    assert all(wire.send(LIVE).reply().status == 200 for wire in held)
    while waiting:  # one leaves, exactly one comes in
        held.pop().close()
        by_sock = {wire.sock: wire for wire in waiting}
        ready = [by_sock[s] for s in wait_for("the next", lambda: select.select(by_sock, [], [], 0)[0])]
        assert len(ready) == 1 and ready[0].reply().status == 200
        assert open_now(narrow) == ROOM
        waiting.remove(ready[0])
        held.append(ready[0])
    for wire in held:
        wire.close()
    wait_for("nobody", lambda: open_now(narrow) == 0)
    moved(narrow, before, REJECTED, 0)


def want_much(server):
    """A connection with a small window that has asked for 16 MB, and the length of the reply."""
    body, fields = body_of({"INPUT0": np.zeros((16 << 10, 256), np.float32)}, binary=True,
                           binary_out=True)
    wire = Wire(server.data_port)
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    wire.send(request("POST", "/v2/models/wide/infer", body,
                      [f"{name}: {value}" for name, value in fields.items()]))
    while b"\r\n\r\n" not in wire.buffer:
        wire.buffer += wire.sock.recv(1)
    assert wire.buffer.startswith(b"HTTP/1.1 200 ")
    return wire, int(re.search(rb"content-length: (\d+)", wire.buffer.lower())[1])


def take(wire, count):
    """Reads up to so many bytes; returns how many came before the end."""
    got = 0
    while got < count:
        try:
            data = wire.sock.recv(min(count - got, 1 << 16))
        except ConnectionResetError:
            break
        if not data:
            break
        got += len(data)
    return got


def test_a_reply_that_nobody_takes(narrow, models):
    """Cut once no byte was taken for write_stall, and counted; others are served meanwhile."""
    before, began = narrow.metrics(), time.monotonic()
    wire, size = want_much(narrow)
    answers(narrow, models, "matmul", "near")
    moved(narrow, before, REJECTED, 1, reason="slow")
    assert time.monotonic() - began >= 1
    assert 0 < take(wire, size) < size
    wire.close()
    moved(narrow, before, "garrison_inference_requests_total", 1, model="wide", outcome="ok")
    wait_for("the place to be free", lambda: open_now(narrow) == 0)


def test_a_reply_that_is_taken_slowly(narrow):
    """A client that takes a little four times a second gets all of it, however long that takes."""
    before, began = narrow.metrics(), time.monotonic()
    wire, size = want_much(narrow)
    left = size
    for turn in range(1, 13):
        left -= take(wire, 1 << 17)
        wait_for("the next turn", lambda: time.monotonic() - began >= turn / 4)
    assert take(wire, left) == left
    wire.close()
    moved(narrow, before, REJECTED, 0)
