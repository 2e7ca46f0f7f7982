"""HTTP/1 as clients and proxies speak it: bodies, codings, Expect, pipelines, ends."""

import gzip
import json
import socket
import subprocess
import time
import zlib

import pytest

from conftest import BIN, free_ports
from live import moved, running
from wire import Wire, ask, request

ROW = json.dumps({"inputs": [{"name": "x", "shape": [1, 64], "datatype": "FP32",
                              "data": [0.5] * 64}]}).encode()
PATH = "/v2/models/matmul/infer"
LIVE = request("GET", "/v2/health/live")


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    config = {"limits": {"body": "64KiB", "decoded_body": "256KiB", "header_time": "1s",
                         "idle_time": "1s", "requests": 5, "body_rate_after": "1s"}}
    with running(tmp_path_factory.mktemp("http"), {"matmul": models / "matmul.onnx"},
                 config) as made:
        yield made


@pytest.fixture(scope="module")
def answer(server):
    return ask(server.data_port, "POST", PATH, ROW).json


def post(server, body, fields=()):
    return ask(server.data_port, "POST", PATH, body, fields)


# Bodies.

@pytest.mark.parametrize("coding,pack", [
    ("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress),
    ("identity", bytes), ("gzip", lambda b: gzip.compress(b[:70]) + gzip.compress(b[70:]))],
    ids=["gzip", "deflate", "upper", "identity", "members"])
def test_coded_bodies(server, answer, coding, pack):
    reply = post(server, pack(ROW), [f"Content-Encoding: {coding}"])
    assert reply.status == 200 and reply.json == answer and reply["content-encoding"] is None


def test_bodies_that_do_not_decode(server):
    whole = gzip.compress(ROW)
    raw = zlib.compressobj(wbits=-15)
    cases = [("gzip", whole[:-1]), ("gzip", whole[:-8] + bytes(8)), ("gzip", whole + b"x"),
             ("gzip", ROW), ("gzip", zlib.compress(ROW)),
             ("deflate", raw.compress(ROW) + raw.flush()), ("deflate", whole)]
    for coding, body in cases:
        reply = post(server, body, [f"Content-Encoding: {coding}"])
        assert (reply.status, reply["x-garrison-error"]) == (400, "INPUT"), (coding, body[:9])


def test_bombs(server):
    """Over the decoded limit, and under it but beyond 100 to 1."""
    for size in (300_000, 200_000):
        bomb = gzip.compress(bytes(size), 9)
        assert len(bomb) * 100 < size
        reply = post(server, bomb, ["Content-Encoding: gzip"])
        assert (reply.status, reply["x-garrison-error"]) == (413, "TOO_BIG"), size
    spread = json.dumps({"inputs": [], "pad": "".join(chr(97 + i * i % 23) for i in range(300000))})
    assert post(server, gzip.compress(spread.encode()), ["Content-Encoding: gzip"]).status == 413


def chunks(body, size):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_chunked_bodies(server, answer, size):
    with Wire(server.data_port) as wire:
        wire.send(request("POST", PATH, chunks(ROW, size), ["Transfer-Encoding: chunked"],
                          length=False))
        assert wire.reply().json == answer
        wire.send(LIVE)
        assert wire.reply().status == 200  # the connection lives on
    packed = chunks(gzip.compress(ROW), size)
    with Wire(server.data_port) as wire:
        wire.send(request("POST", PATH, packed, ["Transfer-Encoding: chunked",
                                                 "Content-Encoding: gzip"], length=False))
        assert wire.reply().json == answer


def test_a_chunked_body_beyond_the_limit(server):
    with Wire(server.data_port) as wire:
        wire.send(request("POST", PATH, fields=["Transfer-Encoding: chunked"]))
        piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        try:
            for _ in range(6):
                wire.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        reply = wire.reply()
        assert (reply.status, reply["x-garrison-error"]) == (413, "TOO_BIG")
        assert reply.closes and wire.ended()


@pytest.mark.parametrize("cut", [1, 3, 16, 100])
def test_bytes_may_come_in_any_pieces(server, answer, cut):
    whole = request("POST", PATH, ROW)
    with Wire(server.data_port) as wire:
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(whole), cut):
            wire.send(whole[at:at + cut])
        assert wire.reply().json == answer


# Expect.

def expecting(path, body=ROW, fields=()):
    return request("POST", path, fields=["Expect: 100-continue", f"Content-Length: {len(body)}",
                                         *fields])


def test_continue_comes_before_the_body(server, answer):
    with Wire(server.data_port) as wire:
        wire.send(expecting(PATH))
        assert wire.reply(skip_continue=False).status == 100
        wire.send(ROW)
        assert wire.reply(skip_continue=False).json == answer


@pytest.mark.parametrize("path,body,fields,status", [
    ("/v2/models/nobody/infer", ROW, (), 404), ("/nowhere", ROW, (), 404),
    ("/v2/models/matmul", ROW, (), 405), (PATH, bytes(65537), (), 413),
    (PATH, ROW, ("Authorization: Bearer x",), 401), (PATH, ROW, ("Origin: http://evil",), 403),
    (PATH, ROW, ("Content-Encoding: br",), 415)])
def test_no_continue_for_whom_the_answer_is_no(server, path, body, fields, status):
    with Wire(server.data_port) as wire:
        wire.send(expecting(path, body, fields))
        reply = wire.reply(skip_continue=False)
        assert reply.status == status and reply.closes and wire.ended()


def test_a_refused_body_does_not_become_a_request(server):
    """A short body is read past, and the next request is the next request."""
    with Wire(server.data_port) as wire:
        wire.send(request("POST", "/v2/models/nobody/infer", LIVE) + LIVE)
        assert wire.reply().status == 404
        assert wire.reply().json == {"live": True}
        assert wire.send(LIVE).reply().status == 200


# Versions, methods, connections.

def test_http_1_0(server, answer):
    for head in ("GET /v2/health/live HTTP/1.0\r\n\r\n",
                 "GET /v2/health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):
        with Wire(server.data_port) as wire:
            reply = wire.send(head).reply()
            assert reply.status == 200 and reply.closes and wire.ended()
    with Wire(server.data_port) as wire:
        wire.send(b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (PATH.encode(), len(ROW)))
        reply = wire.send(ROW).reply()
        assert reply.json == answer and reply.closes and wire.ended()
    with Wire(server.data_port) as wire:
        wire.send(f"POST {PATH} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert wire.reply().status == 400 and wire.ended()


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", "/v2/models", "/v2/models/matmul",
                                  "/v2/models/matmul/config", "/v2/models/nobody", "/nowhere"])
def test_head_is_get_without_a_body(server, path):
    with Wire(server.data_port) as wire:
        got = wire.send(request("GET", path)).reply()
        bare = wire.send(request("HEAD", path)).reply(head=True)
        assert bare.status == got.status
        assert bare["content-length"] == str(len(got.body))
        assert bare["content-type"] == got["content-type"]
        assert wire.send(LIVE).reply().status == 200  # nothing was left over


def test_pipelined_requests_are_answered_in_order(server, answer):
    with Wire(server.data_port) as wire:
        wire.send(LIVE + request("POST", PATH, ROW) + request("GET", "/nowhere") + LIVE)
        assert wire.reply().json == {"live": True}
        assert wire.reply().json == answer
        assert wire.reply().status == 404
        assert wire.reply().json == {"live": True}


def test_a_body_in_parts_ends_where_the_next_request_begins(server, answer):
    """After the 100 the body is read to where it belongs, and not a byte further."""
    body = ROW + b" " * 60000
    with Wire(server.data_port) as wire:
        wire.send(request("POST", PATH, body, ["Expect: 100-continue"])[:-len(body)])
        assert wire.reply(skip_continue=False).status == 100
        for start, end in ((0, 1), (1, 4001), (4001, 50000)):
            wire.send(body[start:end])
        wire.send(body[50000:] + LIVE)
        assert wire.reply().json == answer
        assert wire.reply().json == {"live": True}


def test_a_long_pipeline(server):
    """More than is read ahead while a request runs; the limit of requests ends it."""
    with Wire(server.data_port) as wire:
        wire.send(request("POST", PATH, ROW) * 60)
        replies = [wire.reply() for _ in range(5)]
        assert [r.status for r in replies] == [200] * 5
        assert [r.closes for r in replies] == [False] * 4 + [True]
        assert wire.reply() is None


def test_connection_close_is_heeded(server):
    with Wire(server.data_port) as wire:
        reply = wire.send(request("GET", "/v2", fields=["Connection: close"])).reply()
        assert reply.status == 200 and reply.closes and wire.ended()


def test_silence_ends_a_connection(server):
    start = time.monotonic()
    with Wire(server.data_port) as silent, Wire(server.data_port) as used:
        used.send(LIVE)
        assert used.reply().status == 200
        assert silent.ended() and used.ended()
    assert 0.9 < time.monotonic() - start < 5


@pytest.mark.parametrize("begun", ["G", "GET /v2 HTTP/1.1\r\nHost: localhost\r\n"])
def test_slow_heads(server, begun):
    before = server.metrics()
    with Wire(server.data_port) as wire:
        reply = wire.send(begun).reply()
        assert (reply.status, reply["x-garrison-error"]) == (408, "SLOW")
        assert reply.closes and wire.ended()
    moved(server, before, "garrison_connections_rejected_total", 1, reason="slow")


def test_slow_bodies(server):
    with Wire(server.data_port) as wire:
        wire.send(request("POST", PATH, fields=[f"Content-Length: {len(ROW)}"]) + ROW[:10])
        reply = wire.reply()
        assert (reply.status, reply["x-garrison-error"]) == (408, "SLOW")
        assert reply.closes and wire.ended()


def test_other_protocols_get_an_answer(server):
    for first in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 8 + b"\r\n\r\n",
                  b"SSH-2.0-x\r\n\r\n", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + LIVE):
        with Wire(server.data_port) as wire:
            reply = wire.send(first).reply()
            assert reply is not None and 400 <= reply.status < 500 and reply.closes
            assert wire.ended()


def test_many_connections_at_once(server, answer):
    wires = [Wire(server.data_port) for _ in range(200)]
    for wire in wires:
        wire.send(request("POST", PATH, ROW))
    for wire in wires:
        assert wire.reply().json == answer
        wire.close()


def test_both_ports_answer(server, answer):
    for port in (server.data_port, server.second_port):
        assert ask(port, "POST", PATH, ROW).json == answer


# Listeners.

@pytest.mark.parametrize("flag", ["--listen", "--ops-listen"])
@pytest.mark.parametrize("address", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_only_loopback_may_be_listened_on(models, tmp_path, flag, address):
    (port,) = free_ports(1)
    ended = subprocess.run([BIN / "garrison", "serve", models / "matmul.onnx", flag,
                            f"{address}:{port}", "--data-dir", tmp_path / "data"],
                           capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2, ended
    assert "loopback" in ended.stderr and address.strip("[]") in ended.stderr
    assert len(ended.stderr.splitlines()) == 1 and "access" in ended.stderr
