"""Every row of tests/data/h1_desync.tsv against the real server, by raw socket."""

import codecs
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import ROOT, wait_for
from live import running
from wire import Wire

TABLE = ROOT / "tests" / "data" / "h1_desync.tsv"
INFER = b"/v2/models/matmul/infer"
AUTHORITY = rb"([\w.-]+|\[[\da-fA-F:.]+\])(:\d{0,5})?"
REQUEST_LINE = re.compile(rb"[A-Z]+ ((?i:https?)://" + AUTHORITY + rb")?" + INFER +
                          rb"/?(\?[\w.~%!$&'()*+,;=:@/?-]*)? HTTP/1\.[01]")
MARK = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def rows():
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind, text, status, close = line.split("\t")
            yield name, kind, codecs.escape_decode(text.encode())[0], \
                [int(s) for s in status.split()], close == "yes"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("desync")) as made:
        yield made


def sent(wire, data):
    """All of it, as far as the server takes it: it may have ended the connection before."""
    try:
        wire.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def is_head(data, number):
    """Whether the request that the n-th reply answers is a HEAD; rows with HEAD have only one."""
    return number == 0 and data.lstrip(b"\r\n").startswith(b"HEAD ")


def judge(port, row):
    """What is wrong with the answers to a row; None: nothing."""
    name, _, data, wanted, close = row
    try:
        with Wire(port, wait=20) as wire:
            sent(wire, data)
            seen = []
            for number in range(len(wanted)):
                reply = wire.reply(head=is_head(data, number))
                if reply is None:
                    return f"{name}: ended after {seen}, want {wanted}"
                seen.append(reply.status)
                last = number == len(wanted) - 1
                if reply.closes != (close and last):
                    return f"{name}: reply {number} says close: {reply.closes}"
                if reply.status >= 400 and not is_head(data, number) and not reply.error:
                    return f"{name}: no text"
            if seen != wanted:
                return f"{name}: {seen}, want {wanted}"
            if close:  # nothing else is answered, and the connection is over
                sent(wire, MARK)
                return None if wire.ended() else f"{name}: more behind the last reply"
            wire.send(MARK)  # exactly one more answer, that of the mark
            reply = wire.reply()
            if reply is None or reply.body != b'{"live":true}':
                return f"{name}: the next request is not the next request"
            wire.sock.shutdown(socket.SHUT_WR)
            return None if wire.ended() else f"{name}: more than was asked for"
    except (AssertionError, OSError, TypeError, ValueError) as error:
        return f"{name}: {error!r}"


def test_the_table_is_large_enough():
    every = list(rows())
    refused = [r for r in every if r[4] and r[3][-1] >= 400]
    lawful = [r for r in every if all(s < 400 for s in r[3])]
    assert len(refused) >= 200 and len(lawful) >= 100
    assert len({r[0] for r in every}) == len(every)


def test_every_row(server):
    every = [r for r in rows() if r[1] != "unfinished"]
    before, said = server.metrics(), len(server.errors)
    with ThreadPoolExecutor(16) as pool:
        wrong = [w for w in pool.map(lambda r: judge(server.data_port, r), every) if w]
    assert not wrong, f"{len(wrong)} of {len(every)}:\n" + "\n".join(wrong)
    assert server.alive() and not server.errors[said:], server.errors[said:]
    after = server.metrics()
    name = 'garrison_role_restarts_total{role="data_front"}'
    assert after[name] == before[name]


def test_every_row_a_byte_at_a_time(server):
    """The same answers when the bytes come singly: a sample of each class."""
    classes = {}
    for row in rows():
        if row[1] != "unfinished" and len(row[2]) < 400:
            classes.setdefault(row[1], []).append(row)
    some = [r for group in classes.values() for r in group[::max(1, len(group) // 4)]]

    def slowly(row):
        name, _, data, wanted, _ = row
        try:
            with Wire(server.data_port, wait=20) as wire:
                wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for at in range(len(data)):
                    sent(wire, data[at:at + 1])
                seen = [getattr(wire.reply(head=is_head(data, n)), "status", None)
                        for n in range(len(wanted))]
                return None if seen == wanted else f"{name}: {seen}, want {wanted}"
        except (AssertionError, OSError, TypeError, ValueError) as error:
            return f"{name}: {error!r}"

    with ThreadPoolExecutor(16) as pool:
        wrong = [w for w in pool.map(slowly, some) if w]
    assert not wrong, f"{len(wrong)} of {len(some)}:\n" + "\n".join(wrong)


def test_unfinished_rows(tmp_path):
    """Heads that never end are answered 408 once their time is over."""
    with running(tmp_path, config={"limits": {"header_time": "1s"}}) as server:
        every = [r for r in rows() if r[1] == "unfinished"]
        start = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            wrong = [w for w in pool.map(lambda r: judge(server.data_port, r), every) if w]
        assert not wrong, "\n".join(wrong)
        assert time.monotonic() - start >= 1


def one_reply(port, data):
    """Sends a row's bytes and reads one reply; returns the client's port and whether the request
    line, read as RFC 9112 says, is one of the inference route."""
    with Wire(port, wait=20) as wire:
        sent(wire, data)
        assert wire.reply(head=is_head(data, 0)) is not None
        line = data.removeprefix(b"\r\n").split(b"\r\n")[0]
        return wire.sock.getsockname()[1], bool(REQUEST_LINE.fullmatch(line)) and len(line) <= 8192


def test_every_row_counts_where_its_request_line_says(models, tmp_path):
    """Each request is counted once under its route, and if that infers, under one outcome; also
    where the head is refused before it is whole."""
    put = lambda data: re.sub(rb"/v2/repository/index|/v2/health/live", INFER, data)
    every = [(name, put(data)) for name, _, data, wanted, _ in rows()
             if len(wanted) == 1 and put(data).count(INFER) <= 1]  # else a length counts a path
    with running(tmp_path, {"matmul": models / "matmul.onnx"},
                 {"limits": {"header_time": "1s"}}) as server:
        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda row: one_reply(server.data_port, row[1]), every))
        lines = lambda: [a for a in server.access_lines() if "client.port" in a
                         and a["garrison.route"] not in ("/startupz", "/metrics")]
        wait_for("a line a request", lambda: len(lines()) >= len(every))
        page = server.metrics()
        by_port = {a["client.port"]: a for a in lines()}
    assert len(by_port) == len(every) == len(lines())
    wrong = [name for (name, _), (port, infers) in zip(every, told)
             if ("garrison.outcome" in by_port[port]) != infers]
    assert not wrong, wrong
    infers = sum(i for _, i in told)
    assert infers > 500 and len(every) - infers > 150
    total = lambda name, word: sum(v for k, v in page.items()
                                   if k.startswith(name + "{") and word in k)
    assert total("garrison_inference_requests_total", "") == infers
    assert total("garrison_http_requests_total", "/infer") == infers
    for reason in ("header", "slow", "too_big", "input", "coding", "method"):
        assert total("garrison_inference_requests_total", f'reason="{reason}"') > 0, reason
