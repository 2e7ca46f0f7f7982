"""Every row of tests/data/h1_desync.tsv against the real server, by raw socket."""

import codecs
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import ROOT
from live import running
from wire import Wire

TABLE = ROOT / "tests" / "data" / "h1_desync.tsv"
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
